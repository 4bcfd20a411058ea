//! The members that are catching up.

use super::Log;
use crate::ConnectionId;

impl Log {
    /// Returns the number of members that recover, or that are over the limit of a room whose rule
    /// spares them.
    pub(in crate::switchboard) fn lagging(&self) -> usize {
        self.recoveries.len() + self.spared
    }

    /// Returns the rooms of a connection, each with the messages and bytes that it lags behind there.
    pub(in crate::switchboard) fn lags(
        &self,
        id: ConnectionId,
    ) -> impl Iterator<Item = (u32, u64, u64)> + '_ {
        let rooms = self.connection(id).into_iter().flat_map(|it| &it.rooms);
        rooms.map(|found| {
            let room = &self.rooms[found.room];
            let (messages, bytes) = room.lag(room.index_of(found.index));
            (found.room, messages, bytes)
        })
    }
}

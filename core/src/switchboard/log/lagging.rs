//! The members that are catching up.

use super::Log;
use super::limits::Slow;
use crate::ConnectionId;
use crate::switchboard::arena::NONE;

impl Log {
    /// Returns the number of members that recover, or that are over the limit of a room whose rule
    /// spares them. Costs a look at each of the latter, and at each blocked room.
    pub(in crate::switchboard) fn lagging(&self) -> usize {
        let spared = self.blocked_rooms().map(|key| self.spared(key));
        self.recoveries.len() + spared.sum::<usize>()
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

    /// Returns the number of blocked members of a room that do not recover and are over its limit,
    /// and that its rule spares.
    fn spared(&self, key: u32) -> usize {
        let room = &self.rooms[key];
        if room.rule.slow != Slow::CatchUp {
            return 0;
        }
        let over = (room.passed..room.ring.len()).take_while(|&index| room.is_over(index, 1));
        let members = over.flat_map(|index| self.blocked_at(room.ring[index].blocked));
        members
            .filter(|&slot| self.recovery(slot, key).is_none())
            .count()
    }

    /// Returns the slots in a list of blocked members.
    fn blocked_at(&self, head: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = head;
        std::iter::from_fn(move || {
            let lag = self.lags.get(at)?;
            at = if lag.next == head { NONE } else { lag.next };
            Some(lag.slot)
        })
    }
}

//! The memory of unfinished messages, which are held until their last frame.

use super::audit::{Inconsistency, same};
use super::connection::ConnectionState;
use super::recount::Recount;
use super::table::Table;
use crate::ConnectionId;

/// Bytes of the unfinished messages of all connections.
#[derive(Debug, Default)]
pub(super) struct Partials {
    bytes: usize,
}

impl Partials {
    /// Sets how many bytes of an unfinished message are held for a connection.
    pub(super) fn set(&mut self, connection: &mut ConnectionState, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes = self.bytes + bytes as usize - connection.partial as usize;
        connection.partial = bytes;
    }

    /// Returns the bytes of all of them.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the connection that holds most, if all together hold more than `limit`. Costs a pass
    /// over all connections then.
    pub(super) fn largest(&self, connections: &Table, limit: usize) -> Option<ConnectionId> {
        if self.bytes <= limit {
            return None;
        }
        let held = connections.iter().filter(|(_, found)| found.partial > 0);
        let largest = held.map(|(id, found)| (found.partial, id)).max();
        largest.map(|(_, id)| id)
    }

    /// Compares the bytes with those that connections hold.
    pub(super) fn audit(&self, counted: &Recount, limit: usize) -> Result<(), Inconsistency> {
        same("unfinished bytes", self.bytes, counted.partial)?;
        same("unfinished <= limit", self.bytes <= limit, true)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::{IpKey, Time};

    #[test]
    fn over_the_limit_the_largest_goes() {
        let mut table = Table::default();
        let mut partials = Partials::default();
        let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
        let ids = [30, 50, 20].map(|bytes| {
            let mut connection = ConnectionState::new(ip, Time::ZERO, Time::MAX);
            partials.set(&mut connection, 10);
            partials.set(&mut connection, bytes);
            table.insert(connection)
        });
        assert_eq!(partials.largest(&table, 100), None);
        assert_eq!(partials.largest(&table, 99), Some(ids[1]));
        partials.set(table.get_mut(ids[1]).unwrap(), 0);
        assert_eq!(partials.largest(&table, 49), Some(ids[0]));
        partials.audit(&Recount::of(&table), 50).unwrap();
    }
}

//! All deadlines of connections: which are armed, and which are due.
//!
//! When something is due is computed from the state of the connection; a timer only says when to
//! look. So a deadline that moves back costs nothing until its timer comes due.

use std::collections::BTreeSet;

use super::audit::{Inconsistency, same};
use super::connection::ConnectionState;
use super::recount::Recount;
use super::table::Table;
use super::timers::{Kind, Timers};
use crate::{Config, ConnectionId, Time};

/// Connections that are prefetched together: a little more than the cache misses that a processor
/// can have under way.
const PREFETCH: usize = 32;

/// The timers of all connections in liveness time, and the ends of logins in driver time.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    timers: Timers,
    /// Timers that are armed for existing connections.
    armed: usize,
    /// How many of the timers that come due next are prefetched.
    prefetched: usize,
    expiries: BTreeSet<(Time, ConnectionId)>,
}

impl Deadlines {
    /// Returns when the earliest timer is due, in liveness time.
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Returns when the first login expires, in driver time.
    #[inline]
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.expiries.first().map(|&(at, _)| at)
    }

    /// Arms a timer of this kind, for its deadline or earlier.
    #[inline]
    pub(super) fn arm(
        &mut self,
        connections: &mut Table,
        config: &Config,
        id: ConnectionId,
        kind: Kind,
    ) {
        let Ok(connection) = connections.get_mut(id) else {
            return;
        };
        if connection.is_armed(kind) {
            return;
        }
        if let Some(at) = connection.deadline(kind, config) {
            connection.armed |= kind.bit();
            self.armed += 1;
            self.timers.push(kind, at, id);
            self.sweep(connections);
        }
    }

    /// Disarms a timer that is not needed any more, or not until it is armed `again`.
    #[inline]
    pub(super) fn disarm(
        &mut self,
        connections: &mut Table,
        id: ConnectionId,
        kind: Kind,
        again: bool,
    ) {
        let Ok(connection) = connections.get_mut(id) else {
            return;
        };
        // An entry that stays in its queue must not get a duplicate.
        if connection.is_armed(kind) && (self.timers.take_back(kind, id) || !again) {
            connection.armed &= !kind.bit();
            self.armed -= 1;
            self.sweep(connections);
        }
    }

    /// Forgets the timers of a connection that is about to be removed. [`Self::sweep`] has to
    /// follow.
    pub(super) fn forget(&mut self, connection: &ConnectionState) {
        self.armed -= connection.armed.count_ones() as usize;
    }

    /// Keeps entries of disarmed timers fewer than armed ones, plus a constant, by removing about a
    /// hundred at a time.
    pub(super) fn sweep(&mut self, connections: &Table) {
        if self.timers.len() > 2 * self.armed + 64 {
            self.timers.sweep(|kind, id| {
                connections
                    .get(id)
                    .is_ok_and(|connection| connection.is_armed(kind))
            });
        }
    }

    /// Takes the next deadline that is due at `now`. Timers whose deadline has moved are armed
    /// anew. Each timer that is looked at, those of connections that are gone among them, costs one of
    /// `share`. `fetch` reads what else is needed of a connection whose turn will come.
    pub(super) fn pop(
        &mut self,
        connections: &mut Table,
        config: &Config,
        now: Time,
        share: &mut usize,
        fetch: impl Fn(ConnectionId) -> u64,
    ) -> Option<(Kind, ConnectionId)> {
        while *share > 0
            && let Some((_, kind, id)) = self.timers.pop(now)
        {
            *share -= 1;
            self.prefetched = match self.prefetched {
                // Prefetch the next batch before this one runs out.
                0 | 1 => self.prefetch(connections, kind, now, &fetch),
                more => more - 1,
            };
            let Ok(connection) = connections.get_mut(id) else {
                continue;
            };
            if !connection.is_armed(kind) {
                continue;
            }
            connection.armed &= !kind.bit();
            self.armed -= 1;
            match connection.deadline(kind, config) {
                None => {}
                Some(at) if at > now => self.arm(connections, config, id, kind),
                Some(_) => return Some((kind, id)),
            }
        }
        self.prefetched = 0;
        None
    }

    /// Sets when the login of a connection expires, in driver time; `None` for never.
    pub(super) fn set_expiry(
        &mut self,
        connection: &mut ConnectionState,
        id: ConnectionId,
        at: Option<Time>,
    ) {
        if let Some(before) = connection.set_expires(at) {
            self.expiries.remove(&(before, id));
        }
        self.expiries
            .extend(connection.expires().map(|at| (at, id)));
    }

    /// Takes the next connection whose login has expired at `now`, in driver time.
    pub(super) fn pop_expired(
        &mut self,
        connections: &mut Table,
        now: Time,
    ) -> Option<ConnectionId> {
        let &(at, id) = self.expiries.first()?;
        if at > now {
            return None;
        }
        self.expiries.pop_first();
        if let Ok(connection) = connections.get_mut(id) {
            connection.set_expires(None);
        }
        Some(id)
    }

    /// Compares the timers of a connection with its deadlines.
    pub(super) fn audit_connection(
        connection: &ConnectionState,
        config: &Config,
    ) -> Result<(), Inconsistency> {
        for kind in Kind::ALL {
            let due = connection.deadline(kind, config).is_some();
            // Every deadline has an armed timer, except a write stall, whose timer is armed
            // only when the socket takes no more bytes.
            let exempt = kind == Kind::WriteStall;
            if due && !connection.is_armed(kind) && !exempt {
                return same("timer", format!("{kind:?} missing"), "armed".into());
            }
        }
        Ok(())
    }

    /// Compares the number of timers with that of those that connections have armed.
    pub(super) fn audit(&self, counted: &Recount) -> Result<(), Inconsistency> {
        same("armed timers", self.armed, counted.armed)?;
        // Some more while a sweep goes through many.
        let most = 2 * counted.armed + 64 + self.timers.len() / 16;
        same("stale timers", self.timers.len() <= most, true)?;
        same("expiries", self.expiries.len(), counted.expiring)
    }

    /// Reads a word of each connection that is due next, so that their cache misses overlap.
    /// Returns the number of connections.
    fn prefetch(
        &self,
        connections: &Table,
        kind: Kind,
        now: Time,
        fetch: impl Fn(ConnectionId) -> u64,
    ) -> usize {
        let ahead = self.timers.ahead(kind, now).take(PREFETCH);
        let mut words = 0;
        let mut count = 0;
        for id in ahead {
            words ^= connections.get(id).map_or(0, ConnectionState::fetch) ^ fetch(id);
            count += 1;
        }
        std::hint::black_box(words);
        count
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::IpKey;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn audit(deadlines: &Deadlines, table: &Table, config: &Config) {
        for (_, connection) in table.iter() {
            Deadlines::audit_connection(connection, config).unwrap();
        }
        deadlines.audit(&Recount::of(table)).unwrap();
    }

    /// Returns a table with connections whose requests are due at these times.
    fn arrived(deadlines: &[u64]) -> (Table, Vec<ConnectionId>) {
        let mut table = Table::default();
        let ip = IpKey::of(IpAddr::from([127, 0, 0, 1]));
        let ids = deadlines.iter().map(|&due| {
            let connection = ConnectionState::new(ip, Time::ZERO, at(due));
            table.insert(connection)
        });
        let ids = ids.collect();
        (table, ids)
    }

    #[test]
    fn what_is_due_comes_in_order_and_once() {
        let config = Config::default();
        let (mut table, ids) = arrived(&[30, 10, 20]);
        let mut deadlines = Deadlines::default();
        for &id in &ids {
            deadlines.arm(&mut table, &config, id, Kind::Handshake);
            deadlines.arm(&mut table, &config, id, Kind::Handshake);
        }
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(
            deadlines.pop(&mut table, &config, at(9), &mut 9, |_| 0),
            None
        );
        let mut due = Vec::new();
        while let Some((kind, id)) = deadlines.pop(&mut table, &config, at(30), &mut 9, |_| 0) {
            assert_eq!(kind, Kind::Handshake);
            due.push(id);
        }
        assert_eq!(due, [ids[1], ids[2], ids[0]]);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_deadline_that_has_moved_is_due_later() {
        let config = Config::default();
        let (mut table, ids) = arrived(&[10]);
        let mut deadlines = Deadlines::default();
        deadlines.arm(&mut table, &config, ids[0], Kind::Handshake);
        table.get_mut(ids[0]).unwrap().deadline = at(50);
        assert_eq!(
            deadlines.pop(&mut table, &config, at(40), &mut 9, |_| 0),
            None
        );
        assert_eq!(deadlines.next(), Some(at(50)));
        audit(&deadlines, &table, &config);
        let due = deadlines.pop(&mut table, &config, at(50), &mut 9, |_| 0);
        assert_eq!(due, Some((Kind::Handshake, ids[0])));
    }

    #[test]
    fn timers_that_are_no_longer_due_take_their_share_of_a_call() {
        let config = Config::default();
        let (mut table, ids) = arrived(&[10; 100]);
        let mut deadlines = Deadlines::default();
        for &id in &ids {
            deadlines.arm(&mut table, &config, id, Kind::Handshake);
        }
        for &id in &ids[..50] {
            table.get_mut(id).unwrap().deadline = at(50);
        }
        for &id in &ids[50..99] {
            deadlines.forget(table.get(id).unwrap());
            table.remove(id);
        }
        for _ in 0..3 {
            let mut share = 30;
            let due = deadlines.pop(&mut table, &config, at(20), &mut share, |_| 0);
            assert_eq!((due, share), (None, 0));
            assert_eq!(deadlines.next(), Some(at(10)), "more is due at once");
        }
        let due = deadlines.pop(&mut table, &config, at(20), &mut 30, |_| 0);
        assert_eq!(due, Some((Kind::Handshake, ids[99])));
        assert_eq!(deadlines.next(), Some(at(50)));
    }

    #[test]
    fn timers_of_connections_that_are_gone_are_swept() {
        let config = Config::default();
        let due: Vec<u64> = (1..=1_000).collect();
        let (mut table, ids) = arrived(&due);
        let mut deadlines = Deadlines::default();
        for &id in &ids {
            deadlines.arm(&mut table, &config, id, Kind::Handshake);
        }
        for &id in &ids {
            deadlines.forget(table.get(id).unwrap());
            table.remove(id);
            deadlines.sweep(&table);
            audit(&deadlines, &table, &config);
        }
        assert!(deadlines.timers.len() <= 64);
    }

    #[test]
    fn a_login_expires_once_at_the_time_that_was_set_last() {
        let (mut table, ids) = arrived(&[10]);
        let mut deadlines = Deadlines::default();
        for expiry in [at(100), at(200)] {
            let connection = table.get_mut(ids[0]).unwrap();
            deadlines.set_expiry(connection, ids[0], Some(expiry));
        }
        assert_eq!(deadlines.next_expiry(), Some(at(200)));
        assert_eq!(deadlines.pop_expired(&mut table, at(199)), None);
        let late = at(200) + Duration::from_secs(1);
        assert_eq!(deadlines.pop_expired(&mut table, late), Some(ids[0]));
        assert_eq!(deadlines.pop_expired(&mut table, late), None);
    }
}

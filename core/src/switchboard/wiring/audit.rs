//! Compares every index with a recount from scratch, at once or in parts.

use std::ops::Bound;

use super::switchboard::Switchboard;
use crate::IpKey;
use crate::switchboard::audit::{Inconsistency, same};
use crate::switchboard::deadlines::Deadlines;
use crate::switchboard::recount::{Held, Recount};
use crate::switchboard::rooms::RoomPlace;

/// An audit in parts; see [`audit_part`](crate::Switchboard::audit_part).
#[derive(Debug, Default)]
pub struct Audit {
    /// Its number; 0 before it has one.
    number: u64,
    stage: Stage,
    counted: Recount,
}

impl Audit {
    /// Begins an audit.
    pub fn new() -> Self {
        Self::default()
    }
}

/// What an audit looks at next.
#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// Connections, from the first one on that is not counted.
    #[default]
    Connections,
    /// Users, from this key on.
    Users(usize),
    /// Rooms.
    Rooms(RoomPlace),
    /// The logs of rooms, from this key on.
    Logs(u32),
    /// Addresses, after this one.
    Addresses(Option<IpKey>),
    /// The numbers of all of them.
    Sums,
}

impl Switchboard {
    /// Recounts every index from scratch and compares. Call it when all actions have been polled.
    /// Costs a pass over all state; [`audit_part`](Self::audit_part) divides it.
    ///
    /// # Errors
    /// The first index that is wrong.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        let mut audit = Audit::new();
        while !self.audit_some(&mut audit, usize::MAX)? {}
        self.rooms.audit_all()?;
        self.users.audit_graces(&self.rooms.graces())?;
        self.held_seats.audit()?;
        self.posts.audit(&self.connections)?;
        self.log.audit_held()
    }

    /// Recounts some of the indices, looking at about `most` connections, users, rooms and messages. Returns
    /// whether it was the last part. Call it when all actions have been polled; between two parts, other calls
    /// are allowed.
    ///
    /// It counts what each connection holds, and follows those that change, so that it compares exact numbers.
    /// This takes memory until the last part or an error, so do not abandon an audit before. If everything is at most about `most`, it does the same as
    /// [`audit`](Self::audit). Otherwise it leaves out what can be compared only at once: the bytes that are
    /// held, the positions of the members of large rooms, and the numbers of grace periods, held seats, posted
    /// bytes, rooms that keep a history and rooms by owner.
    ///
    /// # Errors
    /// The first index that is wrong.
    pub fn audit_part(&mut self, audit: &mut Audit, most: usize) -> Result<bool, Inconsistency> {
        if audit.number == 0 && self.connections.slots() <= most && self.log.is_small(most) {
            return self.audit().map(|()| true);
        }
        if audit.number == 0 {
            audit.number = self.connections.begin_audit();
        }
        let done = match self.catch_up(audit, most) {
            Ok(true) => self.audit_some(audit, most),
            behind => behind,
        };
        if done != Ok(false) {
            self.connections.end_audit(audit.number);
        }
        done
    }

    /// Counts connections again that have changed, at most `most`. Returns whether these were all.
    fn catch_up(&mut self, audit: &mut Audit, most: usize) -> Result<bool, Inconsistency> {
        for _ in 0..most {
            let Some(slot) = self.connections.pop_touched(audit.number) else {
                return Ok(true);
            };
            let counted = audit.counted.counted() as u32;
            if slot < counted {
                self.count(audit, slot)?;
            } else if !matches!(audit.stage, Stage::Connections) {
                for slot in counted..=slot {
                    self.count(audit, slot)?;
                }
            }
        }
        Ok(false)
    }

    /// Compares about `most` entries. Returns whether nothing is left.
    fn audit_some(&self, audit: &mut Audit, most: usize) -> Result<bool, Inconsistency> {
        let counted = &audit.counted;
        audit.stage = match audit.stage {
            Stage::Connections => {
                let (slots, first) = (self.connections.slots(), counted.counted());
                let last = first.saturating_add(most).min(slots);
                for slot in first..last {
                    self.count(audit, slot as u32)?;
                }
                if last < slots {
                    return Ok(false);
                }
                Stage::Users(0)
            }
            Stage::Users(from) => {
                let keys = from..from.saturating_add(most);
                let next = self.users.audit_users(counted, keys)?;
                next.map_or(Stage::Rooms((0, 0)), Stage::Users)
            }
            Stage::Rooms(place) => {
                let seats = |room: &str| self.seats_in(room, None);
                let in_log = |key| self.log.members_in(key);
                let next = self
                    .rooms
                    .audit_rooms(counted, place, most, seats, in_log)?;
                next.map_or(Stage::Logs(0), Stage::Rooms)
            }
            Stage::Logs(key) => {
                let next = self.log.audit_rooms(key, most)?;
                next.map_or(Stage::Addresses(None), Stage::Logs)
            }
            Stage::Addresses(after) => {
                let after = after.map_or(Bound::Unbounded, Bound::Excluded);
                let limits = &self.config.limits;
                let mut addresses = counted.addresses.range((after, Bound::Unbounded));
                let mut last = None;
                for (&ip, &held) in addresses.by_ref().take(most) {
                    self.seats.audit_address(ip, held, limits)?;
                    last = Some(ip);
                }
                match addresses.next() {
                    None => Stage::Sums,
                    Some(_) => Stage::Addresses(last),
                }
            }
            Stage::Sums => {
                self.audit_sums(audit)?;
                return Ok(true);
            }
        };
        Ok(false)
    }

    /// Checks the connection in a slot, and counts what it holds.
    fn count(&self, audit: &mut Audit, slot: u32) -> Result<(), Inconsistency> {
        let found = self.connections.in_slot(slot);
        let rooms = found.map(|(_, found)| found.rooms.len());
        self.log.audit_connection(slot, rooms)?;
        let mut held = Held::default();
        if let Some((id, connection)) = found {
            self.users.audit_connection(id, connection)?;
            self.rooms
                .audit_connection(connection, &self.config.limits)?;
            Deadlines::audit_connection(connection, &self.config)?;
            held = self.users.held(id, connection, &self.connections);
        }
        audit.counted.count(slot, held);
        Ok(())
    }

    /// Compares what has been counted of all connections.
    fn audit_sums(&self, audit: &Audit) -> Result<(), Inconsistency> {
        let (counted, limits) = (&audit.counted, &self.config.limits);
        same("connections", self.connections.len(), counted.connections())?;
        self.seats.audit(counted, limits)?;
        self.users.audit(counted)?;
        self.rooms.audit(counted, limits)?;
        self.partials.audit(counted, limits.unfinished_bytes)?;
        self.deadlines.audit(counted)?;
        self.pings.audit()
    }
}

#[cfg(test)]
mod tests {
    use std::iter::empty;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::switchboard::phase::Phase;
    use crate::{Config, ConnectionId, Event, Identity, Request, Time};

    const NOW: Time = Time::from_millis(1);

    /// Returns a node, and connections in rooms of four, which their URLs name.
    fn node(connections: usize) -> (Switchboard, Vec<ConnectionId>) {
        let mut config = Config::default();
        config.limits.per_ip = connections;
        config.rates.connects = None;
        config.limits.rooms = connections;
        let mut board = Switchboard::new(config, 1, NOW).expect("a valid configuration");
        let ids = (0..connections).map(|number| connect(&mut board, number));
        let ids = ids.collect();
        (board, ids)
    }

    fn connect(board: &mut Switchboard, number: usize) -> ConnectionId {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let room = Some(format!("room-{}", number / 4));
        let request = Request::upgraded("/ws", room, empty::<(&str, &str)>());
        let request = request.expect("a valid request");
        let id = board.connect(NOW, peer).expect("a seat");
        board.upgraded(NOW, id, &request).expect("it is there");
        let user = Identity::User {
            name: format!("user-{number}"),
            expires_in: None,
        };
        let admitted = board.authenticated(NOW, id, Ok(user), None);
        admitted.expect("it is there");
        while board.poll_action().is_some() {}
        id
    }

    fn audit_in_parts(board: &mut Switchboard) -> Result<(), Inconsistency> {
        let mut audit = Audit::new();
        while !board.audit_part(&mut audit, 16)? {}
        Ok(())
    }

    #[test]
    fn an_audit_in_parts_finds_what_an_audit_at_once_finds() {
        type Damage = fn(&mut Switchboard, ConnectionId);
        let damages: [(&str, Damage); 7] = [
            ("open", |board, id| {
                board.connections.get_mut(id).unwrap().phase = Phase::Arrived;
            }),
            ("armed", |board, id| {
                board.connections.get_mut(id).unwrap().armed = 0;
            }),
            ("seat", |board, id| {
                board.connections.get_mut(id).unwrap().ip_seat = false;
            }),
            ("partial", |board, id| {
                board.connections.get_mut(id).unwrap().partial = 9;
            }),
            ("lobby", |board, id| {
                let connection = board.connections.get_mut(id).unwrap();
                connection.rooms[0].lobby = false;
            }),
            ("user", |board, id| {
                let slot = id.slot;
                let user = board.connections.get_mut(id).unwrap().user;
                board.users.remove(user, slot);
            }),
            ("log", |board, id| {
                board.log.leave(id, 0);
            }),
        ];
        for (name, damage) in damages {
            let (mut board, ids) = node(100);
            assert_eq!(audit_in_parts(&mut board), Ok(()));
            damage(&mut board, ids[1]);
            assert!(board.audit().is_err(), "{name} at once");
            assert!(audit_in_parts(&mut board).is_err(), "{name} in parts");
        }
    }

    #[test]
    fn a_part_of_an_audit_looks_at_few_entries_and_follows_connections_that_change() {
        let (mut board, mut ids) = node(1_000);
        let mut audit = Audit::new();
        let mut parts = 0;
        while !board.audit_part(&mut audit, 16).expect("consistent") {
            parts += 1;
            let before = audit.counted.counted();
            assert!(before <= 16 * parts, "{before} in {parts} parts");
            // Some of those that are counted go, others come to their slots and to new ones.
            let at = parts * 7 % ids.len();
            let gone = board.handle(NOW, ids[at], Event::Reset);
            gone.expect("it is there");
            while board.poll_action().is_some() {}
            if parts % 3 > 0 {
                ids[at] = connect(&mut board, 1_000 + parts);
            } else {
                ids.swap_remove(at);
            }
        }
        assert!(parts > 1_000 / 16);
        assert_eq!(audit.counted.connections(), ids.len());
        assert_eq!(board.audit(), Ok(()));
        let mut second = Audit::new();
        assert_eq!(board.audit_part(&mut second, 2_000), Ok(true), "at once");
    }
}

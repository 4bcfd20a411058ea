//! Which members are found too slow, and when they are closed.

use std::collections::BTreeSet;

use super::super::entry::Kind;
use super::super::latest::Latest;
use super::super::limits::Slow;
use super::sending::Sent;
use super::world::World;

impl World {
    /// Returns the blocked members of a room who are over its limit, where the rule is to close them.
    fn too_slow(&self, key: u32) -> BTreeSet<u32> {
        let room = &self.log.rooms[key];
        let members = room.members.iter().enumerate();
        let slow = members.filter(|&(index, member)| {
            room.rule.slow != Slow::CatchUp
                && self.blocked.contains(&member.slot)
                && room.is_beyond(room.index_of(index as u32))
        });
        slow.map(|(_, member)| member.slot).collect()
    }

    /// Returns the members of a room who were found too slow before.
    pub(super) fn found_slow(&self, key: u32) -> BTreeSet<u32> {
        let is_found = |&slot: &u32| {
            let connection = &self.log.connections[slot as usize];
            let at = connection.membership(key).expect("it is in");
            let lag = self.log.lags.get(connection.rooms[at].lag);
            lag.is_some_and(|lag| self.log.groups[lag.group].over)
        };
        self.members_of(key).into_iter().filter(is_found).collect()
    }

    /// Returns the members whom a message that was just published finds too slow.
    pub(super) fn finds_slow(&mut self, sent: &Sent) -> BTreeSet<u32> {
        let (_, rule) = self.rooms[&sent.key];
        let finds = match (rule.latest, sent.kind) {
            (_, Kind::Presence | Kind::Volatile) => false,
            (latest, kind) => latest.is_none() || Latest::counts(kind),
        };
        if !finds || !sent.appended {
            return BTreeSet::new();
        }
        let mut slow = self.too_slow(sent.key);
        slow.retain(|slot| !sent.found.contains(slot));
        self.due_to_close.extend(&slow);
        slow
    }

    /// Closes those who are over a limit, all or only some; returns their slots.
    pub(super) fn close_condemned(&mut self) -> Vec<u32> {
        self.note_slow();
        let most = if self.patient {
            usize::from(self.rng.u8(..16) == 0)
        } else {
            usize::MAX
        };
        self.close_some(most)
    }

    pub(super) fn close_some(&mut self, most: usize) -> Vec<u32> {
        let mut closed = Vec::new();
        while closed.len() < most
            && let Some(id) = self.log.next_condemned()
        {
            let blocked = self.blocked.contains(&id.slot);
            assert!(blocked || self.patient, "who reads is not closed");
            assert!(self.slow.contains(&id.slot), "who keeps up is not closed");
            self.events.closed += 1;
            self.events.late += usize::from(!blocked);
            self.drop_connection(id);
            closed.push(id.slot);
        }
        if closed.len() < most {
            assert!(!self.log.has_condemned());
            assert!(self.due_to_close.is_empty(), "who was said to be closed is");
        }
        closed
    }

    /// Notes who is over a limit now.
    fn note_slow(&mut self) {
        for key in self.rooms.keys().copied().collect::<Vec<_>>() {
            let slow = self.too_slow(key);
            self.slow.extend(slow);
        }
        let own = self.blocked.iter().copied();
        let own = own.filter(|&slot| self.log.is_over_own(slot));
        self.slow.extend(own.collect::<Vec<_>>());
    }
}

//! Random operations: messages are sent.

use std::collections::{BTreeMap, BTreeSet};

use super::super::class::Class;
use super::super::entry::Kind;
use super::super::entry::Published;
use super::super::history::Origin;
use super::super::limits::Slow;
use super::super::own::NotQueued;
use super::super::recovery::Resent;
use super::frames::{frame, pong};
use super::world::{World, identity};

impl World {
    pub(super) fn publish(&mut self) {
        let key = self.any_room();
        let (name, _) = self.rooms[&key];
        let members = self.members_of(key);
        let sender = (self.rng.bool() && !members.is_empty())
            .then(|| members[self.rng.usize(..members.len())]);
        let in_flight = self.in_flight(key);
        let kind = match self.rng.u8(..16) {
            0 => Kind::Raw,
            // For all but what it tells, it is the same.
            1 if self.keyed.contains_key(&key) => Kind::Raw,
            1 => Kind::Spent,
            2 | 3 => Kind::Presence,
            4 | 5 => Kind::Volatile,
            _ => Kind::Numbered,
        };
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let (excluded, origin) = self.exclude(sender, &members, time);
        let message = frame(time, Some(name), false, bytes);
        let sent = Sent::new(
            (key, kind),
            (time, self.log.next_seq(key)),
            (excluded, (message.len(), message.footprint())),
        );
        let mut sent = self.expect(sent, &members);
        if kind == Kind::Volatile && self.log.is_full(key, kind) {
            sent.due.clear();
            sent.appended = false;
        }
        let lags = self.lags(&sent);
        let published = self
            .log
            .publish(key, message, kind, &sent.excluded, origin.clone());
        let Ok(receipt) = published else {
            assert!(kind != Kind::Volatile, "what is volatile is not refused");
            self.events.busy += 1;
            assert_eq!(
                self.log.next_seq(key),
                sent.seq,
                "a refusal spends no number"
            );
            return;
        };
        self.fill(&mut sent, &lags);
        self.note_unkept(&sent, &in_flight);
        let closed = self.published(&sent, &members, &receipt, origin);
        if let Some(sender) = sender
            && self.rng.bool()
            && !closed.contains(&sender)
        {
            self.send_to(sender);
        }
        self.resend(key, time, sent.seq, kind);
    }

    /// Chooses who does not get a message: its sender, some connections, and some users.
    pub(super) fn exclude(
        &mut self,
        sender: Option<u32>,
        members: &[u32],
        request: u64,
    ) -> (Vec<u32>, Origin) {
        let mut excluded: Vec<u32> = sender.into_iter().collect();
        if self.rng.u8(..6) == 0 {
            excluded.extend((0..12).filter(|_| self.rng.u8(..4) == 0));
        }
        let mut not_for = None;
        if self.rng.u8(..8) == 0 {
            let user = 100 + self.rng.u64(..3);
            let theirs = members.iter().filter(|&&slot| identity(slot).user == user);
            excluded.extend(theirs);
            not_for = Some(Box::new([user].into_iter().collect()));
        }
        let session = sender.map_or(0, |slot| identity(slot).session);
        let origin = Origin {
            session,
            request,
            not_for,
        };
        (excluded, origin)
    }

    /// Finds out who is due a message, before it is published.
    pub(super) fn expect(&mut self, mut sent: Sent, members: &[u32]) -> Sent {
        let (name, _) = self.rooms[&sent.key];
        sent.found = self.found_slow(sent.key);
        let volatile = sent.kind == Kind::Volatile;
        let room = &self.log.rooms[sent.key];
        let mut at_end = Vec::new();
        for (index, member) in room.members.iter().enumerate() {
            if member.cursor >= room.end() && !room.is_newcomer(index as u32) {
                at_end.push(member.slot);
            }
        }
        for &slot in members {
            let upto = self.excluded.get(&(sent.key, slot)).copied();
            if sent.excluded.contains(&slot) {
                continue;
            }
            let waits = self.client(slot).waiting(name) > 0;
            let free = at_end.contains(&slot);
            if !self.lossy.contains_key(name) {
                assert!(
                    !(free && waits),
                    "something waits, and it stands at the end"
                );
                // What is not for it may still be ahead.
                let recovers = self.log.recovery(slot, sent.key).is_some();
                let passes = recovers
                    || self.keyed.contains_key(&sent.key)
                    || upto.is_some_and(|at| !self.client(slot).has_had(name, at));
                assert!(
                    free || waits || passes || self.client(slot).has_begun(),
                    "nothing waits, but it does not stand at the end"
                );
            }
            if !volatile || free {
                sent.due.push(slot);
            }
        }
        let numbered = sent.kind.is_numbered().then_some(sent.seq);
        let enters = numbered.is_some() || !members.is_empty();
        sent.appended = enters && !(volatile && at_end.is_empty());
        sent
    }

    /// Returns the lag of each member of a room whose members lose the newest messages, unless it is
    /// full.
    fn lags(&self, sent: &Sent) -> BTreeMap<u32, (u64, u64)> {
        let room = &self.log.rooms[sent.key];
        if room.rule.slow != Slow::DropNewest || sent.kind == Kind::Volatile {
            return BTreeMap::new();
        }
        let members = room.members.iter().enumerate();
        members
            .filter(|&(_, member)| room.stop_of(member).is_none())
            .map(|(index, member)| (member.slot, room.lag(room.index_of(index as u32))))
            .collect()
    }

    /// A message is not for those who are full.
    fn fill(&mut self, sent: &mut Sent, lags: &BTreeMap<u32, (u64, u64)>) {
        let (_, rule) = self.rooms[&sent.key];
        if rule.lag.slow != Slow::DropNewest || sent.kind == Kind::Volatile {
            return;
        }
        for slot in self.members_of(sent.key) {
            let lag = lags.get(&slot);
            let over = lag.is_some_and(|&(messages, bytes)| {
                bytes > 0
                    && (messages >= rule.lag.messages
                        || bytes + sent.sizes.0 as u64 > rule.lag.bytes)
            });
            let full = self.is_full(sent.key, slot);
            assert_eq!(full, lag.is_none() || over, "who is full");
            let before = self.full.contains_key(&(sent.key, slot));
            assert_eq!(before, lag.is_none(), "who was full");
            if full && !before {
                self.events.filled += 1;
                self.full.insert((sent.key, slot), sent.time);
            }
            if full && sent.kind == Kind::Presence && sent.due.contains(&slot) {
                self.unseen.insert((sent.key, slot), sent.time);
            }
        }
        let full = &self.full;
        sent.due
            .retain(|&slot| !full.contains_key(&(sent.key, slot)));
    }

    /// Notes a message that was published; returns the slots of those who are closed by it.
    pub(super) fn published(
        &mut self,
        sent: &Sent,
        members: &[u32],
        receipt: &Published,
        origin: Origin,
    ) -> Vec<u32> {
        let Sent {
            key, time, kind, ..
        } = *sent;
        let (name, rule) = self.rooms[&key];
        let numbered = kind.is_numbered().then_some(sent.seq);
        assert_eq!(
            self.log.next_seq(key),
            sent.seq + u64::from(numbered.is_some())
        );
        if sent.appended && kind == Kind::Volatile {
            let position = self.log.rooms[key].end() - 1;
            self.volatile.insert((key, position), time);
        } else if sent.appended
            && let Some(published) = self.published.get_mut(&key)
        {
            published.add(numbered, time, sent.sizes, self.now, origin);
        }
        if kind == Kind::Presence {
            self.presences.insert(time);
        }
        for &slot in &sent.due {
            self.client(slot).owes(time, Some(name), numbered);
        }
        self.events.missed += receipt.dropped;
        self.told += receipt.dropped_oldest;
        assert!(rule.lag.slow != Slow::Disconnect || receipt.dropped_oldest == 0);
        self.events.losses += receipt.dropped_oldest;
        let slow = self.finds_slow(sent);
        let closed = self.close_condemned();
        let mut expected = (0, 0, 0, 0);
        for slot in members {
            let count = if sent.excluded.contains(slot) {
                self.excluded.insert((key, *slot), time);
                &mut expected.0
            } else if slow.contains(slot) {
                &mut expected.1
            } else if sent.due.contains(slot) {
                &mut expected.2
            } else {
                &mut expected.3
            };
            *count += 1;
        }
        let Published {
            excluded,
            closed: over,
            accepted,
            dropped,
            ..
        } = *receipt;
        assert_eq!((excluded, over, accepted, dropped), expected, "receipt");
        closed
    }

    /// Asks about the message that was just published, and about one that was not.
    pub(super) fn resend(&mut self, key: u32, request: u64, seq: u64, kind: Kind) {
        if kind == Kind::Numbered && self.published.contains_key(&key) {
            let (first, _) = self.range(key);
            let found = self.log.find_request(key, request, seq - 1);
            let kept = first <= seq;
            assert_eq!(found == Resent::Duplicate(seq), kept, "H6");
            assert_eq!(found == Resent::Unrecoverable, !kept, "H6");
            assert_eq!(self.log.find_request(key, u64::MAX, seq), Resent::New, "H6");
        }
    }

    pub(super) fn send(&mut self) {
        if let Some(id) = self.any_client() {
            self.send_to(id.slot);
        }
    }

    pub(super) fn send_to(&mut self, slot: u32) {
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let message = frame(time, None, false, bytes);
        let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
        let id = *id;
        match self.log.push_own(id, message) {
            Ok(()) => self.client(slot).owes(time, None, None),
            Err(NotQueued::Full) => {
                self.events.closed += 1;
                self.drop_connection(id);
            }
            Err(NotQueued::Gone) => panic!("it is there"),
        }
    }

    pub(super) fn urgent(&mut self) {
        if let Some(id) = self.any_client() {
            let time = self.tick();
            let message = frame(time, None, true, 10);
            self.log.push_urgent(id, message, Class::CONTROL);
            self.client(id.slot).owes_urgent(time);
        }
    }

    /// Sends one message to several connections.
    pub(super) fn send_shared(&mut self) {
        let ids: Vec<_> = (0..self.clients.len())
            .filter_map(|_| self.any_client())
            .collect();
        let mut ids: Vec<_> = ids.into_iter().filter(|_| self.rng.bool()).collect();
        ids.sort_unstable_by_key(|id| id.slot);
        ids.dedup();
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let message = frame(time, None, false, bytes);
        let before = self.log.held();
        let full = self.log.push_shared(ids.clone(), &message);
        let held = if full.len() == ids.len() {
            0
        } else {
            message.footprint()
        };
        assert_eq!(self.log.held(), before + held, "it is held once");
        for id in ids {
            if full.contains(&id) {
                self.events.closed += 1;
                self.drop_connection(id);
            } else {
                self.client(id.slot).owes(time, None, None);
            }
        }
    }

    pub(super) fn pong(&mut self) {
        if let Some(id) = self.any_client() {
            for _ in 0..self.rng.usize(1..5) {
                let time = self.tick();
                self.log.push_pong(id, pong(time));
                self.client(id.slot).owes_pong(time);
            }
        }
    }
}

/// A message to a room, and who is due it.
pub(super) struct Sent {
    pub(super) key: u32,
    pub(super) time: u64,
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) excluded: Vec<u32>,
    /// Bytes as limits count them, and of memory.
    sizes: (usize, usize),
    pub(super) due: Vec<u32>,
    /// Whether it enters the log.
    pub(super) appended: bool,
    /// Who was found too slow before.
    pub(super) found: BTreeSet<u32>,
}

impl Sent {
    pub(super) fn new(
        (key, kind): (u32, Kind),
        (time, seq): (u64, u64),
        (excluded, sizes): (Vec<u32>, (usize, usize)),
    ) -> Self {
        Self {
            key,
            time,
            kind,
            seq,
            excluded,
            sizes,
            due: Vec::new(),
            appended: false,
            found: BTreeSet::new(),
        }
    }
}

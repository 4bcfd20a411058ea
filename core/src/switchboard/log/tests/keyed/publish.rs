//! Publishing by key, beside the model.

use std::collections::BTreeSet;

use super::super::super::entry::{Entry, Kind};
use super::super::super::latest::NotKept;
use super::super::super::recovery::Resent;
use super::super::frames::frame;
use super::super::sending::Sent;
use super::super::world::World;
use super::Latest;

impl World {
    pub(in super::super) fn publish_key(&mut self) {
        let keys: Vec<u32> = self.keyed.keys().copied().collect();
        if keys.is_empty() {
            return;
        }
        let key = keys[self.rng.usize(..keys.len())];
        let name = ["a", "b", "c", "d", "e", "f", "g", "h"][self.rng.usize(..8)];
        let kind = match self.rng.u8(..4) {
            0 => Kind::Removal,
            _ => Kind::Value,
        };
        let (room, rule) = self.rooms[&key];
        let members = self.members_of(key);
        let sender = (self.rng.bool() && !members.is_empty())
            .then(|| members[self.rng.usize(..members.len())]);
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let (excluded, origin) = self.exclude(sender, &members, time);
        let message = frame(time, Some(room), false, bytes);
        let footprint = message.footprint();
        let sent = Sent::new(
            (key, kind),
            (time, self.log.next_seq(key)),
            (excluded, (message.len(), message.footprint())),
        );
        let sent = self.expect(sent, &members);
        let in_flight = self.in_flight(key);
        let published =
            self.log
                .publish_key(key, name, message, kind, (&sent.excluded, origin.clone()));
        let keep = rule.latest.expect("it keeps the latest");
        let keyed = &self.keyed[&key];
        let known = keyed.latest.get(name).is_some_and(|it| !it.removal);
        let refused = kind == Kind::Value && !known && keyed.values() >= keep.keys;
        let receipt = match published {
            Ok(receipt) => receipt,
            Err(error) => {
                match error {
                    NotKept::TooManyKeys(_) => assert!(refused, "there are too many keys"),
                    NotKept::Busy => assert_eq!(kind, Kind::Removal, "values are never refused"),
                    NotKept::TooManyBytes(most) => {
                        assert_eq!(kind, Kind::Value);
                        assert!(self.log.latest.1 + footprint > most / 2);
                    }
                }
                assert_eq!(self.log.next_seq(key), sent.seq);
                self.events.refused += 1;
                return;
            }
        };
        assert!(!refused, "so many keys may not have a value");
        let keyed = self.keyed.get_mut(&key).expect("it is there");
        let latest = Latest {
            seq: sent.seq,
            time,
            removal: kind == Kind::Removal,
            origin: origin.clone(),
        };
        if let Some(old) = keyed.latest.insert(name.to_owned(), latest) {
            keyed.overwritten = keyed.overwritten.max(old.seq);
            keyed.saved.push((old.seq, old.time));
            // It is not saved for those who have not come so far as when they joined.
            for &slot in &members {
                let flies = in_flight.contains(&(slot, old.time));
                let due = self.client(slot).supersede_recovered(room, old.time, flies);
                self.events.overwritten += usize::from(due);
            }
        }
        self.drop_overwritten(key, &in_flight);
        self.lossy.keep(time);
        let closed = self.published(&sent, &members, &receipt, origin);
        if let Some(sender) = sender
            && self.rng.bool()
            && !closed.contains(&sender)
        {
            self.send_to(sender);
        }
        self.resend_key(key, &sent);
    }

    /// What was overwritten and is not saved is not due to anybody.
    fn drop_overwritten(&mut self, key: u32, in_flight: &[(u32, u64)]) {
        let (room, _) = self.rooms[&key];
        let entries = self.log.rooms[key].ring.iter();
        let alive = entries
            .filter(|entry| !entry.is_dead())
            .filter_map(Entry::seq);
        let alive: BTreeSet<u64> = alive.collect();
        let keyed = self.keyed.get_mut(&key).expect("it is there");
        let (saved, gone) = std::mem::take(&mut keyed.saved)
            .into_iter()
            .partition(|(seq, _)| alive.contains(seq));
        keyed.saved = saved;
        for (_, time) in gone {
            for slot in self.members_of(key) {
                let due =
                    self.client(slot)
                        .supersede(room, time, in_flight.contains(&(slot, time)));
                self.events.overwritten += usize::from(due);
            }
        }
        self.events.saved += self.keyed[&key].saved.len();
    }

    /// Notes that a message without a key was published.
    pub(in super::super) fn note_unkept(&mut self, sent: &Sent, in_flight: &[(u32, u64)]) {
        let (room, _) = self.rooms[&sent.key];
        let Some(keyed) = self.keyed.get_mut(&sent.key) else {
            return;
        };
        match sent.kind {
            Kind::Numbered => keyed.unkept = sent.seq,
            Kind::Presence if sent.appended => {
                let Some(before) = keyed.presence.replace(sent.time) else {
                    return;
                };
                for slot in self.members_of(sent.key) {
                    let flies = in_flight.contains(&(slot, before));
                    if self.client(slot).supersede(room, before, flies) {
                        self.unseen.insert((sent.key, slot), before);
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns the slots, with the times of what writers have taken of a room and not reported.
    pub(in super::super) fn in_flight(&self, key: u32) -> Vec<(u32, u64)> {
        let (name, _) = self.rooms[&key];
        let mut in_flight = Vec::new();
        for turn in &self.turns {
            for at in 0..turn.len() {
                let (id, bytes) = turn.job(at).expect("it is there");
                if let Some((found, client)) = &self.clients[id.slot as usize]
                    && *found == id
                {
                    let times = client.times_in(bytes, name);
                    in_flight.extend(times.into_iter().map(|time| (id.slot, time)));
                }
            }
        }
        in_flight
    }

    /// Asks about the value that was just published, and about one that was not.
    fn resend_key(&mut self, key: u32, sent: &Sent) {
        let (first, seq) = self.log.range(key);
        let (_, rule) = self.rooms[&key];
        let keyed = self.keyed.get_mut(&key).expect("it is there");
        keyed.check_first(first, rule.latest.expect("it keeps the latest").keys);
        let overwritten = keyed.overwritten;
        if first <= sent.seq {
            let found = self.log.find_request(key, sent.time, sent.seq - 1);
            assert_eq!(found, Resent::Duplicate(sent.seq), "H6");
            let found = self.log.find_request(key, u64::MAX, first - 1);
            let expected = if (first..=seq).contains(&overwritten) {
                Resent::Unrecoverable
            } else {
                Resent::New
            };
            assert_eq!(found, expected, "H6");
        }
    }
}

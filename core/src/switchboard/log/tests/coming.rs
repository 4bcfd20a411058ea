//! Random operations: connections and rooms come and go.

use super::super::class::Class;
use super::super::recovery::StartAt;
use super::frames::frame;
use super::model::{Client, Recovers};
use super::world::{Names, World, identity};
use crate::wire::frame::Window;
use crate::{ConnectionId, Time};

impl World {
    pub(super) fn open(&mut self) {
        let slot = self.rng.usize(..self.clients.len());
        if self.clients[slot].is_none() {
            self.generation += 1;
            let id = ConnectionId {
                slot: slot as u32,
                generation: self.generation,
            };
            self.log.open(id);
            let bits = [None, Some(8), Some(15)][self.rng.usize(..3)];
            if bits.is_some() {
                self.log.set_window(id, Window::of_bits(bits));
            }
            let mut client = Client::default();
            client.bits = bits;
            self.clients[slot] = Some((id, client));
        }
    }

    pub(super) fn drop_connection(&mut self, id: ConnectionId) {
        let keys: Vec<u32> = self.rooms.keys().copied().collect();
        for key in keys {
            self.leave_room(id, key);
        }
        self.log.drop_connection(id);
        let (_, client) = self.clients[id.slot as usize].take().expect("it is there");
        self.ending.remove(&id.slot);
        self.blocked.remove(&id.slot);
        self.slow.remove(&id.slot);
        self.due_to_close.remove(&id.slot);
        self.found += client.lost.len();
        self.events.own += client.acks;
        self.events.halves += client.halves;
        self.events.recovered += client.recovered;
        self.events.marks += client.marks;
        self.events.pongs += client.pongs_got;
    }

    pub(super) fn join(&mut self) {
        let (key, Some(id)) = (self.any_room(), self.any_client()) else {
            return;
        };
        if self.members.contains_key(&(key, id.slot)) {
            return;
        }
        let identity = identity(id.slot);
        let (name, _) = self.rooms[&key];
        let told = self.tick();
        self.members.insert((key, id.slot), told);
        self.full.remove(&(key, id.slot));
        self.unseen.remove(&(key, id.slot));
        if !self.published.contains_key(&key) && !self.keyed.contains_key(&key) {
            self.log.join(id, key, StartAt::End, identity);
            return;
        }
        let (first, seq) = self.range(key);
        let from = match self.rng.u8(..5) {
            0 => StartAt::End,
            1 if self.rng.bool() => StartAt::Present(0),
            1 => StartAt::Present((seq + 2).saturating_sub(self.rng.u64(..12))),
            2 => StartAt::Last(self.rng.usize(..6)),
            _ => StartAt::After((seq + 2).saturating_sub(self.rng.u64(..12))),
        };
        let after = match from {
            StartAt::End => None,
            StartAt::Present(number) => Some(first.max(number) - 1),
            StartAt::Last(most) => Some((first - 1).max(seq.saturating_sub(most as u64))),
            StartAt::After(after) => (first <= after + 1 && after <= seq).then_some(after),
        };
        let waiting = match self.keyed.get(&key) {
            _ if from == StartAt::End => None,
            None => after.map(|after| self.published[&key].after(after, identity)),
            Some(keyed) => {
                let recovers = after.filter(|_| matches!(from, StartAt::After(_)));
                let mut after = keyed.after(recovers, identity);
                if let StartAt::Present(number) = from {
                    after.retain(|&(seq, _)| seq >= number);
                }
                Some(after)
            }
        };
        let joined = self.log.join(id, key, from, identity);
        assert_eq!((joined.first, joined.seq), (first, seq), "H1");
        if self.is_full(key, id.slot) {
            self.full.insert((key, id.slot), told);
        }
        if let StartAt::After(_) = from {
            assert_eq!(joined.recovered, Some(after.is_some()), "H2");
        }
        // The answer goes out before the messages.
        if self
            .log
            .push_class(id, frame(told, None, false, 20), Class::LAST)
            .is_ok()
        {
            let client = self.client(id.slot);
            client.owes(told, None, None);
            client.recovers(
                name,
                Recovers {
                    told,
                    waiting: waiting.unwrap_or_default(),
                },
            );
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(id) = self.any_client().filter(|_| !self.exact) {
            let mut names = Names(self.rooms.clone());
            self.log.close_flush(id, &mut names);
            self.client(id.slot).flush();
            self.ends(id);
        }
    }

    pub(super) fn discard(&mut self) {
        if let Some(id) = self.any_client().filter(|_| !self.exact) {
            self.log.discard(id);
            self.client(id.slot).discard();
            self.ends(id);
        }
    }

    /// What waits in the rooms of a connection that was flushed is still due.
    pub(super) fn ends(&mut self, id: ConnectionId) {
        self.members.retain(|&(_, slot), _| slot != id.slot);
        self.ending.insert(id.slot);
        let time = self.tick();
        let last = frame(time, None, false, 5);
        self.log
            .push_class(id, last, Class::LAST)
            .expect("it is there");
        self.client(id.slot).owes(time, None, None);
    }

    pub(super) fn expire(&mut self) {
        let now = Time::from_millis(self.now);
        let most = self.rng.usize(1..40);
        for _ in 0..1_000 {
            let mut share = most;
            self.log.expire(now, &mut share);
            while let Some(key) = self.log.next_to_end(now, &mut share) {
                assert!(self.members_of(key).is_empty(), "H7");
                let (_, rule) = self.rooms[&key];
                assert!(rule.history.is_some() || rule.latest.is_some());
                self.remove_room(key);
            }
            self.log.free_removed(&mut share);
            if self.log.next_deadline().is_none_or(|at| at > now) {
                return;
            }
        }
        panic!("H7: it makes no progress");
    }

    pub(super) fn leave(&mut self) {
        let (key, Some(id)) = (self.any_room(), self.any_client()) else {
            return;
        };
        self.leave_room(id, key);
    }

    pub(super) fn leave_room(&mut self, id: ConnectionId, key: u32) {
        let taken = self.taken(id, key);
        let left = self.log.leave(id, key);
        if self.members.remove(&(key, id.slot)).is_none() {
            assert_eq!(left, None);
            return;
        }
        let (name, _) = self.rooms[&key];
        let lossy = self.lossy.contains_key(name);
        let client = self.client(id.slot);
        let (waiting, left) = (client.waiting(name), left.expect("it was in") as usize);
        let left = left + taken;
        client.leaves(name);
        assert!(waiting >= left, "more waits than was sent");
        if lossy {
            self.found += waiting - left;
        } else {
            assert_eq!(waiting, left, "what is dropped is told");
        }
    }

    /// Returns the number of messages that a writer has taken for a member and that are due to it.
    fn taken(&mut self, id: ConnectionId, key: u32) -> usize {
        let taken = self.log.taken(id, key);
        if taken == 0 || !self.keyed.contains_key(&key) {
            return taken;
        }
        let (name, _) = self.rooms[&key];
        let in_flight = self.in_flight(key).into_iter();
        let client = self.client(id.slot);
        let due = in_flight.filter(|&(slot, time)| slot == id.slot && client.is_due(name, time));
        due.count()
    }

    pub(super) fn replace_room(&mut self) {
        let key = self.any_room();
        for slot in self.members_of(key) {
            let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
            self.leave_room(*id, key);
        }
        self.remove_room(key);
    }

    fn remove_room(&mut self, key: u32) {
        self.log.remove_room(key);
        self.rooms.remove(&key);
        self.published.remove(&key);
        self.keyed.remove(&key);
        self.volatile.retain(|&(of, _), _| of != key);
        self.create_room();
    }
}

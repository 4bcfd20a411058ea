//! Random operations: writers take turns, and sockets take bytes or not.

use super::super::turn::Turn;
use super::world::{Events, Names, World};

impl World {
    pub(super) fn take(&mut self) {
        if self.turns.len() < 3 {
            let mut turn = Turn::default();
            let most = self.rng.usize(1..if self.quiet { 4 } else { 9 });
            self.log
                .take(&mut turn, most, &mut Names(self.rooms.clone()));
            assert!(turn.len() <= most);
            for at in 0..turn.len() {
                let (_, bytes) = turn.job(at).expect("it is there");
                assert!(!bytes.is_empty(), "a job without bytes");
            }
            self.turns.push(turn);
        }
    }

    pub(super) fn report(&mut self) {
        if self.turns.is_empty() {
            return;
        }
        let at = self.rng.usize(..self.turns.len());
        let mut turn = self.turns.swap_remove(at);
        for at in 0..turn.len() {
            let bytes = turn.job(at).expect("it is there").1.len();
            if self.rng.u8(..80) == 0 {
                turn.failed(at);
                continue;
            }
            let written = match self.rng.u8(..10) {
                0 => 0,
                1..3 => self.rng.usize(..bytes),
                _ => bytes,
            };
            turn.wrote(at, written);
            self.write(&turn, at, written);
        }
        let outcomes = self.log.report(&mut turn).iter();
        let missed: u32 = outcomes.clone().map(|it| it.missed).sum();
        let failed: Vec<_> = outcomes.filter(|it| it.failed).map(|it| it.id).collect();
        self.pass_volatile(missed as usize);
        self.note_late_drops();
        for id in failed {
            self.drop_connection(id);
        }
    }

    /// Volatile messages were dropped as sockets took no more bytes.
    fn pass_volatile(&mut self, count: usize) {
        let missed = std::mem::take(&mut self.log.missed);
        assert_eq!(missed.len(), count, "it is counted");
        for (slot, key, position) in missed {
            let (name, _) = self.rooms[&key];
            let time = self.volatile[&(key, position)];
            let due = self.client(slot).supersede(name, time, false);
            assert!(due, "{time} was dropped and not due");
            self.events.passed += 1;
        }
    }

    pub(super) fn write(&mut self, turn: &Turn, at: usize, written: usize) {
        let (id, bytes) = turn.job(at).expect("it is there");
        let slot = id.slot as usize;
        let lossy = &self.lossy;
        if let Some((found, client)) = &mut self.clients[slot]
            && *found == id
        {
            client.receive(&bytes[..written], bytes, lossy);
            self.events.cut += usize::from(client.has_begun());
            if written < bytes.len() {
                self.blocked.insert(id.slot);
            }
        }
    }

    pub(super) fn writable(&mut self) {
        let blocked: Vec<u32> = self.blocked.iter().copied().collect();
        if !blocked.is_empty() {
            let slot = blocked[self.rng.usize(..blocked.len())];
            self.unblock(slot);
        }
    }

    pub(super) fn unblock(&mut self, slot: u32) {
        self.blocked.remove(&slot);
        let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
        self.log.writable(*id);
    }

    /// Closes connections until no more is held than may be.
    pub(super) fn keep_bound(&mut self) {
        while let Some(id) = self.log.next_over_bound() {
            assert!(self.log.is_over_bound());
            assert!(self.blocked.contains(&id.slot), "who reads is not closed");
            self.events.over_bound += 1;
            self.drop_connection(id);
        }
        if self.log.is_over_bound() && self.log.may_keep_bound() {
            for &slot in &self.blocked {
                let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
                let own = self.log.own_bytes(*id);
                assert!(own == 0 || self.log.is_writing(*id), "it holds back memory");
            }
        }
    }

    /// Notes who missed a change of presence.
    pub(super) fn note_uninformed(&mut self) {
        while let Some((key, id)) = self.log.next_uninformed() {
            assert!(self.members.contains_key(&(key, id.slot)));
            self.events.uninformed += 1;
            self.named.insert((key, id.slot), self.time);
        }
    }

    /// Whoever missed a change of presence in a room in which it still is has been named.
    fn check_uninformed(&self) {
        for (at, &time) in &self.unseen {
            let named = self.named.get(at).is_some_and(|&named| named >= time);
            assert!(
                named || !self.members.contains_key(at),
                "{at:?} is not told who is present"
            );
        }
        for (&(key, slot), &since) in &self.members {
            let (name, _) = self.rooms[&key];
            let (_, client) = self.clients[slot as usize].as_ref().expect("it is there");
            for &(room, time) in &client.lost {
                let presence = room == name && time > since && self.presences.contains(&time);
                let named = self.named.get(&(key, slot)).copied();
                assert!(
                    !presence || named.is_some_and(|at| at >= time),
                    "{slot} is not told who is present"
                );
            }
        }
    }

    /// Notes what was dropped by a report.
    fn note_late_drops(&mut self) {
        let dropped = self.log.take_late_drops();
        self.told += dropped;
        self.events.losses += dropped;
    }

    /// Lets everybody read to the end.
    pub(super) fn finish(mut self) -> Events {
        self.close_some(usize::MAX);
        let mut rounds = 0;
        loop {
            while let Some(mut turn) = self.turns.pop() {
                for at in 0..turn.len() {
                    let bytes = turn.job(at).expect("it is there").1.len();
                    turn.wrote(at, bytes);
                    self.write(&turn, at, bytes);
                }
                self.log.report(&mut turn);
                self.note_late_drops();
            }
            for slot in std::mem::take(&mut self.blocked) {
                self.unblock(slot);
            }
            self.note_uninformed();
            self.log.check(&self.turns);
            if !self.log.wants_write() {
                break;
            }
            rounds += 1;
            assert!(rounds < 1_000, "L8: it spins");
            let mut turn = Turn::default();
            self.log.take(&mut turn, 32, &mut Names(self.rooms.clone()));
            self.turns.push(turn);
        }
        self.check_uninformed();
        for key in self.rooms.keys().copied().collect::<Vec<_>>() {
            for slot in self.members_of(key) {
                let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
                assert_eq!(self.log.leave(*id, key), Some(0), "L3: something waits");
            }
            self.log.remove_room(key);
        }
        self.log.free_removed(&mut usize::MAX.clone());
        assert_eq!(self.log.recoveries.len(), 0, "H2: recoveries are over");
        assert_eq!(self.log.kept(), (0, 0), "H7");
        assert_eq!(self.log.held(), 0, "L3: something is held");
        for (_, mut client) in self.clients.into_iter().flatten() {
            client.finish(&self.lossy);
            self.found += client.lost.len();
            self.events.own += client.acks;
            self.events.recovered += client.recovered;
            self.events.marks += client.marks;
            self.events.pongs += client.pongs_got;
        }
        assert!(self.told >= self.found, "L7: losses are told");
        if self.exact {
            assert_eq!(self.told, self.found, "L7: losses are told exactly");
        }
        self.events
    }
}

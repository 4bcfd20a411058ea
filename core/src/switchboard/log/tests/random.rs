//! Random operations, in any order.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Log;
use super::super::entry::Kind;
use super::super::history::Origin;
use super::super::limits::Keep;
use super::super::limits::{Limits, Rule, Slow};
use super::super::own::NotQueued;
use super::super::recovery::{From, Identity, Markers, Resent};
use super::super::turn::Turn;
use super::model::{Client, Lossy, Recovers, frame, mark};
use super::rooms::Published;
use crate::switchboard::queue::Class;
use crate::{ConnectionId, Frame, Time};

const LIMITS: Limits = Limits {
    own_bytes: 400_000,
    own_messages: 60,
    held: usize::MAX,
    history_bytes: usize::MAX,
    dormant_rooms: 10,
};

/// Tells clients about numbers, with the names by which the model knows rooms.
struct Names(BTreeMap<u32, (u32, Rule)>);

impl Markers for Names {
    fn skip(&mut self, room: u32, from: u64, to: u64) -> Option<Frame> {
        Some(mark(self.0[&room].0, false, from, to))
    }

    fn gap(&mut self, room: u32, from: u64, to: u64) -> Option<Frame> {
        Some(mark(self.0[&room].0, true, from, to))
    }
}

struct World {
    rng: fastrand::Rng,
    log: Log,
    /// By slot.
    clients: Vec<Option<(ConnectionId, Client)>>,
    generation: u32,
    /// Rooms by key: the name that the model knows them by, and the rule.
    rooms: BTreeMap<u32, (u32, Rule)>,
    names: u32,
    members: BTreeSet<(u32, u32)>,
    /// What was published to each room that has a history.
    published: BTreeMap<u32, Published>,
    /// Connections that are ending.
    ending: BTreeSet<u32>,
    now: u64,
    blocked: BTreeSet<u32>,
    /// Names of rooms whose members may lose messages.
    lossy: Lossy,
    /// Losses: as receipts say, and as clients found.
    told: usize,
    /// Whether no room has a history, as to a member that recovers, what was not for it counts as
    /// lost; and no connection ends slowly, as what it lost unnoticed is not known then.
    exact: bool,
    found: usize,
    turns: Vec<Turn>,
    time: u64,
    largest: usize,
    events: Events,
}

/// What has happened, so that a test that proves nothing is noticed.
#[derive(Debug, Default)]
struct Events {
    losses: usize,
    closed: usize,
    own: usize,
    busy: usize,
    cut: usize,
    recovered: usize,
    marks: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let clients = rng.usize(2..12);
        let mut world = Self {
            log: Log::new(LIMITS),
            clients: (0..clients).map(|_| None).collect(),
            generation: 0,
            rooms: BTreeMap::new(),
            names: 0,
            members: BTreeSet::new(),
            published: BTreeMap::new(),
            ending: BTreeSet::new(),
            now: 0,
            blocked: BTreeSet::new(),
            lossy: Lossy::new(),
            told: 0,
            exact: rng.bool(),
            found: 0,
            turns: Vec::new(),
            time: 0,
            largest: if rng.u8(..4) == 0 { 20_000 } else { 200 },
            events: Events::default(),
            rng,
        };
        for _ in 0..world.rng.usize(1..5) {
            world.create_room();
        }
        world
    }

    fn create_room(&mut self) {
        let keeps = !self.exact && self.rng.u8(..3) > 0;
        let slow = [Slow::Disconnect, Slow::DropOldest, Slow::CatchUp]
            [self.rng.usize(..2 + usize::from(keeps))];
        let history = keeps.then(|| Keep {
            messages: self.rng.usize(1..50),
            bytes: self.rng.usize(2_000..60_000),
            age: std::time::Duration::from_millis(self.rng.u64(20..400)),
            linger: std::time::Duration::from_millis(400),
        });
        let rule = Rule {
            slow,
            messages: self.rng.u64(3..40),
            bytes: self.rng.u64(21_000..60_000),
            history,
        };
        let key = self.log.create_room(rule);
        self.names += 1;
        self.rooms.insert(key, (self.names, rule));
        if history.is_some() {
            self.published.insert(key, Published::default());
        }
        if slow != Slow::Disconnect {
            self.lossy.insert(self.names, slow == Slow::DropOldest);
        }
    }

    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    fn any_room(&mut self) -> u32 {
        let keys: Vec<u32> = self.rooms.keys().copied().collect();
        keys[self.rng.usize(..keys.len())]
    }

    fn any_client(&mut self) -> Option<ConnectionId> {
        let slot = self.rng.usize(..self.clients.len());
        let (id, _) = self.clients[slot].as_ref()?;
        (!self.ending.contains(&id.slot)).then_some(*id)
    }

    fn client(&mut self, slot: u32) -> &mut Client {
        &mut self.clients[slot as usize].as_mut().expect("it is there").1
    }

    fn members_of(&self, key: u32) -> Vec<u32> {
        let members = self.members.iter().filter(|&&(room, _)| room == key);
        members.map(|&(_, slot)| slot).collect()
    }

    fn step(&mut self) {
        self.now += self.rng.u64(..3);
        self.log.advance_clock(Time::from_millis(self.now));
        match self.rng.u8(..103) {
            100 => self.flush(),
            101 => self.discard(),
            102 => self.expire(),
            0..8 => self.open(),
            8..10 => {
                if let Some(id) = self.any_client() {
                    self.drop_connection(id);
                }
            }
            10..22 => self.join(),
            22..28 => self.leave(),
            28 if self.rng.u8(..4) == 0 => self.replace_room(),
            28..52 => self.publish(),
            52..58 => self.send(),
            58..61 => self.urgent(),
            61..80 => self.take(),
            80..94 => self.report(),
            _ => self.writable(),
        }
        self.close_condemned();
        self.log.check(&self.turns);
    }

    fn open(&mut self) {
        let slot = self.rng.usize(..self.clients.len());
        if self.clients[slot].is_none() {
            self.generation += 1;
            let id = ConnectionId {
                slot: slot as u32,
                generation: self.generation,
            };
            self.log.open(id);
            self.clients[slot] = Some((id, Client::default()));
        }
    }

    fn drop_connection(&mut self, id: ConnectionId) {
        let keys: Vec<u32> = self.rooms.keys().copied().collect();
        for key in keys {
            self.leave_room(id, key);
        }
        self.log.drop_connection(id);
        let (_, client) = self.clients[id.slot as usize].take().expect("it is there");
        self.ending.remove(&id.slot);
        self.blocked.remove(&id.slot);
        self.found += client.lost.len();
        self.events.own += client.acks;
        self.events.recovered += client.recovered;
        self.events.marks += client.marks;
    }

    fn join(&mut self) {
        let (key, Some(id)) = (self.any_room(), self.any_client()) else {
            return;
        };
        if !self.members.insert((key, id.slot)) {
            return;
        }
        let identity = Identity {
            session: u64::from(id.slot % 4),
            user: 0,
        };
        let (name, rule) = self.rooms[&key];
        let told = self.tick();
        let Some(published) = self.published.get(&key) else {
            self.log.join(id, key, From::End, identity);
            return;
        };
        let (first, seq) = published.range(&rule, self.now);
        let from = match self.rng.u8(..4) {
            0 => From::End,
            1 => From::Last(self.rng.usize(..6)),
            _ => From::After((seq + 2).saturating_sub(self.rng.u64(..12))),
        };
        let after = match from {
            From::End => None,
            From::Last(most) => Some((first - 1).max(seq.saturating_sub(most as u64))),
            From::After(after) => (first <= after + 1 && after <= seq).then_some(after),
        };
        let waiting = after.map(|after| published.after(after, identity.session));
        let joined = self.log.join(id, key, from, identity);
        assert_eq!((joined.first, joined.seq), (first, seq), "H1");
        if let From::After(_) = from {
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

    fn flush(&mut self) {
        if let Some(id) = self.any_client().filter(|_| !self.exact) {
            self.log.close_flush(id);
            self.client(id.slot).flush();
            self.ends(id);
        }
    }

    fn discard(&mut self) {
        if let Some(id) = self.any_client().filter(|_| !self.exact) {
            self.log.discard(id);
            self.client(id.slot).discard();
            self.ends(id);
        }
    }

    /// What waits in the rooms of a connection that was flushed is still due.
    fn ends(&mut self, id: ConnectionId) {
        self.members.retain(|&(_, slot)| slot != id.slot);
        self.ending.insert(id.slot);
        let time = self.tick();
        let last = frame(time, None, false, 5);
        self.log
            .push_class(id, last, Class::LAST)
            .expect("it is there");
        self.client(id.slot).owes(time, None, None);
    }

    fn expire(&mut self) {
        let now = Time::from_millis(self.now);
        for key in self.log.expire(now, 10) {
            assert!(self.members_of(key).is_empty(), "H7");
            let (_, rule) = self.rooms[&key];
            assert!(rule.history.is_some());
            self.log.remove_room(key);
            self.rooms.remove(&key);
            self.published.remove(&key);
            self.create_room();
        }
        assert!(self.log.next_deadline().is_none_or(|at| at > now), "H7");
    }

    fn leave(&mut self) {
        let (key, Some(id)) = (self.any_room(), self.any_client()) else {
            return;
        };
        self.leave_room(id, key);
    }

    fn leave_room(&mut self, id: ConnectionId, key: u32) {
        let left = self.log.leave(id, key);
        if !self.members.remove(&(key, id.slot)) {
            assert_eq!(left, None);
            return;
        }
        let (name, _) = self.rooms[&key];
        let lossy = self.lossy.contains_key(&name);
        let client = self.client(id.slot);
        let (waiting, left) = (client.waiting(name), left.expect("it was in") as usize);
        client.leaves(name);
        assert!(waiting >= left, "more waits than was sent");
        if lossy {
            self.found += waiting - left;
        } else {
            assert_eq!(waiting, left, "what is dropped is told");
        }
    }

    fn replace_room(&mut self) {
        let key = self.any_room();
        for slot in self.members_of(key) {
            let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
            self.leave_room(*id, key);
        }
        self.log.remove_room(key);
        self.rooms.remove(&key);
        self.published.remove(&key);
        self.create_room();
    }

    fn publish(&mut self) {
        let key = self.any_room();
        let (name, rule) = self.rooms[&key];
        let members = self.members_of(key);
        let mut excluded = Vec::new();
        let sender = (self.rng.bool() && !members.is_empty())
            .then(|| members[self.rng.usize(..members.len())]);
        excluded.extend(sender);
        if self.rng.u8(..6) == 0 {
            excluded.extend((0..12).filter(|_| self.rng.u8(..4) == 0));
        }
        let time = self.tick();
        let bytes = self.rng.usize(..self.largest);
        let kind = if self.rng.u8(..8) == 0 {
            Kind::Raw
        } else {
            Kind::Numbered
        };
        let message = frame(time, Some(name), false, bytes);
        let seq = self.log.next_seq(key);
        let before = self.log.next_seq(key);
        let size = message.len();
        let session = sender.map_or(0, |slot| u64::from(slot % 4));
        let origin = Origin {
            session,
            request: time,
            not_for: None,
        };
        let sent = self.log.publish(key, message, kind, &excluded, origin);
        let Ok(receipt) = sent else {
            self.events.busy += 1;
            assert_eq!(self.log.next_seq(key), before, "a refusal spends no number");
            return;
        };
        assert_eq!(
            self.log.next_seq(key),
            seq + u64::from(kind == Kind::Numbered)
        );
        let numbered = (kind == Kind::Numbered).then_some(seq);
        if let Some(published) = self.published.get_mut(&key)
            && (numbered.is_some() || !members.is_empty())
        {
            published.add(numbered, time, size, self.now, session);
        }
        let mut got = 0;
        for &slot in &members {
            if !excluded.contains(&slot) {
                got += 1;
                self.client(slot).owes(time, Some(name), numbered);
            }
        }
        assert_eq!(receipt.excluded, members.len() - got);
        assert_eq!(receipt.accepted + receipt.closed, got);
        self.told += receipt.dropped_oldest;
        assert!(rule.slow != Slow::Disconnect || receipt.dropped_oldest == 0);
        self.events.losses += receipt.dropped_oldest;
        let closed = self.close_condemned();
        let mut expected = closed.clone();
        expected.retain(|slot| !excluded.contains(slot));
        assert_eq!(receipt.closed, expected.len(), "who is closed is told");
        if let Some(sender) = sender
            && self.rng.bool()
            && !closed.contains(&sender)
        {
            self.send_to(sender);
        }
        self.resend(key, time, seq, kind);
    }

    /// Asks about the message that was just published, and about one that was not.
    fn resend(&mut self, key: u32, request: u64, seq: u64, kind: Kind) {
        if kind == Kind::Numbered
            && let Some(published) = self.published.get(&key)
        {
            let (first, _) = published.range(&self.rooms[&key].1, self.now);
            let found = self.log.find_request(key, request, seq - 1);
            let kept = first <= seq;
            assert_eq!(found == Resent::Duplicate(seq), kept, "H6");
            assert_eq!(found == Resent::Unrecoverable, !kept, "H6");
            assert_eq!(self.log.find_request(key, u64::MAX, seq), Resent::New, "H6");
        }
    }

    fn send(&mut self) {
        if let Some(id) = self.any_client() {
            self.send_to(id.slot);
        }
    }

    fn send_to(&mut self, slot: u32) {
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

    fn urgent(&mut self) {
        if let Some(id) = self.any_client() {
            let time = self.tick();
            let message = frame(time, None, true, 10);
            self.log.push_urgent(id, message, Class::CONTROL);
            self.client(id.slot).owes_urgent(time);
        }
    }

    fn take(&mut self) {
        if self.turns.len() < 3 {
            let mut turn = Turn::default();
            let most = self.rng.usize(1..9);
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

    fn report(&mut self) {
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
        let failed: Vec<_> = outcomes.filter(|it| it.failed).map(|it| it.id).collect();
        for id in failed {
            self.drop_connection(id);
        }
    }

    fn write(&mut self, turn: &Turn, at: usize, written: usize) {
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

    fn writable(&mut self) {
        let blocked: Vec<u32> = self.blocked.iter().copied().collect();
        if !blocked.is_empty() {
            let slot = blocked[self.rng.usize(..blocked.len())];
            self.unblock(slot);
        }
    }

    fn unblock(&mut self, slot: u32) {
        self.blocked.remove(&slot);
        let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
        self.log.writable(*id);
    }

    /// Closes those who are over their limit; returns their slots.
    fn close_condemned(&mut self) -> Vec<u32> {
        let mut closed = Vec::new();
        while let Some(id) = self.log.next_condemned() {
            assert!(self.blocked.contains(&id.slot), "who reads is not closed");
            self.events.closed += 1;
            self.drop_connection(id);
            closed.push(id.slot);
        }
        closed
    }

    /// Lets everybody read to the end.
    fn finish(mut self) -> Events {
        let mut rounds = 0;
        loop {
            while let Some(mut turn) = self.turns.pop() {
                for at in 0..turn.len() {
                    let bytes = turn.job(at).expect("it is there").1.len();
                    turn.wrote(at, bytes);
                    self.write(&turn, at, bytes);
                }
                self.log.report(&mut turn);
            }
            for slot in std::mem::take(&mut self.blocked) {
                self.unblock(slot);
            }
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
        for key in self.rooms.keys().copied().collect::<Vec<_>>() {
            for slot in self.members_of(key) {
                let (id, _) = self.clients[slot as usize].as_ref().expect("it is there");
                assert_eq!(self.log.leave(*id, key), Some(0), "L3: something waits");
            }
            self.log.remove_room(key);
        }
        assert_eq!(self.log.recovering(), 0, "H2: recoveries are over");
        assert_eq!(self.log.kept(), (0, 0), "H7");
        assert_eq!(self.log.held(), 0, "L3: something is held");
        for (_, mut client) in self.clients.into_iter().flatten() {
            client.finish(&self.lossy);
            self.found += client.lost.len();
            self.events.own += client.acks;
            self.events.recovered += client.recovered;
            self.events.marks += client.marks;
        }
        assert!(self.told >= self.found, "L7: losses are told");
        if self.exact {
            assert_eq!(self.told, self.found, "L7: losses are told exactly");
        }
        self.events
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "more runs, and the seed of one that has failed"
)]
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn every_member_gets_what_it_is_due_in_order_or_a_counted_loss() {
    let runs = setting("SWITCHBOARD_RUNS").unwrap_or(150);
    let first = setting("SWITCHBOARD_SEED").unwrap_or(0);
    let mut total = Events::default();
    for seed in first..first + runs {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..400 {
                world.step();
            }
            world.finish()
        });
        let events =
            outcome.unwrap_or_else(|_| panic!("SWITCHBOARD_SEED={seed} SWITCHBOARD_RUNS=1"));
        total.losses += events.losses;
        total.closed += events.closed;
        total.own += events.own;
        total.busy += events.busy;
        total.cut += events.cut;
        total.recovered += events.recovered;
        total.marks += events.marks;
    }
    let Events {
        losses,
        closed,
        own,
        busy,
        cut,
        recovered,
        marks,
    } = total;
    let all = [losses, closed, own, busy, cut, recovered, marks];
    assert!(
        runs < 100 || all.iter().all(|&count| count > 10),
        "{total:?}"
    );
}

//! The log and the clients of a random run.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Log;

use super::super::limits::{Keep, KeepLatest, LagRule, Limits, Rule, Slow};
use super::super::recovery::{Identity, Markers};
use super::super::turn::Turn;
use super::frames::mark;
use super::keyed::Keyed;
use super::model::{Client, Lossy};
use super::rooms::Published;
use crate::{ConnectionId, Frame};

const LIMITS: Limits = Limits {
    own_bytes: 400_000,
    own_messages: 60,
    held: usize::MAX,
    history_bytes: usize::MAX,
    dormant_rooms: 10,
    contexts: 0,
};

/// Returns who a connection is in the eyes of the history: some share a session, some a user.
pub(super) fn identity(slot: u32) -> Identity {
    Identity {
        session: u64::from(slot % 4),
        user: 100 + u64::from(slot % 3),
    }
}

/// Tells clients about numbers, with the names by which the model knows rooms.
pub(super) struct Names(pub(super) BTreeMap<u32, (u32, Rule)>);

impl Markers for Names {
    fn skip(&mut self, room: u32, from: u64, to: u64) -> Option<Frame> {
        Some(mark(self.0[&room].0, false, from, to))
    }

    fn gap(&mut self, room: u32, from: u64, to: u64) -> Option<Frame> {
        Some(mark(self.0[&room].0, true, from, to))
    }
}

pub(super) struct World {
    pub(super) rng: fastrand::Rng,
    pub(super) log: Log,
    /// By slot.
    pub(super) clients: Vec<Option<(ConnectionId, Client)>>,
    pub(super) generation: u32,
    /// Rooms by key: the name that the model knows them by, and the rule.
    pub(super) rooms: BTreeMap<u32, (u32, Rule)>,
    pub(super) names: u32,
    /// Who is in which room, and since when.
    pub(super) members: BTreeMap<(u32, u32), u64>,
    /// When a member was last excluded from a message.
    pub(super) excluded: BTreeMap<(u32, u32), u64>,
    /// Since when a member has been full.
    pub(super) full: BTreeMap<(u32, u32), u64>,
    /// The last change of presence that a full member missed.
    pub(super) unseen: BTreeMap<(u32, u32), u64>,
    /// Changes of presence.
    pub(super) presences: BTreeSet<u64>,
    /// When a member was last named as due a list of who is present.
    pub(super) named: BTreeMap<(u32, u32), u64>,
    /// What was published to each room that has a history.
    pub(super) published: BTreeMap<u32, Published>,
    /// What rooms keep by key.
    pub(super) keyed: BTreeMap<u32, Keyed>,
    /// Volatile messages, by room and position.
    pub(super) volatile: BTreeMap<(u32, u64), u64>,
    /// Connections that are ending.
    pub(super) ending: BTreeSet<u32>,
    pub(super) now: u64,
    pub(super) blocked: BTreeSet<u32>,
    /// Who has been over a limit, and of them, those of whom a receipt says that they are closed.
    pub(super) slow: BTreeSet<u32>,
    pub(super) due_to_close: BTreeSet<u32>,
    /// Whether not all who are over a limit are closed at once.
    pub(super) patient: bool,
    /// Names of rooms whose members may lose messages.
    pub(super) lossy: Lossy,
    /// Losses: as receipts say, and as clients found.
    pub(super) told: usize,
    /// Whether no room has a history, as to a member that recovers, what was not for it counts as
    /// lost; and no connection ends slowly, as what it lost unnoticed is not known then.
    pub(super) exact: bool,
    pub(super) found: usize,
    pub(super) turns: Vec<Turn>,
    pub(super) time: u64,
    pub(super) largest: usize,
    /// Whether little is sent and small turns are taken, so that walks end in the middle.
    pub(super) quiet: bool,
    pub(super) limits: Limits,
    pub(super) events: Events,
}

/// What has happened, so that a test that proves nothing is noticed.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) losses: usize,
    pub(super) closed: usize,
    pub(super) own: usize,
    pub(super) halves: usize,
    pub(super) busy: usize,
    pub(super) cut: usize,
    pub(super) recovered: usize,
    pub(super) marks: usize,
    pub(super) missed: usize,
    pub(super) filled: usize,
    pub(super) drained: usize,
    pub(super) uninformed: usize,
    pub(super) pongs: usize,
    pub(super) over_bound: usize,
    pub(super) evicted: usize,
    pub(super) overwritten: usize,
    pub(super) refused: usize,
    pub(super) saved: usize,
    pub(super) passed: usize,
    pub(super) late: usize,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let quiet = rng.u8(..3) == 0;
        let clients = rng.usize(2..if quiet { 30 } else { 12 });
        let mut limits = LIMITS;
        if rng.u8(..3) == 0 {
            limits.held = rng.usize(3_000..100_000);
        }
        if rng.u8(..3) == 0 {
            limits.history_bytes = rng.usize(1_000..20_000);
        }
        let mut world = Self {
            log: Log::new(limits),
            clients: (0..clients).map(|_| None).collect(),
            generation: 0,
            rooms: BTreeMap::new(),
            names: 0,
            members: BTreeMap::new(),
            excluded: BTreeMap::new(),
            full: BTreeMap::new(),
            unseen: BTreeMap::new(),
            presences: BTreeSet::new(),
            named: BTreeMap::new(),
            published: BTreeMap::new(),
            keyed: BTreeMap::new(),
            volatile: BTreeMap::new(),
            ending: BTreeSet::new(),
            now: 0,
            blocked: BTreeSet::new(),
            slow: BTreeSet::new(),
            due_to_close: BTreeSet::new(),
            patient: rng.bool(),
            lossy: Lossy::default(),
            told: 0,
            exact: rng.bool(),
            found: 0,
            turns: Vec::new(),
            time: 0,
            largest: if rng.u8(..4) == 0 { 20_000 } else { 200 },
            quiet,
            limits,
            events: Events::default(),
            rng,
        };
        for _ in 0..world.rng.usize(1..if quiet { 3 } else { 5 }) {
            world.create_room();
        }
        world
    }

    pub(super) fn create_room(&mut self) {
        let latest = (self.rng.u8(..4) == 0).then(|| KeepLatest {
            keys: self.rng.usize(2..9),
            linger: std::time::Duration::from_millis(400),
        });
        let keeps = !self.exact && self.rng.u8(..3) > 0 && latest.is_none();
        let slow = [
            Slow::Disconnect,
            Slow::DropOldest,
            Slow::DropNewest,
            Slow::CatchUp,
        ];
        let slow = slow[self.rng.usize(
            ..if latest.is_some() {
                2
            } else {
                3 + usize::from(keeps)
            },
        )];
        let history = keeps.then(|| Keep {
            messages: self.rng.usize(1..50),
            bytes: self.rng.usize(2_000..60_000),
            age: std::time::Duration::from_millis(self.rng.u64(20..400)),
            linger: std::time::Duration::from_millis(400),
        });
        let few = self.rng.bool();
        let messages = self.rng.u64(if few { 1..6 } else { 3..40 });
        let rule = Rule {
            lag: LagRule {
                slow,
                messages,
                bytes: self.rng.u64(21_000..60_000),
            },
            history,
            latest,
            contexts: false,
        };
        let key = self.log.create_room(rule);
        self.names += 1;
        self.rooms.insert(key, (self.names, rule));
        if history.is_some() {
            self.published.insert(key, Published::default());
        }
        if latest.is_some() {
            self.keyed.insert(key, Keyed::default());
        }
        if matches!(slow, Slow::DropOldest | Slow::CatchUp) {
            self.lossy.insert(self.names, slow == Slow::DropOldest);
        }
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    pub(super) fn any_room(&mut self) -> u32 {
        let keys: Vec<u32> = self.rooms.keys().copied().collect();
        keys[self.rng.usize(..keys.len())]
    }

    pub(super) fn any_client(&mut self) -> Option<ConnectionId> {
        let slot = self.rng.usize(..self.clients.len());
        let (id, _) = self.clients[slot].as_ref()?;
        (!self.ending.contains(&id.slot)).then_some(*id)
    }

    pub(super) fn client(&mut self, slot: u32) -> &mut Client {
        &mut self.clients[slot as usize].as_mut().expect("it is there").1
    }

    pub(super) fn members_of(&self, key: u32) -> Vec<u32> {
        let members = self.members.range((key, 0)..=(key, u32::MAX));
        members.map(|(&(_, slot), _)| slot).collect()
    }

    /// Returns the first number that is kept, and the last one used.
    pub(super) fn range(&mut self, key: u32) -> (u64, u64) {
        let range = self.log.range(key);
        if let Some(keyed) = self.keyed.get_mut(&key) {
            keyed.check_first(range.0, self.rooms[&key].1.latest.map_or(0, |it| it.keys));
            return range;
        }
        let expected = self.published[&key].range(&self.rooms[&key].1, self.now);
        if self.limits.history_bytes == usize::MAX && self.limits.held == usize::MAX {
            assert_eq!(range, expected, "H1");
        } else {
            // Other rooms count, too.
            assert!(range.0 >= expected.0 && range.1 == expected.1, "H1");
            assert!(self.log.kept().1 <= self.limits.history_bytes, "H1");
            self.events.evicted += usize::from(range.0 > expected.0);
        }
        range
    }

    pub(super) fn is_full(&self, key: u32, slot: u32) -> bool {
        let room = &self.log.rooms[key];
        let mut members = room.members.iter();
        let found = members.find(|member| member.slot == slot);
        room.stop_of(found.expect("it is in")).is_some()
    }

    /// Whoever is not full any more has taken all that it had.
    pub(super) fn note_drained(&mut self) {
        for (key, slot) in self.full.keys().copied().collect::<Vec<_>>() {
            if !self.members.contains_key(&(key, slot)) {
                self.full.remove(&(key, slot));
                self.unseen.remove(&(key, slot));
            } else if !self.is_full(key, slot) {
                let (name, _) = self.rooms[&key];
                assert_eq!(self.client(slot).waiting(name), 0, "something waits");
                self.full.remove(&(key, slot));
                if let Some(unseen) = self.unseen.remove(&(key, slot)) {
                    assert!(self.named[&(key, slot)] >= unseen, "it is due a list");
                }
                self.events.drained += 1;
            }
        }
    }
}

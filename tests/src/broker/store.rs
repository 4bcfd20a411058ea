//! The keys of the broker and what stands in them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use switchboard_core::cluster::BrokerTime;

/// A key of the broker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The numbers of a room.
    Numbers(String),
    /// The log of a room.
    Log(String),
    /// The users in a room.
    Users(String),
    /// The latest value of each key of a room.
    Values(String),
    /// Its keys by the number of their values.
    Keys(String),
    /// The seats of a room.
    Seats(String),
    /// The claims of a user.
    Claims(String),
    /// The lease of a registration.
    Lease(String),
    /// The list of nodes.
    Nodes,
}

/// What stands in a key.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Numbers(Numbers),
    Log(Log),
    /// By registration and user: the version in which that was written, and what is told of the user.
    Users(BTreeMap<(String, String), (u64, Option<String>)>),
    /// By key.
    Values(BTreeMap<Vec<u8>, Logged>),
    /// How many there are; what they are follows from the values.
    Keys(usize),
    Seats(BTreeMap<String, Sitting>),
    Claims(Claims),
    Lease,
    /// Registration and what it says about itself.
    Nodes(BTreeMap<String, String>),
    /// Of another type, by somebody else.
    Foreign,
}

#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) epoch: String,
    pub(super) seq: u64,
    pub(super) version: u64,
    pub(super) incarnation: String,
    /// How many keys have a value, once the room keeps them.
    pub(super) keys: Option<usize>,
    /// Per node its session, and its own number of its last message.
    pub(super) origins: BTreeMap<String, (u64, Option<u64>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Sitting {
    pub(super) session: u64,
    pub(super) seats: u32,
    pub(super) at: BrokerTime,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    pub(super) incarnation: String,
    pub(super) sessions: BTreeMap<String, u64>,
    /// When the user was last kicked.
    pub(super) kicked: u64,
    /// By registration and connection.
    pub(super) stamps: BTreeMap<(String, String), u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) seq: u64,
    pub(super) node: String,
    pub(super) own: u64,
    pub(super) body: Vec<u8>,
}

/// A stream, which is trimmed by whole nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    nodes: VecDeque<VecDeque<Logged>>,
    last: u64,
}

impl Log {
    /// Appends; `false` where the number is not above all before.
    pub(super) fn push(&mut self, entry: Logged, node_entries: usize, keep: usize) -> bool {
        if entry.seq <= self.last {
            return false;
        }
        self.last = entry.seq;
        match self.nodes.back_mut() {
            Some(node) if node.len() < node_entries => node.push_back(entry),
            _ => self.nodes.push_back(VecDeque::from([entry])),
        }
        let mut len: usize = self.nodes.iter().map(VecDeque::len).sum();
        while let Some(first) = self.nodes.front()
            && len > keep
            && len - first.len() >= keep
        {
            len -= first.len();
            self.nodes.pop_front();
        }
        true
    }

    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Logged> {
        self.nodes
            .iter()
            .flatten()
            .filter(move |entry| entry.seq > seq)
    }
}

#[derive(Clone, Debug)]
struct Slot {
    value: Value,
    expires: Option<BrokerTime>,
}

/// All keys. None is there whose time has come, once [`Store::expire`] was called.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    slots: BTreeMap<Key, Slot>,
}

impl Store {
    pub(super) fn expire(&mut self, now: BrokerTime) {
        self.slots
            .retain(|_, slot| slot.expires.is_none_or(|at| at > now));
    }

    pub(super) fn keys(&self, now: BrokerTime) -> Vec<(Key, Option<Duration>)> {
        let left = |slot: &Slot| slot.expires.map(|at| Duration::from_micros(at.0 - now.0));
        let mut keys = Vec::new();
        for (key, slot) in &self.slots {
            keys.push((key.clone(), left(slot)));
        }
        keys
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.slots.contains_key(key)
    }

    pub(super) fn read(&self, key: &Key) -> Option<&Value> {
        self.slots.get(key).map(|slot| &slot.value)
    }

    pub(super) fn value(&mut self, key: &Key) -> Option<&mut Value> {
        self.slots.get_mut(key).map(|slot| &mut slot.value)
    }

    /// Replaces what is there, and when it expires.
    pub(super) fn insert(&mut self, key: Key, value: Value) {
        let slot = Slot {
            value,
            expires: None,
        };
        self.slots.insert(key, slot);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.slots.remove(key);
    }

    pub(super) fn touch(&mut self, key: &Key, now: BrokerTime, live: Duration) {
        if let Some(slot) = self.slots.get_mut(key) {
            // Redis counts in whole milliseconds.
            slot.expires = Some(BrokerTime(now.0 + live.as_millis() as u64 * 1000));
        }
    }

    pub(super) fn occupy(&mut self, key: &Key, now: BrokerTime) {
        self.insert(key.clone(), Value::Foreign);
        self.touch(key, now, Duration::from_secs(86_400));
    }
}

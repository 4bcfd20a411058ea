//! The other nodes: which of them live.
//!
//! ```text
//!          heard of, beats                no beat for a lease             leave_grace after the last beat
//! Unknown ────────────────▶ alive ───────────────────────────▶ dead ────────────────────────▶ vanished
//!                             ▲      goodbye                    │                                 │
//!                             └───────────── a beat ────────────┴─────────────────────────────────┘
//! ```
//!
//! A node is judged only by a beat of our own that went out when its lease must have run out, and came
//! back: whatever it had sent before that would have arrived first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::load::NodeLoad;
use crate::Time;
use crate::cluster::push::NodeState;

/// At most so many dead registrations are named in one command, those that died last.
const NAMED: usize = 64;
/// Registrations that are remembered: no cluster has so many.
const MOST: usize = 10_000;

/// All registrations but the present one of this node.
#[derive(Debug)]
pub(super) struct Peers {
    lease: Duration,
    /// How long users outlive the last beat of their node.
    grace: Duration,
    /// How long the dead are remembered.
    memory: Duration,
    all: BTreeMap<Arc<str>, Peer>,
}

#[derive(Debug)]
struct Peer {
    /// When it was heard last.
    heard: Time,
    /// Its last beat; `None` where it was only heard of.
    count: Option<u64>,
    state: NodeState,
    load: NodeLoad,
    life: Life,
    /// It was found dead at another broker than the present one, to which this node has been connected
    /// since then: it may live here.
    doubted: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    /// Its claims and seats are free; its users are still there.
    Dead {
        vanishes: Time,
    },
    /// Its users have left.
    Vanished,
}

/// What became of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It lives. `returned`: its users had left.
    Up {
        registration: Arc<str>,
        returned: bool,
    },
    Down(Arc<str>),
    /// The users of one or more have left.
    Vanished,
}

impl Peers {
    pub(super) fn new(lease: Duration, leave_grace: Duration, memory: Duration) -> Self {
        Self {
            lease,
            grace: leave_grace.max(lease),
            memory,
            all: BTreeMap::new(),
        }
    }

    /// Nothing was heard while there was no connection: all live until they can be judged.
    pub(super) fn connected(&mut self, now: Time) {
        for peer in self.all.values_mut() {
            if peer.life == Life::Alive {
                peer.heard = now;
            }
        }
    }

    /// This is another broker than before. Nodes that were not heard at that one may be at this one all along: until
    /// they can be judged here, their claims and seats are not free.
    pub(super) fn doubt(&mut self, now: Time, own: &str) {
        for (registration, peer) in &mut self.all {
            let is_certain = node_of(registration) == own || peer.state == NodeState::Gone;
            if peer.life != Life::Alive && !is_certain {
                peer.doubted = Some(now);
            }
        }
    }

    /// Takes notice of a registration that is named somewhere; it lives until it can be judged.
    pub(super) fn heard_of(&mut self, now: Time, registration: &Arc<str>) {
        if self.all.len() >= MOST && !self.all.contains_key(registration) {
            return;
        }
        let new = || Peer {
            heard: now,
            count: None,
            state: NodeState::Up,
            load: NodeLoad::default(),
            life: Life::Alive,
            doubted: None,
        };
        self.all.entry(Arc::clone(registration)).or_insert_with(new);
    }

    /// A registration of this node has lapsed.
    pub(super) fn own_lapsed(&mut self, now: Time, registration: &Arc<str>) {
        self.heard_of(now, registration);
        if let Some(peer) = self.all.get_mut(registration) {
            peer.life = Life::Vanished;
        }
    }

    /// A beat arrived.
    pub(super) fn beat(
        &mut self,
        now: Time,
        registration: &Arc<str>,
        count: u64,
        state: NodeState,
        load: NodeLoad,
    ) -> Option<Change> {
        self.heard_of(now, registration);
        let peer = self.all.get_mut(registration)?;
        if peer.count.is_some_and(|last| count <= last) {
            return None;
        }
        let was = (peer.life, peer.count);
        peer.heard = now;
        peer.count = Some(count);
        peer.state = state;
        peer.load = load;
        peer.doubted = None;
        if state == NodeState::Gone {
            if peer.life == Life::Alive {
                let vanishes = now + self.grace;
                peer.life = Life::Dead { vanishes };
                return Some(Change::Down(Arc::clone(registration)));
            }
            return None;
        }
        peer.life = Life::Alive;
        if was.0 == Life::Alive && was.1.is_some() {
            return None;
        }
        Some(Change::Up {
            registration: Arc::clone(registration),
            returned: was.0 == Life::Vanished,
        })
    }

    /// A beat of our own that was sent at `proof` came back.
    pub(super) fn judge(&mut self, now: Time, proof: Time) -> Vec<Change> {
        let (mut changes, mut vanished) = (Vec::new(), false);
        for (registration, peer) in &mut self.all {
            peer.doubted = peer.doubted.filter(|since| *since + self.lease > proof);
            if peer.life == Life::Alive && peer.heard + self.lease <= proof {
                peer.life = Life::Dead {
                    vanishes: peer.heard + self.grace,
                };
                changes.push(Change::Down(Arc::clone(registration)));
            }
            if let Life::Dead { vanishes } = peer.life
                && vanishes <= now
            {
                peer.life = Life::Vanished;
                vanished = true;
            }
        }
        if vanished {
            changes.push(Change::Vanished);
        }
        changes
    }

    /// Whether its users are there.
    pub(super) fn counts(&self, registration: &str) -> bool {
        let peer = self.all.get(registration);
        peer.is_none_or(|peer| peer.life != Life::Vanished)
    }

    /// Registrations whose claims and seats are free, those that died last first.
    pub(super) fn dead(&self) -> Vec<Arc<str>> {
        let mut dead: Vec<_> = self
            .all
            .iter()
            .filter(|(_, peer)| peer.life != Life::Alive && peer.doubted.is_none())
            .map(|(registration, peer)| (peer.heard, registration))
            .collect();
        dead.sort_by(|a, b| b.cmp(a));
        dead.truncate(NAMED);
        dead.into_iter().map(|(_, it)| Arc::clone(it)).collect()
    }

    /// Registrations that have been dead for so long that nothing of them is left.
    pub(super) fn forgettable(&self, now: Time) -> Vec<Arc<str>> {
        let is_past = |peer: &Peer| {
            let is_old = peer.heard + self.memory <= now;
            peer.life == Life::Vanished && peer.doubted.is_none() && is_old
        };
        let past = self.all.iter().filter(|(_, peer)| is_past(peer));
        past.map(|(registration, _)| Arc::clone(registration))
            .take(NAMED)
            .collect()
    }

    /// Other nodes that have been gone for so long that they will send nothing again.
    pub(super) fn silent(&self, now: Time, silence: Duration, own: &str) -> Vec<Arc<str>> {
        let mut nodes: BTreeMap<&str, bool> = BTreeMap::new();
        for (registration, peer) in &self.all {
            let is_gone = peer.life == Life::Vanished && peer.doubted.is_none();
            let is_silent = is_gone && peer.heard + silence <= now;
            *nodes.entry(node_of(registration)).or_insert(true) &= is_silent;
        }
        let silent = nodes
            .into_iter()
            .filter(|(node, is_silent)| *is_silent && **node != *own);
        silent
            .map(|(node, _)| Arc::from(node))
            .take(NAMED)
            .collect()
    }

    pub(super) fn forget(&mut self, registration: &str) {
        self.all.remove(registration);
    }

    /// What the nodes that live said about themselves.
    pub(super) fn alive(&self) -> impl Iterator<Item = (&Arc<str>, &NodeLoad)> {
        let alive = self.all.iter().filter(|(_, peer)| peer.life == Life::Alive);
        alive.map(|(registration, peer)| (registration, &peer.load))
    }
}

/// A registration is its node, a dot, and a count.
pub(super) fn node_of(registration: &str) -> &str {
    registration
        .rsplit_once('.')
        .map_or(registration, |(node, _)| node)
}

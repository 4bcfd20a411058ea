//! The state of a node in its cluster.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fastrand::Rng;

use super::asked::Asked;
use super::broker_clock::BrokerClock;
use super::claims::Claims;
use super::config::ClusterConfig;
use super::figures::Figures;
use super::lease::Lease;
use super::link::Link;
use super::load::NodeLoad;
use super::output::Output;
use super::peers::Peers;
use super::questions::Questions;
use super::recalls::Recalls;
use super::room::Room;
use super::timers::Timers;
use crate::Time;
use crate::cluster::answer::Failure;
use crate::cluster::push::NodeState;

/// What a node decides about its rooms in a cluster.
#[derive(Debug)]
pub struct Cluster {
    pub(super) config: ClusterConfig,
    pub(super) rng: Rng,
    pub(super) link: Link,
    pub(super) lease: Lease,
    pub(super) peers: Peers,
    pub(super) clock: BrokerClock,
    pub(super) state: NodeState,
    pub(super) load: NodeLoad,
    pub(super) session: u64,
    pub(super) incarnation: Arc<str>,
    pub(super) rooms: BTreeMap<Arc<str>, Room>,
    /// Rooms that have something to ask.
    pub(super) queue: BTreeMap<u64, Arc<str>>,
    pub(super) claims: Claims,
    /// Users whose claims are to be read.
    pub(super) lookups: VecDeque<Arc<str>>,
    pub(super) questions: Questions,
    pub(super) recalls: Recalls,
    /// Until when the node tries to say goodbye.
    pub(super) retire_by: Option<Time>,
    pub(super) timers: Timers,
    pub(super) asked: Vec<Asked>,
    pub(super) outputs: VecDeque<Output>,
    /// What the broker refused last.
    pub(super) failure: Option<Failure>,
    pub(super) alone: bool,
    /// When users on other nodes are to be forgotten.
    pub(super) forget: Option<Time>,
    pub(super) tickets: u64,
    pub(super) seats: u64,
    pub(super) stays: u64,
    pub(super) places: u64,
    pub(super) epochs: u64,
    /// No forgotten room has had a higher own number: where the broker forgot them too, other nodes may
    /// not have.
    pub(super) highest_own: u64,
    pub(super) waiting: usize,
    pub(super) waiting_bytes: usize,
    pub(super) figures: Figures,
}

impl Cluster {
    /// Creates the machine, which connects at once.
    pub fn new(config: ClusterConfig, now: Time) -> Self {
        Self {
            rng: Rng::with_seed(config.seed),
            link: Link::new(now, config.times),
            lease: Lease::new(Arc::clone(&config.node), config.lease),
            peers: Peers::new(config.lease.lease, config.leave_grace, config.memory),
            clock: BrokerClock::default(),
            state: NodeState::Up,
            load: NodeLoad::default(),
            session: 0,
            incarnation: "".into(),
            rooms: BTreeMap::new(),
            queue: BTreeMap::new(),
            claims: Claims::default(),
            lookups: VecDeque::new(),
            questions: Questions::default(),
            recalls: Recalls::default(),
            retire_by: None,
            timers: Timers::default(),
            asked: Vec::new(),
            outputs: VecDeque::new(),
            failure: None,
            alone: false,
            forget: None,
            tickets: 0,
            seats: 0,
            stays: 0,
            places: 0,
            epochs: 0,
            highest_own: 0,
            waiting: 0,
            waiting_bytes: 0,
            figures: Figures::default(),
            config,
        }
    }

    /// Returns the node's name, with its random part.
    pub fn node(&self) -> &Arc<str> {
        &self.config.node
    }

    /// Takes the next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub fn next_deadline(&self) -> Time {
        let alone = match self.link.alone_from() {
            Some(at) if !self.alone => at,
            _ => Time::MAX,
        };
        let beat = if self.link.is_idle() {
            self.lease.due()
        } else {
            Time::MAX
        };
        let echo = if self.link.is_up() {
            self.lease.overdue()
        } else {
            Time::MAX
        };
        let link = self.link.deadline().min(alone).min(beat).min(echo);
        link.min(self.timers.first())
    }

    pub(super) fn fresh_epoch(&mut self) -> Arc<str> {
        self.epochs += 1;
        format!("{}-{:x}", self.config.node, self.epochs).into()
    }
}

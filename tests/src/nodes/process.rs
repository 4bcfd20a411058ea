//! A process of a node: the switchboard and the machine of the cluster under one lock, as the driver has
//! them, and the effects of each call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use switchboard_core::cluster::{ClusterNotice, Output};
use switchboard_core::clustered::Clustered;
use switchboard_core::session::{Ended, LocalNode, Node};
use switchboard_core::{
    Action, Config, ConnectionId, Frame, Notice, Position, Refused, SendError, Switchboard, Time,
    UserReport,
};

pub(super) struct Process {
    pub(super) number: u32,
    pub(super) board: Switchboard,
    pub(super) clustered: Clustered,
    /// Indexed by slot.
    slots: Vec<Option<(ConnectionId, u32)>>,
    pub(super) effects: Effects,
    /// The present attempt to connect to the broker.
    pub(super) wire: Option<u32>,
    /// The world's time at which the clock of the process said zero, which moves on while it sleeps.
    pub(super) zero: u64,
    /// When the timer is going to fire, by the world's time.
    pub(super) alarm: u64,
    /// What others know the node by.
    pub(super) registration: Option<Arc<str>>,
    pub(super) until_audit: u64,
    pub(super) is_draining: bool,
}

/// What has to be done after calls.
#[derive(Default)]
pub(super) struct Effects {
    /// Links whose sessions have something new to know.
    pub(super) changed: BTreeSet<u32>,
    pub(super) ended: BTreeMap<u32, Ended>,
    pub(super) evicted: VecDeque<(u32, Option<Frame>)>,
    pub(super) shut: VecDeque<u32>,
    pub(super) orders: VecDeque<Output>,
    pub(super) told: VecDeque<Told>,
}

/// What the application and the log are told.
pub(super) enum Told {
    Published(u64, Result<Position, SendError>),
    Reached(u64, UserReport),
    Drained,
    Cluster(ClusterNotice),
}

impl Process {
    pub(super) fn new(config: Config, number: u32, seed: u64, zero: u64, now: Time) -> Self {
        let clustered = Clustered::new(&config, seed, now).expect("a node of a cluster");
        let board = Switchboard::new(config, seed.rotate_left(32) ^ 1, now);
        Self {
            number,
            board: board.expect("a valid configuration"),
            clustered,
            slots: Vec::new(),
            effects: Effects::default(),
            wire: None,
            zero,
            alarm: u64::MAX,
            registration: None,
            until_audit: 0,
            is_draining: false,
        }
    }

    /// Makes a call under the lock.
    pub(super) fn with<T>(
        &mut self,
        now: Time,
        call: impl FnOnce(&mut Switchboard, &mut Clustered) -> T,
    ) -> T {
        let result = call(&mut self.board, &mut self.clustered);
        self.settle(now);
        result
    }

    /// Accepts a stream.
    pub(super) fn accept(
        &mut self,
        now: Time,
        peer: IpAddr,
        link: u32,
    ) -> Result<ConnectionId, Refused> {
        let accepted = self.board.connect(now, peer);
        if let Ok(id) = accepted {
            if self.slots.len() <= id.slot() {
                self.slots.resize(id.slot() + 1, None);
            }
            self.slots[id.slot()] = Some((id, link));
        }
        self.settle(now);
        accepted
    }

    pub(super) fn link_of(&self, id: ConnectionId) -> Option<u32> {
        match self.slots.get(id.slot())? {
            Some((found, link)) if *found == id => Some(*link),
            _ => None,
        }
    }

    pub(super) fn next_deadline(&self) -> Time {
        let cluster = self.clustered.next_deadline();
        let board = self.board.next_deadline();
        board.map_or(cluster, |board| board.min(cluster))
    }

    /// What the driver does after each call, before it lets go of the lock.
    fn settle(&mut self, now: Time) {
        self.clustered.exchange(now, &mut self.board);
        while let Some(action) = self.board.poll_action() {
            self.collect(action);
        }
        while let Some(notice) = self.clustered.poll_notice() {
            if let ClusterNotice::Registered(registration) = &notice {
                self.registration = Some(registration.clone());
            }
            self.effects.told.push_back(Told::Cluster(notice));
        }
        while let Some(order) = self.clustered.poll_order() {
            self.effects.orders.push_back(order);
        }
    }

    fn collect(&mut self, action: Action) {
        match action {
            Action::ReadMode(id) => self.effects.changed.extend(self.link_of(id)),
            Action::ShutdownWrite(id) => self.effects.shut.extend(self.link_of(id)),
            Action::Evict { id, last } => {
                if let Some(link) = self.link_of(id) {
                    self.slots[id.slot()] = None;
                    self.effects.evicted.push_back((link, last));
                }
            }
            Action::Notify(Notice::Closed {
                id, rooms, reason, ..
            }) => {
                if let Some(link) = self.link_of(id) {
                    self.effects.ended.insert(link, Ended { rooms, reason });
                    self.effects.changed.insert(link);
                }
            }
            Action::Notify(Notice::Published { ticket, result }) => {
                self.effects.told.push_back(Told::Published(ticket, result));
            }
            Action::Notify(Notice::Reached { ticket, report }) => {
                self.effects.told.push_back(Told::Reached(ticket, report));
            }
            Action::Notify(Notice::Drained(_)) => self.effects.told.push_back(Told::Drained),
            _ => {}
        }
    }
}

/// The process, as the node of one link's session.
pub(super) struct Seam<'a> {
    pub(super) process: &'a mut Process,
    pub(super) now: Time,
    pub(super) link: u32,
}

impl Node for Seam<'_> {
    type Held<'a> = LocalNode<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut LocalNode<'_>) -> T) -> T {
        let now = self.now;
        self.process.with(now, |switchboard, _| {
            work(&mut LocalNode { switchboard, now })
        })
    }

    fn config(&self) -> &Config {
        self.process.board.config()
    }

    fn now(&self) -> Time {
        self.now
    }

    fn may_read_on(&self) -> bool {
        !self.process.board.is_congested() && !self.process.effects.changed.contains(&self.link)
    }
}

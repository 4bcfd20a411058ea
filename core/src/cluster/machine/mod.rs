//! The machine of a node in a cluster: it keeps the node's rooms in the order of the broker's logs.
//!
//! Sans-IO: the caller tells it what happened, with the time, then carries out what
//! [`poll`](Cluster::poll) returns, and calls [`tick`](Cluster::tick) at
//! [`next_deadline`](Cluster::next_deadline). Any order of calls is legal.
//!
//! What is told for the members of a room, in this order: a [`Output::Position`], then for each number
//! above it, ascending, either [`Output::Deliver`] or [`Output::Skip`], until the next position. No
//! message of a node is delivered twice, whatever was sent again.

mod audit;
mod buffer;
mod config;
mod figures;
mod link;
mod outbox;
mod output;
mod pipeline;
mod room;
mod rooms;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fastrand::Rng;

use super::{Channel, Command, Done, Entry, Push};
use crate::Time;

pub use self::config::ClusterConfig;
pub use self::figures::Figures;
pub use self::link::LinkTimes;
use self::link::{Due, Link};
pub use self::output::{Fate, Output, PositionKind, Ticket};
use self::pipeline::Asked;
use self::room::{Room, Stage};

/// Why a message was not taken: the outbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFull;

/// Channels of one SUBSCRIBE.
const CHANNELS: usize = 512;

/// What a node decides about its rooms in a cluster.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    rng: Rng,
    link: Link,
    session: u64,
    incarnation: Arc<str>,
    rooms: BTreeMap<Arc<str>, Room>,
    /// Rooms that have something to ask.
    queue: BTreeMap<u64, Arc<str>>,
    probes: BTreeSet<(Time, Arc<str>)>,
    asked: Vec<Asked>,
    outputs: VecDeque<Output>,
    alone: bool,
    tickets: u64,
    stays: u64,
    places: u64,
    epochs: u64,
    /// No forgotten room has had a higher own number: where the broker forgot them too, other nodes may
    /// not have.
    highest_own: u64,
    waiting: usize,
    waiting_bytes: usize,
    figures: Figures,
}

impl Cluster {
    /// Creates the machine, which connects at once.
    pub fn new(config: ClusterConfig, now: Time) -> Self {
        Self {
            rng: Rng::with_seed(config.seed),
            link: Link::new(now, config.times),
            session: 0,
            incarnation: "".into(),
            rooms: BTreeMap::new(),
            queue: BTreeMap::new(),
            probes: BTreeSet::new(),
            asked: Vec::new(),
            outputs: VecDeque::new(),
            alone: false,
            tickets: 0,
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
        let probe = match self.probes.first() {
            Some((at, _)) if self.link.is_up() => *at,
            _ => Time::MAX,
        };
        self.link.deadline().min(alone).min(probe)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        if !self.alone && self.link.alone_from().is_some_and(|at| at <= now) {
            self.go_alone();
        }
        if self.link.is_up() {
            self.queue_probes(now);
        }
        match self.link.due(now) {
            None => {}
            Some(Due::Connect) => self.outputs.push_back(Output::Connect),
            Some(Due::GiveUp) => self.hang_up(now),
            Some(Due::Ping) => {
                self.send(now);
                if self.link.is_idle() {
                    self.asked.push(Asked::Ping);
                    self.link.asked(now);
                    self.outputs.push_back(Output::Send(vec![Command::Ping]));
                }
            }
        }
        self.send(now);
    }

    /// The first member of a room is here.
    pub fn enter(&mut self, now: Time, name: &Arc<str>) {
        let stay = self.stays + 1;
        let room = self.room(name);
        if room.is_entered() {
            return;
        }
        room.enter(stay);
        self.stays = stay;
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Subscribe(channels));
        }
        if self.alone {
            self.room_goes_alone(name);
        }
        let phase = self.config.probe.mul_f64(self.rng.f64());
        self.probe_at(name, now + phase);
        self.wants_to_ask(name);
        self.send(now);
    }

    /// The last member of a room has gone.
    pub fn leave(&mut self, name: &Arc<str>) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if !room.is_entered() {
            return;
        }
        room.leave(&mut self.outputs);
        if let Some(at) = room.probe.take() {
            self.probes.remove(&(at, Arc::clone(name)));
        }
        if self.link.is_up() {
            let channels = vec![Channel::Room(Arc::clone(name))];
            self.outputs.push_back(Output::Unsubscribe(channels));
        }
        self.forget_if_done(name);
    }

    /// Publishes a message to a room. Its fate is told by the ticket, once: with the message where it
    /// is delivered here, else by [`Output::Published`].
    ///
    /// # Errors
    ///
    /// The outbox is full. A broker that is away fills it only until the rooms go on alone.
    pub fn publish(
        &mut self,
        now: Time,
        name: &Arc<str>,
        body: Arc<[u8]>,
    ) -> Result<Ticket, OutboxFull> {
        let ticket = Ticket(self.tickets);
        let alone = self.alone;
        let full = self.waiting >= self.config.outbox_messages
            || self.waiting_bytes + body.len() > self.config.outbox_bytes;
        let node = Arc::clone(&self.config.node);
        match self.rooms.get_mut(name) {
            Some(room) if matches!(room.stage, Stage::Alone(..)) => {
                room.deliver_alone(ticket, body, &node, &mut self.outputs);
            }
            room if alone && room.as_ref().is_none_or(|room| !room.is_entered()) => {
                let fate = Fate::Local;
                self.outputs.push_back(Output::Published { ticket, fate });
            }
            _ if full => return Err(OutboxFull),
            _ => {
                let len = body.len();
                self.room(name).outbox.push(ticket, body);
                self.waiting += 1;
                self.waiting_bytes += len;
                self.wants_to_ask(name);
                self.send(now);
            }
        }
        self.tickets += 1;
        Ok(ticket)
    }

    /// The broker is connected, has the scripts, and its data are of this incarnation.
    pub fn connected(&mut self, now: Time, incarnation: &str) {
        if !self.link.is_connecting() {
            return;
        }
        self.link.connected(now);
        self.session += 1;
        self.figures.sessions += 1;
        if *self.incarnation != *incarnation {
            self.incarnation = incarnation.into();
        }
        let (mut channels, mut names) = (Vec::new(), Vec::new());
        for (name, room) in &mut self.rooms {
            if room.is_entered() {
                channels.push(Channel::Room(Arc::clone(name)));
            }
            room.read_again();
            names.push(Arc::clone(name));
        }
        for some in channels.chunks(CHANNELS) {
            self.outputs.push_back(Output::Subscribe(some.to_vec()));
        }
        for name in names {
            self.wants_to_ask(&name);
        }
        self.send(now);
        if self.link.is_idle() {
            // Nothing else tells whether it works.
            self.asked.push(Asked::Ping);
            self.link.asked(now);
            self.outputs.push_back(Output::Send(vec![Command::Ping]));
        }
    }

    /// The connection or the attempt has ended.
    pub fn lost(&mut self, now: Time) {
        if self.link.is_down() {
            return;
        }
        self.link.lost(now, &mut self.rng);
        self.asked.clear();
        for room in self.rooms.values_mut() {
            room.read_again();
        }
    }

    fn hang_up(&mut self, now: Time) {
        self.outputs.push_back(Output::Hangup);
        self.lost(now);
    }

    /// The pipeline was answered, one answer for each command.
    pub fn answered(&mut self, now: Time, answers: Vec<Done>) {
        let asked = std::mem::take(&mut self.asked);
        if asked.len() != answers.len() || !self.link.is_up() {
            self.hang_up(now);
            return;
        }
        // What stands behind a failure in the pipeline was carried out all the same.
        let mut failed = false;
        for (asked, answer) in asked.into_iter().zip(answers) {
            failed |= match answer {
                Ok(answer) => self.answer(asked, answer).is_err(),
                Err(_) => true,
            };
        }
        if failed {
            self.hang_up(now);
            return;
        }
        self.link.answered(now);
        self.alone = false;
        self.send(now);
    }

    /// A payload arrived through a channel.
    pub fn pushed(&mut self, now: Time, channel: &Channel, payload: &[u8]) {
        let Channel::Room(name) = channel else {
            return;
        };
        match Push::parse(payload) {
            Ok(Push::Message {
                seq,
                epoch,
                node,
                own,
                body,
            }) => {
                let entry = Entry {
                    seq,
                    node: node.into(),
                    own,
                    body: body.into(),
                };
                let this = Arc::clone(&self.config.node);
                self.with_room(name, |room, figures, outputs| {
                    let was_live = room.stage == Stage::Live;
                    if room.arrived(epoch, entry, &this, outputs) && was_live {
                        figures.repairs += 1;
                    }
                });
                self.send(now);
            }
            Ok(_) => {}
            Err(_) => self.figures.bad_pushes += 1,
        }
    }

    fn go_alone(&mut self) {
        self.alone = true;
        let names: Vec<_> = self.rooms.keys().cloned().collect();
        for name in names {
            self.room_goes_alone(&name);
        }
    }

    fn room_goes_alone(&mut self, name: &Arc<str>) {
        let (node, epoch) = (Arc::clone(&self.config.node), self.fresh_epoch());
        self.with_room(name, |room, _, outputs| match room.stage {
            Stage::Alone(..) => {}
            Stage::Absent => {
                let waiting: Vec<_> = room.outbox.take_waiting().collect();
                for it in waiting {
                    let (ticket, fate) = (it.ticket, Fate::Local);
                    outputs.push_back(Output::Published { ticket, fate });
                }
            }
            Stage::Syncing | Stage::Live => room.go_alone(epoch, &node, outputs),
        });
    }

    fn queue_probes(&mut self, now: Time) {
        while let Some((at, _)) = self.probes.first()
            && *at <= now
            && let Some((_, name)) = self.probes.pop_first()
        {
            if let Some(room) = self.rooms.get_mut(&name) {
                room.needs_probe = room.stage == Stage::Live;
            }
            self.probe_at(&name, now + self.config.probe);
            self.wants_to_ask(&name);
        }
    }

    fn probe_at(&mut self, name: &Arc<str>, at: Time) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.probe = Some(at);
            self.probes.insert((at, Arc::clone(name)));
        }
    }

    fn fresh_epoch(&mut self) -> Arc<str> {
        self.epochs += 1;
        format!("{}-{:x}", self.config.node, self.epochs).into()
    }
}

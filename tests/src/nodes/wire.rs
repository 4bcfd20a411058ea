//! A connection of a node to the broker, and what is on its way through it.

use std::collections::VecDeque;

use switchboard_core::cluster::{Channel, Command, Done};

use super::plan::{MICRO, MILLI, SECOND};
use super::schedule::Step;
use super::world::World;
use crate::broker;

/// What a node sends to the broker.
pub(super) enum Sent {
    Hello,
    Subscribe(Vec<Channel>),
    Unsubscribe(Vec<Channel>),
    /// A command, and whether it is the last of its pipeline.
    Command(Command, bool),
    /// The node has dropped the connection.
    Fin,
}

/// What the broker sends to a node.
pub(super) enum Received {
    Connected(String),
    Push(Channel, Vec<u8>),
    Answers(Vec<Done>),
    Lost,
}

pub(super) struct Wire {
    pub(super) node: usize,
    pub(super) process: u32,
    /// The broker's end.
    pub(super) link: Option<broker::Link>,
    /// It is to the master that is one no more, but does not know it.
    pub(super) is_astray: bool,
    pub(super) up: VecDeque<(u64, Sent)>,
    pub(super) down: VecDeque<(u64, Received)>,
    up_last: u64,
    down_last: u64,
    /// Answers to the commands of a pipeline that is not complete.
    pub(super) answers: Vec<Done>,
    /// What the node sends does not arrive, and nobody is told.
    pub(super) swallows_up: bool,
    /// What the node is sent does not arrive, and nobody is told.
    pub(super) swallows_down: bool,
    /// Until when nothing moves; then all of it arrives.
    pub(super) clogged_until: u64,
    /// How much longer everything takes.
    pub(super) delay: u64,
}

impl Wire {
    pub(super) fn new(node: usize, process: u32) -> Self {
        Self {
            node,
            process,
            link: None,
            is_astray: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            up_last: 0,
            down_last: 0,
            answers: Vec::new(),
            swallows_up: false,
            swallows_down: false,
            clogged_until: 0,
            delay: 0,
        }
    }

    /// Returns whether the node may have waited in vain for an answer.
    fn is_stuck(&self, now: u64) -> bool {
        self.swallows_up || self.swallows_down || now < self.clogged_until.saturating_add(SECOND)
    }
}

impl World {
    /// Returns whether a node may have waited in vain for an answer of the broker.
    pub(super) fn is_unanswered(&self, node: usize) -> bool {
        let wire = self.nodes[node].process.as_ref().and_then(|it| it.wire);
        wire.is_some_and(|w| self.wires[w as usize].is_stuck(self.now))
    }

    /// How long something takes between a node and the broker.
    fn hop(&mut self, w: u32) -> u64 {
        let delay = self.wires[w as usize].delay;
        let hop = match self.rng.u8(..32) {
            0 => self.rng.u64(MILLI..20 * MILLI),
            _ => self.rng.u64(20 * MICRO..400 * MICRO),
        };
        delay + hop
    }

    pub(super) fn wire_up(&mut self, w: u32, sent: Sent) {
        if self.wires[w as usize].swallows_up {
            return;
        }
        let at = self.now + self.hop(w);
        let wire = &mut self.wires[w as usize];
        // Commands of a pipeline do not arrive in one instant: others come in between.
        wire.up_last = at.max(wire.up_last + MICRO);
        wire.up.push_back((wire.up_last, sent));
        self.schedule.push(wire.up_last, Step::WireUp(w));
    }

    pub(super) fn wire_down(&mut self, w: u32, received: Received) {
        if self.wires[w as usize].swallows_down {
            return;
        }
        let at = self.now + self.hop(w);
        let wire = &mut self.wires[w as usize];
        wire.down_last = at.max(wire.down_last);
        wire.down.push_back((wire.down_last, received));
        self.schedule.push(wire.down_last, Step::WireDown(w));
    }

    /// Takes what arrives at the broker now.
    pub(super) fn next_up(&mut self, w: u32) -> Option<Sent> {
        let (now, wire) = (self.now, &mut self.wires[w as usize]);
        let held = wire.clogged_until.max(self.broker.frozen_until);
        if wire.up.front()?.0 > now {
            return None;
        }
        if now < held {
            self.schedule.push(held, Step::WireUp(w));
            return None;
        }
        wire.up.pop_front().map(|(_, sent)| sent)
    }

    /// Takes what arrives at the node now.
    pub(super) fn next_down(&mut self, w: u32) -> Option<Received> {
        let (now, wire) = (self.now, &mut self.wires[w as usize]);
        if wire.down.front()?.0 > now {
            return None;
        }
        if now < wire.clogged_until {
            let at = wire.clogged_until;
            self.schedule.push(at, Step::WireDown(w));
            return None;
        }
        wire.down.pop_front().map(|(_, received)| received)
    }

    /// The connection breaks: what is on its way is lost, and the node is told at once.
    pub(super) fn wire_breaks(&mut self, w: u32) {
        let wire = &mut self.wires[w as usize];
        wire.up.clear();
        wire.down.clear();
        wire.answers.clear();
        let link = wire.link.take();
        let is_astray = wire.is_astray;
        if let Some(link) = link {
            self.broker.of(is_astray).disconnect(link);
        }
        self.broker.wires.remove(&w);
        let wire = &mut self.wires[w as usize];
        wire.swallows_down = false;
        self.wire_down(w, Received::Lost);
    }
}

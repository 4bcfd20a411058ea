//! One room as this node knows it: where its members are, and how holes are repaired.
//!
//! ```text
//!          enter            answer to Sync               hole, other epoch, link lost
//! Absent ────────▶ Syncing ───────────────▶ Live ───────────────────────────────▶ Syncing
//!                     │ broker away for too long                                     │
//!                     └───────────▶ Alone ◀──────────────────────────────────────────┘
//!                                     └── answer to Sync ──▶ Live
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asks::Asks;
use super::buffer::Buffer;
use super::local::Local;
use super::occupants::Occupants;
use super::outbox::{Outbox, settle};
use super::past::Past;
use super::seats::Seats;
use crate::Time;
use crate::cluster::RoomBody;
use crate::cluster::answer::Appended;
use crate::cluster::machine::config::{Order, RoomTerms, WhenDown};
use crate::cluster::machine::context::Context;
use crate::cluster::machine::output::{Fate, Output, PositionKind, Ticket};
use crate::cluster::machine::timers::Timer;

/// A room that somebody here is in, or that something is to be sent to.
#[derive(Debug)]
pub(in crate::cluster) struct Room {
    pub(in crate::cluster) name: Arc<str>,
    pub(in crate::cluster) stage: Stage,
    /// Epoch and number up to which everything was delivered or skipped.
    pub(super) position: Option<(Arc<str>, u64)>,
    /// Where it was in epochs before.
    pub(super) past: Past,
    /// The members are on their own, or are new: the next position is told to them.
    pub(super) untold: bool,
    /// The highest own number of each node that was delivered. What is sent again after a loss of data
    /// has another number in the room, but not for its node.
    pub(super) seen: BTreeMap<Arc<str>, u64>,
    pub(super) buffer: Buffer,
    /// Those that wait until it has caught up.
    pub(in crate::cluster) asks: Asks,
    pub(in crate::cluster) outbox: Outbox,
    pub(in crate::cluster) occupants: Occupants,
    pub(in crate::cluster) seats: Seats,
    pub(in crate::cluster) terms: RoomTerms,
    pub(in crate::cluster) needs_sync: bool,
    pub(in crate::cluster) needs_probe: bool,
    /// Its place in the queue of those that have something to ask.
    pub(in crate::cluster) queued: Option<u64>,
    /// Somebody here is in it; else it is only followed for a while.
    pub(in crate::cluster) has_members: bool,
    /// When it is followed no more.
    pub(in crate::cluster) linger: Option<Time>,
    /// When it is to be probed next.
    pub(in crate::cluster) probe: Option<Time>,
    /// Unique in the machine: an answer to an earlier stay says nothing about this one.
    pub(in crate::cluster) stay: u64,
    /// The session in which the broker was asked about this room.
    pub(in crate::cluster) session: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Stage {
    /// Nobody here is in it.
    Absent,
    /// The log is being read; what arrives waits.
    Syncing,
    /// What arrives is delivered.
    Live,
    /// The broker is away: own epoch, last own number.
    Alone(Arc<str>, u64),
    /// It has no common order.
    Local(Local),
}

impl Room {
    pub(in crate::cluster) fn new(name: Arc<str>, next_own: u64) -> Self {
        Self {
            name,
            stage: Stage::Absent,
            position: None,
            past: Past::default(),
            untold: true,
            seen: BTreeMap::new(),
            buffer: Buffer::default(),
            asks: Asks::default(),
            outbox: Outbox::new(next_own),
            occupants: Occupants::default(),
            seats: Seats::default(),
            terms: RoomTerms::default(),
            needs_sync: true,
            needs_probe: false,
            queued: None,
            has_members: false,
            linger: None,
            probe: None,
            stay: 0,
            session: 0,
        }
    }

    /// Somebody here is in it, or was a while ago: what happens in it is followed.
    pub(in crate::cluster) fn is_entered(&self) -> bool {
        self.stage != Stage::Absent
    }

    /// The latest value of each key is kept.
    pub(super) fn keeps_values(&self) -> bool {
        self.terms.keys > 0
    }

    /// The epoch and number after which the log is to be read.
    pub(in crate::cluster) fn since(&self) -> Option<(Arc<str>, u64)> {
        self.position.clone()
    }

    pub(in crate::cluster) fn has_something_to_ask(&self) -> bool {
        self.needs_sync
            || self.needs_probe
            || self.outbox.len() > 0
            || self.occupants.has_something_to_ask(self.is_entered())
            || self.seats.has_something_to_ask()
    }

    /// Nobody is here, and nothing is left to send.
    pub(in crate::cluster) fn is_done(&self, own: &Arc<str>) -> bool {
        !self.is_entered()
            && self.outbox.is_done()
            && self.occupants.is_done(own)
            && self.seats.is_done()
    }

    /// What is due, and when.
    pub(in crate::cluster) fn timers(&self) -> [(Option<Time>, Timer); 5] {
        let name = || Arc::clone(&self.name);
        [
            (self.probe, Timer::Probe(name())),
            (self.linger, Timer::Linger(name())),
            (self.occupants.write, Timer::Presence(name())),
            (self.occupants.fade, Timer::Fade(name())),
            (self.seats.due, Timer::Seats(name())),
        ]
    }

    /// The log is asked for.
    pub(in crate::cluster) fn is_asked(&mut self) {
        self.buffer.is_asked();
        self.asks.are_asked();
    }

    /// Something was said about the room in this epoch.
    pub(in crate::cluster) fn heard_of_epoch(&mut self, epoch: &str) {
        if let Some((known, _)) = &self.position
            && **known != *epoch
            && self.stage == Stage::Live
        {
            self.read_again();
        }
    }

    /// Somebody is in it who was not before.
    pub(in crate::cluster) fn enter(
        &mut self,
        stay: u64,
        terms: RoomTerms,
        epoch: Arc<str>,
        cx: &mut Context<'_>,
    ) {
        self.terms = terms;
        self.has_members = true;
        if self.is_entered() {
            // It was still followed.
            let timer = Timer::Linger(Arc::clone(&self.name));
            cx.timers.set(&mut self.linger, None, timer);
            self.tell_start(cx);
            return;
        }
        if terms.presence {
            self.occupants.enter();
        }
        self.stay = stay;
        self.untold = true;
        self.needs_sync = terms.presence || terms.order == Order::Total;
        self.stage = match terms.order {
            Order::Total => Stage::Syncing,
            Order::Local => Stage::Local(Local::new(epoch, stay)),
        };
        self.tell_start(cx);
    }

    /// Tells where its members begin, if that is known.
    fn tell_start(&mut self, cx: &mut Context<'_>) {
        let (epoch, seq) = match (&self.stage, &self.position) {
            (Stage::Local(local), _) => (Arc::clone(&local.epoch), local.seq()),
            (Stage::Syncing | Stage::Live, Some((epoch, seq))) => (Arc::clone(epoch), *seq),
            _ => return,
        };
        self.untold = false;
        cx.tell(Output::Position {
            room: Arc::clone(&self.name),
            epoch,
            seq,
            kind: PositionKind::Start,
        });
    }

    /// Nobody is in it any more; it is followed until then.
    pub(in crate::cluster) fn linger(&mut self, until: Time, cx: &mut Context<'_>) {
        self.has_members = false;
        let timer = Timer::Linger(Arc::clone(&self.name));
        cx.timers.set(&mut self.linger, Some(until), timer);
    }

    /// It is not followed any more.
    pub(in crate::cluster) fn leave(&mut self, cx: &mut Context<'_>) {
        self.stage = Stage::Absent;
        self.has_members = false;
        self.position = None;
        self.past = Past::default();
        self.seen.clear();
        self.buffer.clear();
        self.occupants.leave();
        let name = || Arc::clone(&self.name);
        cx.timers.set(&mut self.probe, None, Timer::Probe(name()));
        cx.timers.set(&mut self.linger, None, Timer::Linger(name()));
        settle(self.outbox.settle_all(), cx);
        self.nobody_waits(cx);
    }

    /// The first messages that were handed over have been dealt with.
    pub(in crate::cluster) fn appended(
        &mut self,
        epoch: &Arc<str>,
        fates: &[Appended],
        cx: &mut Context<'_>,
    ) {
        for ticket in self.outbox.answered(epoch, fates) {
            let fate = Fate::NotKept;
            cx.tell(Output::Published { ticket, fate });
        }
        if !self.is_entered() {
            settle(self.outbox.settle_all(), cx);
        }
    }

    /// The link is gone, or came back: the log has to be read before anything is delivered.
    pub(in crate::cluster) fn read_again(&mut self) {
        self.needs_probe = false;
        if let Stage::Local(_) = self.stage {
            self.needs_sync = self.terms.presence;
            return;
        }
        self.needs_sync = true;
        if self.stage == Stage::Live {
            self.stage = Stage::Syncing;
        }
    }

    /// The broker has been away for too long.
    pub(in crate::cluster) fn go_alone(&mut self, epoch: Arc<str>, cx: &mut Context<'_>) {
        self.untold = true;
        self.buffer.clear();
        let mut seq = 0;
        if self.keeps_values() {
            // The values that are here keep their numbers, and those of the broker are read anew later.
            seq = self.position.take().map_or(0, |(_, seq)| seq);
        }
        cx.tell(Output::Position {
            room: Arc::clone(&self.name),
            epoch: Arc::clone(&epoch),
            seq,
            kind: PositionKind::Local,
        });
        self.stage = Stage::Alone(epoch, seq);
        let waiting: Vec<_> = self.outbox.take_waiting().collect();
        for it in waiting {
            self.deliver_alone(it.ticket, it.body, cx);
        }
        settle(self.outbox.settle_all(), cx);
        self.nobody_waits(cx);
    }

    /// The broker has been away for too long, and nobody here can have what waits for it.
    pub(in crate::cluster) fn give_up_waiting(&mut self, cx: &mut Context<'_>) {
        let is_refused = self.terms.when_down == WhenDown::Refuse;
        let waiting: Vec<_> = self.outbox.take_waiting().collect();
        for it in waiting {
            let fate = if is_refused {
                Fate::Refused
            } else {
                Fate::Local
            };
            cx.tell(Output::Published {
                ticket: it.ticket,
                fate,
            });
        }
        if self.has_members && (self.position.is_none() || self.asks.are_open()) {
            self.asks.end();
            cx.tell(Output::Unavailable {
                room: Arc::clone(&self.name),
            });
        }
    }

    /// Somebody has to know that the room has caught up with the broker as it is from now on.
    pub(in crate::cluster) fn catch_up_for(&mut self, number: u64, cx: &mut Context<'_>) {
        self.asks.add(number);
        match self.stage {
            Stage::Syncing | Stage::Live => self.read_again(),
            Stage::Absent | Stage::Alone(..) | Stage::Local(_) => self.nobody_waits(cx),
        }
    }

    /// Where it is now, it is as far as it can be.
    fn nobody_waits(&mut self, cx: &mut Context<'_>) {
        let upto = self.asks.end();
        self.tell_caught_up(upto, cx);
    }

    pub(super) fn tell_caught_up(&self, upto: Option<u64>, cx: &mut Context<'_>) {
        if let Some(upto) = upto {
            cx.tell(Output::CaughtUp {
                room: Arc::clone(&self.name),
                upto,
            });
        }
    }

    /// Delivers a message to the members here; it is not sent on later.
    pub(in crate::cluster) fn deliver_alone(
        &mut self,
        ticket: Ticket,
        body: RoomBody,
        cx: &mut Context<'_>,
    ) {
        let Stage::Alone(_, seq) = &mut self.stage else {
            return;
        };
        *seq += 1;
        cx.tell(Output::Deliver {
            room: Arc::clone(&self.name),
            seq: *seq,
            node: Arc::clone(cx.node),
            body,
            ticket: Some(ticket),
        });
    }

    /// Says what is inconsistent about it, if anything.
    pub(in crate::cluster) fn audit(&self) -> Result<(), String> {
        let name = &self.name;
        if self.stage == Stage::Live && (self.position.is_none() || !self.buffer.is_empty()) {
            return Err(format!("room {name} is live at {:?}", self.position));
        }
        if self.has_members == self.linger.is_some() && self.is_entered() {
            return Err(format!("room {name} lingers with members, or not without"));
        }
        let is_followed = matches!(self.stage, Stage::Syncing | Stage::Live);
        if self.asks.are_open() && !(is_followed && self.needs_sync) {
            return Err(format!("room {name} does not catch up, but somebody waits"));
        }
        if self.stage == Stage::Syncing && !self.needs_sync {
            return Err(format!(
                "room {name} reads its log, but does not ask for it"
            ));
        }
        Ok(())
    }
}

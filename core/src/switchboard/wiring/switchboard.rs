//! The public type: its sub-machines, its clock and its timers.

use crate::hash::Secrets;
use crate::switchboard::action::{Action, Notice};
use crate::switchboard::clock::Clock;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::counters::{Counters, Level};
use crate::switchboard::deadlines::Deadlines;
use crate::switchboard::drain::Drain;
use crate::switchboard::effects::Effects;
use crate::switchboard::encoding::Encoder;
use crate::switchboard::liveness::Liveness;
use crate::switchboard::outbox::Outbox;
use crate::switchboard::partials::Partials;
use crate::switchboard::rooms::Rooms;
use crate::switchboard::seats::Seats;
use crate::switchboard::table::Table;
use crate::switchboard::timers::Kind;
use crate::switchboard::users::Users;
use crate::{CloseReason, Config, ConfigError, ConnectionId, StaleId, Time};

/// The connection manager of one node.
///
/// # Use
/// 1. Pass in an event or a command, with the time.
/// 2. Carry out what [`poll_action`](Self::poll_action) returns, until it returns `None`.
/// 3. Call [`tick`](Self::tick) when the time of [`next_deadline`](Self::next_deadline) has come.
///
/// Calls may come in any order. The work of a call is bounded by its input and its number of
/// recipients.
#[derive(Debug)]
pub struct Switchboard {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) rng: fastrand::Rng,
    pub(super) connections: Table,
    pub(super) seats: Seats,
    pub(super) partials: Partials,
    pub(super) users: Users,
    pub(super) rooms: Rooms,
    pub(super) outbox: Outbox,
    pub(super) encoder: Encoder,
    pub(super) deadlines: Deadlines,
    pub(super) pings: Liveness,
    pub(super) drain: Drain,
    pub(super) effects: Effects,
    pub(super) counters: Counters,
}

impl Switchboard {
    /// Creates a manager without connections.
    ///
    /// All randomness follows from `seed`. Take it from the operating system; otherwise the hash
    /// keys of the maps and the epochs of rooms can be guessed.
    ///
    /// # Errors
    /// If [`Config::check`] fails.
    pub fn new(config: Config, seed: u64, now: Time) -> Result<Self, ConfigError> {
        config.check()?;
        let Secrets { keyed, epochs, rng } = Secrets::expand(seed);
        let rooms = Rooms::new(keyed, epochs);
        Ok(Self {
            clock: Clock::new(now),
            rng,
            connections: Table::default(),
            seats: Seats::new(keyed),
            partials: Partials::default(),
            users: Users::new(keyed),
            rooms,
            outbox: Outbox::default(),
            encoder: Encoder::default(),
            deadlines: Deadlines::default(),
            pings: Liveness::default(),
            drain: Drain::default(),
            effects: Effects::default(),
            counters: Counters::default(),
            config,
        })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the next action, or `None` when there is nothing to do.
    ///
    /// Notices and ends come before [`Action::Send`]. An action that is dropped is lost.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.poll_notice()
            .or_else(|| self.poll_send().map(Action::Send))
    }

    /// Returns the next action that is not an [`Action::Send`].
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Action> {
        debug_assert!(
            self.effects.is_settled(),
            "each call carries out what it recorded"
        );
        if self.effects.is_empty() {
            // Frames without a limit of their own (pings, pongs, Close frames) count as well.
            self.enforce_queue_budget();
        }
        self.effects.next_action()
    }

    /// Returns when to call [`tick`](Self::tick), which is always after the last tick.
    ///
    /// Costs one comparison per kind of timer.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        [
            self.deadlines.next().map(|at| self.clock.driver_time(at)),
            self.pings.next().map(|at| self.clock.driver_time(at)),
            self.rooms.next(),
            self.deadlines.next_expiry(),
            self.seats.next(),
            self.drain.next(),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|at| self.clock.after_tick(at))
    }

    /// Acts on what is due. Early, late, repeated and backward calls are harmless.
    pub fn tick(&mut self, now: Time) {
        if now < self.clock.now() {
            return;
        }
        self.advance_clock(now);
        self.tick_drain();
        self.tick_expiries();
        let now = self.liveness();
        while let Some((kind, id)) = self.deadlines.pop(&mut self.connections, &self.config, now) {
            self.due(kind, id);
        }
        self.end_beat();
        let now = self.liveness();
        self.pings
            .tick(&mut self.connections, &mut self.effects, now);
        self.tick_presence();
        self.deadlines.sweep(&self.connections);
        self.seats.tick(self.clock.now());
        self.clock.tick();
    }

    /// Advances the clock, and detects a stall of the host before this call.
    pub(super) fn advance_clock(&mut self, now: Time) {
        let threshold = self.config.health.stall_threshold;
        let due = if self.clock.may_have_stalled(now, threshold) {
            self.next_deadline()
        } else {
            None
        };
        if let Some(by) = self.clock.advance(now, due, threshold) {
            self.notify(Notice::HostStalled { by });
        }
    }

    /// Returns the current liveness time, which does not advance during a stall of the host.
    pub(super) fn liveness(&self) -> Time {
        self.clock.liveness()
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.effects.notify(notice);
    }

    /// Carries out what sub-machines have recorded: resumes reading, and ends connections.
    pub(super) fn settle(&mut self) {
        while let Some(id) = self.effects.next_resumed() {
            self.reading_resumed(id);
            self.effects.act(Action::ReadMode(id));
        }
        while let Some((id, reason)) = self.effects.next_end() {
            self.end(id, reason);
        }
    }

    /// Arms a timer of this kind, for its deadline or earlier.
    pub(super) fn arm(&mut self, id: ConnectionId, kind: Kind) {
        self.deadlines
            .arm(&mut self.connections, &self.config, id, kind);
    }

    /// Disarms a timer that is not needed any more, or not until it is armed `again`.
    pub(super) fn disarm(&mut self, id: ConnectionId, kind: Kind, again: bool) {
        self.deadlines
            .disarm(&mut self.connections, id, kind, again);
    }

    /// Sends a notice when a limit is used to 80 % or to 100 % for the first time.
    pub(super) fn note_level(&mut self, level: Level, used: usize, limit: usize) {
        self.counters
            .note_level(&mut self.effects, level, used, limit);
    }

    fn due(&mut self, kind: Kind, id: ConnectionId) {
        match kind {
            Kind::Handshake => self.handshake_timed_out(id),
            Kind::Hook => self.hook_failed(id),
            Kind::Auth => self.end(id, CloseReason::AuthTimeout),
            Kind::Claim => self.decide_claim(id),
            Kind::Linger | Kind::Close => self.remove(id, None),
            Kind::Message => self.end(id, CloseReason::Policy),
            Kind::PingTimeout => self.evict(id, CloseReason::HeartbeatTimeout),
            Kind::WriteStall
                if self
                    .connections
                    .get(id)
                    .is_ok_and(ConnectionState::reads_page) =>
            {
                self.remove(id, None);
            }
            Kind::WriteStall => self.end(id, CloseReason::SlowConsumer),
            Kind::Ping => self.send_ping(id),
        }
    }

    fn tick_expiries(&mut self) {
        let now = self.clock.now();
        while let Some(id) = self.deadlines.pop_expired(&mut self.connections, now) {
            self.effects.end(id, CloseReason::TokenExpired);
        }
        self.settle();
    }

    pub(super) fn check(&self, id: ConnectionId) -> Result<(), StaleId> {
        self.connections.get(id).map(|_| ())
    }
}

//! The public type: its state, its clock and its timers.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::drain::Drain;
use super::health::Probes;
use super::presence::PresenceTimers;
use super::rooms::RoomTable;
use super::stats::Counters;
use super::users::Users;
use crate::hash::Secrets;
use crate::switchboard::action::{Action, Notice};
use crate::switchboard::connection::{ConnectionState, Table};
use crate::switchboard::effects::Effects;
use crate::switchboard::encoding::Encoder;
use crate::switchboard::ips::Ips;
use crate::switchboard::pool::Pool;
use crate::switchboard::timers::{Kind, Timers};
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
    pub(super) now: Time,
    pub(super) started: Time,
    pub(super) ticked: Time,
    /// The wall clock in Unix seconds, and when it was set.
    pub(super) wall: Option<(Time, u64)>,
    /// The total time of host stalls. Liveness time is the driver's time less this.
    pub(super) stall: Duration,
    /// Up to when host stalls are accounted for.
    pub(super) accounted: Time,
    pub(super) rng: fastrand::Rng,
    pub(super) connections: Table,
    /// Connections that are open.
    pub(super) open: usize,
    /// Connections that hold a handshake seat.
    pub(super) handshakes: usize,
    /// Those of them that have been refused.
    pub(super) refused: usize,
    /// Connections that wait for a page or read it, in seats of their own.
    pub(super) pages: usize,
    /// Connections that are closing.
    pub(super) closing: usize,
    /// Whether each [`Notice::Closed`] begins a hook.
    pub(super) awaits_hooks: bool,
    /// Ended connections whose hook has not returned.
    pub(super) disconnecting: usize,
    /// Bytes of unfinished messages.
    pub(super) unfinished: usize,
    pub(super) users: Users,
    pub(super) rooms: RoomTable,
    pub(super) ips: Ips,
    pub(super) pool: Pool,
    pub(super) encoder: Encoder,
    pub(super) timers: Timers,
    /// Timers that are armed for existing connections.
    pub(super) armed: usize,
    pub(super) presence_timers: PresenceTimers,
    pub(super) expiries: BTreeSet<(Time, ConnectionId)>,
    pub(super) probes: Probes,
    pub(super) drain: Option<Drain>,
    pub(super) queued_writes: VecDeque<QueuedWrite>,
    /// Entries taken from `queued_writes` whose writer may not have reported yet, the oldest first.
    pub(super) writing: VecDeque<QueuedWrite>,
    /// Totals of what has been queued, to measure how far the writers are behind.
    pub(super) publish_totals: PublishTotals,
    pub(super) effects: Effects,
    pub(super) counters: Counters,
    /// Connections whose sockets take no bytes. Only these are closed for the bound of the node.
    pub(super) blocked: BTreeSet<ConnectionId>,
}

/// Connections that are prefetched together: a little more than the cache misses that a processor
/// can have under way.
const PREFETCH: usize = 32;

/// A connection that has something to write, and the totals when it was queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedWrite {
    pub(super) id: ConnectionId,
    pub(super) since: PublishTotals,
}

/// How much has been queued; a broadcast counts once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PublishTotals {
    pub(super) messages: u64,
    pub(super) bytes: u64,
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
        let rooms = RoomTable::new(keyed, epochs);
        Ok(Self {
            now,
            started: now,
            ticked: now,
            wall: None,
            stall: Duration::ZERO,
            accounted: now,
            rng,
            connections: Table::default(),
            open: 0,
            handshakes: 0,
            pages: 0,
            refused: 0,
            closing: 0,
            awaits_hooks: false,
            disconnecting: 0,
            unfinished: 0,
            users: Users::new(keyed),
            rooms,
            ips: Ips::new(keyed),
            pool: Pool::default(),
            encoder: Encoder::default(),
            timers: Timers::default(),
            armed: 0,
            presence_timers: PresenceTimers::default(),
            expiries: BTreeSet::new(),
            probes: Probes::default(),
            drain: None,
            queued_writes: VecDeque::new(),
            writing: VecDeque::new(),
            publish_totals: PublishTotals::default(),
            effects: Effects::default(),
            counters: Counters::default(),
            blocked: BTreeSet::new(),
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
            self.timers.next().map(|at| at + self.stall),
            self.probes.next().map(|at| at + self.stall),
            self.presence_timers.next(),
            self.expiries.first().map(|&(at, _)| at),
            self.ips.next(),
            self.drain.as_ref().and_then(Drain::next),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|at| at.max(self.ticked + Duration::from_nanos(1)))
    }

    /// Acts on what is due. Early, late, repeated and backward calls are harmless.
    pub fn tick(&mut self, now: Time) {
        if now < self.now {
            return;
        }
        self.advance_clock(now);
        self.tick_drain();
        self.tick_expiries();
        let mut fetched = 0;
        while let Some((_, kind, id)) = self.timers.pop(self.liveness()) {
            fetched = match fetched {
                // Prefetch the next batch before this one runs out.
                0 | 1 => self.prefetch(kind),
                more => more - 1,
            };
            self.fire(kind, id);
        }
        self.end_beat();
        self.tick_probes();
        self.tick_presence();
        self.sweep_timers();
        self.ips.tick(self.now);
        self.ticked = self.now;
    }

    /// Advances the clock, and detects a stall of the host before this call.
    pub(super) fn advance_clock(&mut self, now: Time) {
        let now = now.max(self.now);
        let threshold = self.config.health.stall_threshold;
        if now.since(self.ticked) > threshold
            && let Some(due) = self.next_deadline()
        {
            // The host was running at the last call, even if that was past the deadline.
            let late = now.since(due.max(self.accounted).max(self.now));
            if late > threshold {
                self.stall += late;
                self.accounted = now;
                self.notify(Notice::HostStalled { by: late });
            }
        }
        self.now = now;
    }

    /// Returns the current liveness time, which does not advance during a stall of the host.
    pub(super) fn liveness(&self) -> Time {
        self.now.before(self.stall)
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.effects.notify(notice);
    }

    /// Ends the connections that sub-machines have found to be at their end.
    pub(super) fn settle(&mut self) {
        while let Some((id, reason)) = self.effects.next_end() {
            self.end(id, reason);
        }
    }

    /// Arms a timer of this kind, for its deadline or earlier.
    pub(super) fn arm(&mut self, id: ConnectionId, kind: Kind) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.is_armed(kind) {
            return;
        }
        if let Some(at) = connection.deadline(kind, &self.config) {
            connection.armed |= kind.bit();
            self.armed += 1;
            self.timers.push(kind, at, id);
            self.sweep_timers();
        }
    }

    /// Disarms a timer that is not needed any more, or not until it is armed `again`.
    pub(super) fn disarm(&mut self, id: ConnectionId, kind: Kind, again: bool) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        // An entry that stays in its lane must not get a duplicate.
        if connection.is_armed(kind) && (self.timers.take_back(kind, id) || !again) {
            connection.armed &= !kind.bit();
            self.armed -= 1;
            self.sweep_timers();
        }
    }

    /// Keeps entries of disarmed timers fewer than armed ones, plus a constant.
    pub(super) fn sweep_timers(&mut self) {
        if self.timers.len() > 2 * self.armed + 64 {
            let connections = &self.connections;
            self.timers.retain(|kind, id| {
                connections
                    .get(id)
                    .is_ok_and(|connection| connection.is_armed(kind))
            });
        }
    }

    /// Reads a word of each connection that is due next, so that their cache misses overlap.
    /// Returns the number of connections.
    fn prefetch(&self, kind: Kind) -> usize {
        let ahead = self.timers.ahead(kind, self.liveness()).take(PREFETCH);
        let mut words = 0;
        let mut count = 0;
        for id in ahead {
            words ^= self.connections.get(id).map_or(0, ConnectionState::fetch);
            count += 1;
        }
        std::hint::black_box(words);
        count
    }

    /// Handles a timer that has come due: at its deadline, or earlier if the deadline has moved
    /// since.
    fn fire(&mut self, kind: Kind, id: ConnectionId) {
        let now = self.liveness();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if !connection.is_armed(kind) {
            return;
        }
        connection.armed &= !kind.bit();
        self.armed -= 1;
        match connection.deadline(kind, &self.config) {
            None => {}
            Some(at) if at > now => self.arm(id, kind),
            Some(_) => self.due(kind, id),
        }
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
        while let Some(&(at, id)) = self.expiries.first()
            && at <= self.now
        {
            self.expiries.pop_first();
            if let Ok(connection) = self.connections.get_mut(id) {
                connection.set_expires(None);
            }
            self.effects.end(id, CloseReason::TokenExpired);
        }
        self.settle();
    }

    pub(super) fn check(&self, id: ConnectionId) -> Result<(), StaleId> {
        self.connections.get(id).map(|_| ())
    }
}

//! The manager: all policy over all connections.
//!
//! Events and commands go in with the time at which they happened; what follows from them is
//! polled. Nothing here reads a clock, a socket or a random source.

mod admission;
mod audit;
mod capacity;
mod commands;
mod connection;
mod delivery;
mod devices;
mod drain;
mod encoding;
mod ending;
mod health;
mod inbound;
mod ips;
mod limits;
mod occupants;
mod outbound;
mod pool;
mod presence;
mod queue;
mod refusal;
mod reject;
mod rooms;
mod stats;
mod timers;
mod users;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use self::admission::{Identity, RequestOutcome};
pub use self::audit::Inconsistency;
pub use self::commands::{Denied, Question};
pub use self::delivery::{Exclude, Receipt, SendError};
pub use self::drain::DrainReport;
pub use self::health::PingResult;
pub use self::inbound::{Event, ReadMode};
pub use self::pool::Chunk;
pub use self::rooms::JoinError;
pub use self::stats::Stats;

use self::connection::{ConnectionState, Table};
use self::drain::Drain;
use self::encoding::Encoder;
use self::health::Probes;
use self::ips::Ips;
use self::pool::Pool;
use self::presence::PresenceTimers;
use self::rooms::RoomTable;
use self::stats::Counters;
use self::timers::{Kind, Timers};
use self::users::Users;
use crate::hash::Secrets;
use crate::{
    BadName, CloseReason, Config, ConfigError, ConnectionId, Frame, Refused, StaleId, Time,
};

/// The connection manager of one node.
///
/// # Use
/// 1. Put in an event or a command, with the time.
/// 2. Drain [`poll_action`](Self::poll_action).
/// 3. Call [`tick`](Self::tick) when [`next_deadline`](Self::next_deadline) has come.
///
/// Any order of calls is legal. A call does an amount of work that is bounded by its input and,
/// for what goes to many, by the number of those it goes to.
#[derive(Debug)]
pub struct Switchboard {
    config: Config,
    now: Time,
    started: Time,
    ticked: Time,
    /// What the wall clock showed, and when.
    wall: Option<(Time, u64)>,
    /// How long the host has stood still: liveness time is the driver's time less this.
    stall: Duration,
    /// Up to when standing still has been accounted for.
    accounted: Time,
    rng: fastrand::Rng,
    connections: Table,
    /// Connections that are open.
    open: usize,
    /// Connections that hold a handshake seat.
    handshakes: usize,
    /// Of those, the ones that have been refused.
    refused: usize,
    /// Connections that wait for a page or read it, in seats of their own kind.
    pages: usize,
    /// Connections that are closing.
    closing: usize,
    /// Each end begins a hook.
    awaits_hooks: bool,
    /// Connections whose end the application is still being told.
    disconnecting: usize,
    /// Bytes of unfinished messages.
    unfinished: usize,
    users: Users,
    rooms: RoomTable,
    ips: Ips,
    pool: Pool,
    encoder: Encoder,
    timers: Timers,
    /// Timers that are armed for connections that are there.
    armed: usize,
    presence_timers: PresenceTimers,
    expiries: BTreeSet<(Time, ConnectionId)>,
    probes: Probes,
    drain: Option<Drain>,
    queued_writes: VecDeque<QueuedWrite>,
    /// Those that were taken from there and may still be written, the oldest first.
    writing: VecDeque<QueuedWrite>,
    /// Counts what has been put into queues, to tell how far the writers are behind.
    publish_totals: PublishTotals,
    notices: VecDeque<Action>,
    counters: Counters,
    /// Connections whose sockets take no more: only they are closed for the bound of the node.
    blocked: BTreeSet<ConnectionId>,
    /// Members found slow during a broadcast, to be closed after it.
    slow: Vec<ConnectionId>,
}

/// Connections that are fetched together: as many as a processor waits for at a time, and some.
const PREFETCH: usize = 32;

/// A connection that has something to write, and when it was put into the list.
#[derive(Clone, Copy, Debug)]
struct QueuedWrite {
    id: ConnectionId,
    since: PublishTotals,
}

/// How much has been put into queues, a broadcast counted once.
#[derive(Clone, Copy, Debug, Default)]
struct PublishTotals {
    messages: u64,
    bytes: u64,
}

/// What a driver has to do.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bytes can be taken for this connection. The caller is its only writer until it reports
    /// [`Event::Wrote`] or [`Event::Reset`].
    Send(ConnectionId),
    /// Everything is written: shut down the write side and go on reading.
    ShutdownWrite(ConnectionId),
    /// How this connection is to be read has changed: ask [`Switchboard::read_mode`].
    ReadMode(ConnectionId),
    /// The connection has gone: try once to write `last`, if there is any, and drop the socket.
    Evict {
        /// Which connection; the id is stale now.
        id: ConnectionId,
        /// A Close frame that may or may not get out.
        last: Option<Frame>,
    },
    /// Something for the application or the log.
    Notify(Notice),
}

/// Something for the application or the log.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A connection was admitted.
    Opened {
        /// Which.
        id: ConnectionId,
        /// Whose.
        user: Arc<str>,
    },
    /// A connection was refused.
    Refused {
        /// Which.
        id: ConnectionId,
        /// Why.
        refused: Refused,
    },
    /// The application gave a name to a user that no user may have; the connection is refused or
    /// closed with `internal`.
    BadUser {
        /// Which connection.
        id: ConnectionId,
        /// The rule that the name breaks.
        bad: BadName,
    },
    /// An admitted connection has ended; it may take a moment until its socket is gone.
    Closed {
        /// Which.
        id: ConnectionId,
        /// Whose.
        user: Arc<str>,
        /// The rooms that it was in.
        rooms: Vec<Arc<str>>,
        /// Why.
        reason: CloseReason,
    },
    /// A connection entered a room.
    Joined {
        /// Which connection.
        id: ConnectionId,
        /// Which room.
        room: Arc<str>,
    },
    /// The application has granted a connection a room, and it did not get in: a limit, or it is there
    /// already. The client is told. For the lobby of its URL, before a connection is admitted, it is
    /// [`Notice::Refused`] instead.
    JoinFailed {
        /// Which connection.
        id: ConnectionId,
        /// Which room.
        room: Arc<str>,
        /// Why.
        error: JoinError,
    },
    /// A connection left a room, or its end took it out.
    Left {
        /// Which connection.
        id: ConnectionId,
        /// Which room.
        room: Arc<str>,
    },
    /// Who is in a room has changed.
    Presence {
        /// Which room.
        room: Arc<str>,
        /// How many users are there now.
        count: usize,
        /// Who came.
        joined: Vec<Arc<str>>,
        /// Who went.
        left: Vec<Arc<str>>,
    },
    /// A limit was reached to this part for the first time.
    NearLimit {
        /// Which limit.
        limit: &'static str,
        /// How much of it: 80 or 100.
        percent: u8,
    },
    /// The host stood still; the deadlines of its clients were moved by as much.
    HostStalled {
        /// For how long.
        by: Duration,
    },
    /// The answer to [`Switchboard::ping_user`].
    Pinged {
        /// What `ping_user` returned.
        ticket: u64,
        /// One result per connection that the user had.
        results: Vec<PingResult>,
    },
    /// Nobody is left.
    Drained(DrainReport),
}

impl Switchboard {
    /// A manager without connections.
    ///
    /// All that is random follows from `seed`: draw it from the operating system, or the keys of
    /// the maps and the epochs of the rooms can be guessed.
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
            notices: VecDeque::new(),
            counters: Counters::default(),
            blocked: BTreeSet::new(),
            slow: Vec::new(),
            config,
        })
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The next thing to do; `None` when all is done.
    ///
    /// Notices and ends come before `Send`. Dropping an action loses it.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.poll_notice()
            .or_else(|| self.poll_send().map(Action::Send))
    }

    /// The next action that is not a `Send`.
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Action> {
        if self.notices.is_empty() {
            // What has no limit of its own (pings, pongs, Close frames) counts as well.
            self.enforce_queue_budget();
        }
        let action = self.notices.pop_front();
        if action.is_none() && self.notices.capacity() > 1 << 10 {
            self.notices = VecDeque::new();
        }
        action
    }

    /// When [`tick`](Self::tick) has something to do; always after the last tick.
    ///
    /// Costs a comparison per kind of timer.
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

    /// Does what is due. Early, late, repeated and backward calls do no harm.
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
                // With the last that was fetched, that there is no gap.
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

    /// Notes the time of a call, and whether the host stood still before it.
    fn advance_clock(&mut self, now: Time) {
        let now = now.max(self.now);
        let threshold = self.config.health.stall_threshold;
        if now.since(self.ticked) > threshold
            && let Some(due) = self.next_deadline()
        {
            // Up to the last call the host was there, whatever it had promised.
            let late = now.since(due.max(self.accounted).max(self.now));
            if late > threshold {
                self.stall += late;
                self.accounted = now;
                self.notify(Notice::HostStalled { by: late });
            }
        }
        self.now = now;
    }

    /// Now, on the clock that stands still with the host.
    fn liveness(&self) -> Time {
        self.now.before(self.stall)
    }

    fn notify(&mut self, notice: Notice) {
        self.notices.push_back(Action::Notify(notice));
    }

    /// Makes sure that a timer of this kind is armed, for its deadline or earlier.
    fn arm(&mut self, id: ConnectionId, kind: Kind) {
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

    /// A connection needs no timer of this kind any more; `again`: until it is armed again.
    fn disarm(&mut self, id: ConnectionId, kind: Kind, again: bool) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        // One that stays in its lane must not be doubled by another.
        if connection.is_armed(kind) && (self.timers.take_back(kind, id) || !again) {
            connection.armed &= !kind.bit();
            self.armed -= 1;
            self.sweep_timers();
        }
    }

    /// Keeps the timers that nobody waits for fewer than the others.
    fn sweep_timers(&mut self) {
        if self.timers.len() > 2 * self.armed + 64 {
            let connections = &self.connections;
            self.timers.retain(|kind, id| {
                connections
                    .get(id)
                    .is_ok_and(|connection| connection.is_armed(kind))
            });
        }
    }

    /// Reads a word of each connection that is due next, so that the cache fetches them all at
    /// once and not one after the other; says how many.
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

    /// A timer has come due: for its time, or for an earlier one that has been moved since.
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
            self.end(id, CloseReason::TokenExpired);
        }
    }

    fn check(&self, id: ConnectionId) -> Result<(), StaleId> {
        self.connections.get(id).map(|_| ())
    }
}

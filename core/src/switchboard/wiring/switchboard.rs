//! The public type: its sub-machines, its clock and its timers.

use std::collections::VecDeque;

use crate::base::hash::{Keyed, Secrets};
use crate::recorder::{Beginning, Recorder};
use crate::switchboard::action::Notice;
use crate::switchboard::clock::Clock;
use crate::switchboard::counters::{Counters, Level};
use crate::switchboard::deadlines::Deadlines;
use crate::switchboard::drain::Drain;
use crate::switchboard::effects::Effects;
use crate::switchboard::encoding::Encoder;
use crate::switchboard::fingerprints::Fingerprints;
use crate::switchboard::held_seats::HeldSeats;
use crate::switchboard::info_updates::InfoUpdates;
use crate::switchboard::liveness::Liveness;
use crate::switchboard::log::{self, Log};
use crate::switchboard::partials::Partials;
use crate::switchboard::posts::Posts;
use crate::switchboard::relay::Relay;
use crate::switchboard::rooms::Rooms;
use crate::switchboard::seats::Seats;
use crate::switchboard::table::Table;
use crate::switchboard::timers::Kind;
use crate::switchboard::to_all::FromCluster;
use crate::switchboard::to_user::DirectInParts;
use crate::switchboard::users::Users;
use crate::{Config, ConfigError, ConnectionId, StaleId, Time};

/// The connection manager of one node.
///
/// # Use
/// 1. Pass in an event or a command, with the time.
/// 2. Carry out what [`poll_action`](Self::poll_action) returns, until it returns `None`.
/// 3. Call [`tick`](Self::tick) when the time of [`next_deadline`](Self::next_deadline) has come.
///
/// Calls may come in any order. The work of a call is bounded by its input and its number of
/// recipients.
///
/// # Run loop
/// Buffers stand for the sockets here, and a request that was answered already for what a
/// [`Session`](crate::session::Session) reads:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::net::{IpAddr, Ipv4Addr};
///
/// use switchboard_core::{
///     Action, Config, ConnectionId, Identity, Request, Switchboard, Time, WriteTurn,
/// };
///
/// type Sockets = BTreeMap<ConnectionId, Vec<u8>>;
///
/// fn carry_out(node: &mut Switchboard, now: Time, sockets: &mut Sockets) {
///     while let Some(action) = node.poll_action() {
///         match action {
///             Action::Evict { id, .. } => drop(sockets.remove(&id)),
///             Action::Notify(notice) => println!("{notice:?}"),
///             // The others concern reading.
///             _ => {}
///         }
///     }
///     let mut turn = WriteTurn::default();
///     while node.wants_write() {
///         node.take_turn(&mut turn, 32);
///         // A socket may take less: report how much it took, and later that it is writable again.
///         // The rest stays queued.
///         turn.write_each(|id, bytes| {
///             sockets.entry(id).or_default().extend_from_slice(bytes);
///             bytes.len()
///         });
///         node.report(now, &mut turn);
///     }
/// }
///
/// let (mut now, mut sockets) = (Time::ZERO, Sockets::new());
/// let mut node = Switchboard::new(Config::default(), 7, now)?;
///
/// let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// let request = Request::upgraded("/ws/blue", Some("blue".into()), [("host", "example.org")])?;
/// let id = node.connect(now, peer)?;
/// node.upgraded(now, id, &request)?;
/// node.authenticated(now, id, Ok(Identity::user("ann")), None)?;
/// carry_out(&mut node, now, &mut sockets);
/// assert_eq!(node.members("blue"), [id]);
/// assert!(String::from_utf8_lossy(&sockets[&id]).contains("welcome"));
///
/// // Sleep until the next deadline, then tick.
/// now = node.next_deadline().expect("a ping will be due");
/// node.tick(now);
/// carry_out(&mut node, now, &mut sockets);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    pub(super) held_seats: HeldSeats,
    pub(super) log: Log,
    pub(super) encoder: Encoder,
    pub(super) fingerprints: Fingerprints,
    pub(super) deadlines: Deadlines,
    pub(super) pings: Liveness,
    pub(super) posts: Posts,
    pub(super) drain: Drain,
    /// Direct messages on their way to users with many connections, the oldest first.
    pub(super) directs: VecDeque<DirectInParts>,
    pub(super) info_updates: InfoUpdates,
    pub(super) effects: Effects,
    pub(super) counters: Counters,
    /// In a cluster, what is to be said to it.
    pub(super) relay: Option<Box<Relay>>,
    /// What it says to all connections, the oldest first.
    pub(super) from_cluster: VecDeque<FromCluster>,
    pub(super) recorder: Option<Box<Recorder>>,
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
        Ok(Self::with_secrets(config, Secrets::expand(seed), now))
    }

    /// Creates a manager with a configuration that was checked.
    pub(super) fn with_secrets(config: Config, secrets: Secrets, now: Time) -> Self {
        let Secrets {
            keyed,
            epochs,
            posts,
            payloads,
            rng,
        } = secrets;
        let beginning = Beginning {
            start: now.as_nanos(),
            rng: rng.get_seed(),
            epochs,
        };
        let (bytes, name_bytes) = (config.recorder.bytes, config.limits.name_bytes);
        let recorder = || Box::new(Recorder::new(bytes, payloads, name_bytes, beginning));
        let rooms = Rooms::new(keyed, epochs);
        Self {
            clock: Clock::new(now),
            rng,
            connections: Table::default(),
            seats: Seats::new(keyed),
            partials: Partials::default(),
            users: Users::new(keyed),
            rooms,
            held_seats: HeldSeats::default(),
            log: Log::new(log::Limits::of(&config)),
            encoder: Encoder::default(),
            fingerprints: Fingerprints::new(if config.cluster.is_some() {
                // All nodes have to know a session by the same hash.
                Keyed::COMMON
            } else {
                keyed
            }),
            deadlines: Deadlines::default(),
            pings: Liveness::default(),
            posts: Posts::new(posts),
            drain: Drain::default(),
            directs: VecDeque::new(),
            info_updates: InfoUpdates::default(),
            effects: Effects::default(),
            counters: Counters::default(),
            relay: config.cluster.as_ref().map(|_| Box::default()),
            from_cluster: VecDeque::new(),
            recorder: (bytes > 0).then(recorder),
            config,
        }
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns when to call [`tick`](Self::tick), which is always after the last tick.
    ///
    /// Costs one comparison per kind of timer.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let of_users = !self.directs.is_empty() || !self.info_updates.is_empty();
        let relay = self.relay.as_ref();
        let to_enter = relay.is_some_and(|relay| !relay.entering.is_empty());
        let to_send = of_users || to_enter || !self.from_cluster.is_empty();
        let more = to_send || self.has_more_to_end() || self.pings.has_more_to_ask();
        let more = more.then(|| self.clock.now());
        let live = earlier(self.deadlines.next(), self.pings.next());
        let mut next = earlier(more, live.map(|at| self.clock.driver_time(at)));
        next = earlier(next, self.rooms.next());
        next = earlier(next, self.held_seats.next());
        next = earlier(next, self.deadlines.next_expiry());
        next = earlier(next, self.seats.next());
        next = earlier(next, self.drain.next());
        next = earlier(next, self.log.next_deadline());
        next.map(|at| self.clock.after_tick(at))
    }

    /// Begins a call: advances the clock, and detects a stall of the host before it.
    pub(super) fn advance_clock(&mut self, now: Time) {
        self.effects.begin_call();
        let threshold = self.config.health.stall_threshold;
        let due = if self.clock.may_have_stalled(now, threshold) {
            self.next_deadline()
        } else {
            None
        };
        if let Some(by) = self.clock.advance(now, due, threshold) {
            self.notify(Notice::HostStalled { by });
        }
        self.log.advance_clock(self.clock.now());
    }

    /// Returns the current liveness time, which does not advance during a stall of the host.
    pub(super) fn liveness(&self) -> Time {
        self.clock.liveness()
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.effects.notify(notice);
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

    pub(super) fn check(&self, id: ConnectionId) -> Result<(), StaleId> {
        self.connections.get(id).map(|_| ())
    }
}

/// Returns the earlier of two times, if there is one.
fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

//! A plain second implementation of the core's rules: lists and maps, recounted instead of
//! maintained.
//!
//! It predicts what each call must lead to. Random choices of the system (phases of pings, the
//! order of a drain, the delay in a `bye`) are taken from its output after a check that they are
//! legal.

// The names of a phase's fields suffice.
#![allow(missing_docs)]

mod admission;
mod claims;
mod commands;
mod ending;
mod health;
mod held;
mod histories;
mod item;
mod presence;
pub mod queue;
mod rates;
mod refusals;
mod rooms;
mod said;
mod sending;
pub mod texts;
mod timers;

use std::collections::BTreeMap;

use switchboard_core::{Config, ConnectionId, Wire};

use self::queue::Queue;
use self::rates::charge;

pub use self::admission::Verdict;
pub use self::histories::Wish;
pub use self::rooms::{Excluded, Tally};
pub use self::said::{Ask, Said};

/// Nanoseconds.
pub type Nanos = u64;

/// Converts a duration to nanoseconds.
pub fn nanos(duration: std::time::Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The phase of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Its request is not complete.
    Arrived,
    /// It waits for a page.
    Page,
    /// The application authenticates it; holds the length of the pending 101, if the system writes
    /// it.
    Authenticating {
        lobby: Option<String>,
        response: Option<usize>,
    },
    /// Its first message must authenticate it.
    AwaitingAuth { lobby: Option<String> },
    /// It was refused, or got a `page`. It has the `seat` of a page if it asked for one.
    Refused { page: bool, seat: bool },
    /// It is admitted.
    Open,
    /// It was admitted and is ending.
    Closing { key: &'static str },
}

/// One connection.
// Independent flags; the rules combine them.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub struct Conn {
    /// Its phase.
    pub phase: Phase,
    /// Its address.
    pub ip: u8,
    /// Whether it holds a seat of its address.
    pub ip_seat: bool,
    /// Whether its connect was charged, and whether the rate allowed it.
    pub within_rate: Option<bool>,
    /// Its user, while it is open.
    pub user: String,
    /// Whether it is anonymous.
    pub anonymous: bool,
    /// Its rooms, and whether by the URL.
    pub rooms: Vec<(String, bool)>,
    /// The number of its membership in each.
    pub stays: BTreeMap<String, u64>,
    /// Its queue.
    pub queue: Queue,
    /// The deadline of its pending hook.
    pub hook: Option<Nanos>,
    /// The deadline of the phase, in liveness time.
    pub deadline: Nanos,
    /// Set while it waits for the fate of its user's other connection.
    pub claim: Option<claims::Claim>,
    /// The deadline of the unfinished message.
    pub message_deadline: Option<Nanos>,
    /// Bytes of the unfinished message.
    pub partial: usize,
    /// When its identity expires.
    pub expires: Option<Nanos>,
    /// Liveness time of the last input, and of the last message.
    pub last_heard: Nanos,
    /// When it last gave a sign of life that the configured kind of ping accepts.
    pub last_life: Nanos,
    /// Liveness time of its admission.
    pub opened: Nanos,
    /// Since when its socket takes no bytes that wait, or since when a page waits.
    pub stalled_from: Option<Nanos>,
    /// Liveness time at which the latest interval ping was written completely.
    pub ping_left: Option<Nanos>,
    /// When the write stall is checked.
    pub stall_check: Option<Nanos>,
    /// Whether the application paused reading.
    pub paused: bool,
    /// Whether the client leaves once a hook has returned.
    pub leaving: bool,
    /// Level of the message bucket, in nanoseconds of its rate, and when it was computed.
    pub messages: (Nanos, Nanos),
    /// The same for bytes.
    pub bytes: (Nanos, Nanos),
    /// Times of the latest strikes.
    pub strikes: Vec<Nanos>,
    /// Probes of `ping_user`: payload, ticket.
    pub probes: Vec<(u64, u64)>,
    /// Numbers and times of the pings that asked for a sign of life.
    pub asked: Vec<(u64, Nanos)>,
    /// Whether a writer holds frames.
    pub writing: bool,
    /// Whether its socket takes no more bytes.
    pub blocked: bool,
    /// Whether its write side is shut.
    pub shut: bool,
    /// Bytes discarded since then.
    pub discarded: usize,
    /// Whether the peer's side has ended.
    pub eof: bool,
}

impl Conn {
    /// Returns whether it is admitted.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Returns whether nothing has been asked about its login yet.
    pub fn awaits_first_message(&self) -> bool {
        let waits = matches!(self.phase, Phase::AwaitingAuth { .. });
        waits && self.hook.is_none() && self.claim.is_none()
    }

    /// Returns whether it is ending.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Refused { .. } | Phase::Closing { .. })
    }

    /// Returns whether messages can be sent to it.
    pub fn hears(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::AwaitingAuth { .. })
    }
}

/// One room.
#[derive(Clone, Debug)]
pub struct Room {
    /// The number of this life among all rooms' lives.
    pub life: u64,
    /// The last number used.
    pub seq: u64,
    /// Its members.
    pub members: Vec<ConnectionId>,
    /// Its occupants, for presence.
    pub crowd: Option<presence::Crowd>,
    /// What it keeps.
    pub history: histories::History,
}

impl Room {
    fn new(life: u64) -> Self {
        Self {
            life,
            seq: 0,
            members: Vec::new(),
            crowd: None,
            history: histories::History::default(),
        }
    }

    /// Returns its epoch, given that of the node.
    fn epoch(&self, node: &str) -> String {
        format!("{node}-{:x}", self.life)
    }
}

/// Counters.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Connections admitted.
    pub opened: u64,
    /// Messages read.
    pub messages_in: u64,
    /// Bytes of these.
    pub bytes_in: u64,
    /// Messages written.
    pub messages_out: u64,
    /// Messages dropped, by rule.
    pub dropped: BTreeMap<String, u64>,
    /// Connections that ended, by reason.
    pub closes: BTreeMap<String, u64>,
    /// Connections that were refused, by refusal.
    pub refused: BTreeMap<String, u64>,
}

/// A drain in progress.
#[derive(Clone, Debug)]
pub struct Drain {
    /// When connections are due to be closed.
    pub turns: Vec<Nanos>,
    /// Connections that were open at the start.
    pub there: Vec<ConnectionId>,
    /// Connections in admission, which are refused.
    pub pending: Vec<ConnectionId>,
    /// Its deadline.
    pub deadline: Nanos,
    /// Number of connections evicted at the deadline.
    pub evicted: usize,
    /// Whether the end was announced.
    pub done: bool,
}

/// An action that the system must emit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Admitted.
    Opened(ConnectionId, String),
    /// Refused.
    Refused(ConnectionId, String),
    /// Ended: rooms, reason.
    Closed(ConnectionId, String, Vec<String>, String),
    /// Entered.
    Joined(ConnectionId, String),
    /// Granted by the application, but not entered.
    JoinFailed(ConnectionId, String),
    /// Left.
    Left(ConnectionId, String),
    /// Changes of presence in a room: count, joined, left.
    Presence(String, usize, Vec<String>, Vec<String>),
    /// The host stalled.
    Stalled(Nanos),
    /// The result of a question: each connection, and whether it answered.
    Pinged(u64, Vec<(ConnectionId, bool)>),
    /// The drain ended: connections, evicted.
    Drained(usize, usize),
    /// The write side is to be shut.
    Shut(ConnectionId),
    /// The socket is to be dropped; the code of a last Close frame.
    Evict(ConnectionId, Option<u16>),
}

/// A connection that is asked: whether its answer is awaited, and whether it came.
type Asked = (ConnectionId, bool, bool);

/// The model.
#[derive(Debug)]
pub struct Model {
    /// The configuration.
    pub config: Config,
    /// The current time, and that of the last tick.
    pub now: Nanos,
    ticked: Nanos,
    stall: Nanos,
    accounted: Nanos,
    /// All connections by id.
    pub conns: BTreeMap<ConnectionId, Conn>,
    /// Users with a connection, oldest connection first.
    pub users: BTreeMap<String, Vec<ConnectionId>>,
    /// Rooms with a member.
    pub rooms: BTreeMap<String, Room>,
    /// Seats that are held, by room and user, and until when.
    pub held: BTreeMap<(String, String), Nanos>,
    /// Rooms without members that keep what was published.
    pub dormant: BTreeMap<String, Room>,
    /// How many came back to a room, by outcome: all was there, some was gone, another epoch, ahead.
    pub recoveries: [u64; 4],
    /// What became of those who came to rooms with histories, and how often.
    pub came: BTreeMap<&'static str, u64>,
    /// Levels of the connect buckets by address.
    connects: BTreeMap<u8, (Nanos, Nanos)>,
    /// Counters.
    pub counts: Counts,
    /// How many rooms there have been.
    pub lives: u64,
    /// The prefix of epochs.
    pub node: String,
    /// The drain, if any.
    pub drain: Option<Drain>,
    /// Questions by ticket: the deadline and the connections asked.
    questions: BTreeMap<u64, (Nanos, Vec<Asked>)>,
    /// The last number used for a question or a ping.
    number: u64,
    /// Actions that the current call must emit.
    pub notes: Vec<Note>,
    /// Ends that the system chose in the current call: heartbeats and drains.
    pub chosen: Vec<(ConnectionId, String)>,
    /// Counts the deadlines of presence, to order them.
    turns: u64,
    /// The rule that a malformed request violated.
    rule: &'static str,
    /// Differences found.
    pub faults: Vec<String>,
    /// How many messages rooms have published.
    stamp: u64,
    /// How many memberships there have been.
    stays: u64,
    /// Whether it depends on the order of turns what has happened, so that nothing more can be
    /// predicted: a room has dropped messages, or whether a member is over a limit depends on
    /// whether it has been looked at.
    pub doubt: bool,
}

impl Model {
    /// Creates a model in its initial state.
    pub fn new(config: Config, now: Nanos, node: String) -> Self {
        Self {
            config,
            now,
            ticked: now,
            stall: 0,
            accounted: now,
            conns: BTreeMap::new(),
            users: BTreeMap::new(),
            rooms: BTreeMap::new(),
            held: BTreeMap::new(),
            dormant: BTreeMap::new(),
            recoveries: [0; 4],
            came: BTreeMap::new(),
            connects: BTreeMap::new(),
            counts: Counts::default(),
            lives: 0,
            node,
            drain: None,
            questions: BTreeMap::new(),
            number: 0,
            notes: Vec::new(),
            chosen: Vec::new(),
            turns: 0,
            rule: "",
            faults: Vec::new(),
            stamp: 0,
            stays: 0,
            doubt: false,
        }
    }

    /// Sets the time of a call; `promised` is the deadline that the system announced.
    pub fn enter(&mut self, now: Nanos, promised: Option<Nanos>) {
        let now = now.max(self.now);
        let threshold = nanos(self.config.health.stall_threshold);
        if now - self.ticked > threshold
            && let Some(due) = promised
        {
            let late = now.saturating_sub(due.max(self.accounted).max(self.now));
            if late > threshold {
                self.stall += late;
                self.accounted = now;
                self.notes.push(Note::Stalled(late));
            }
        }
        self.now = now;
    }

    /// Returns the liveness time, which excludes host stalls.
    pub fn live(&self) -> Nanos {
        self.now - self.stall
    }

    /// Returns whether the JSON protocol is configured.
    pub fn json(&self) -> bool {
        self.config.wire == Wire::Json
    }

    pub(crate) fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    pub(crate) fn conn(&mut self, id: ConnectionId) -> Option<&mut Conn> {
        self.conns.get_mut(&id)
    }

    /// Counts the connections for which `is` holds.
    pub fn count(&self, is: impl Fn(&Conn) -> bool) -> usize {
        self.conns.values().filter(|conn| is(conn)).count()
    }

    /// Counts open connections.
    pub fn open(&self) -> usize {
        self.count(Conn::is_open)
    }

    /// Counts connections that end after having been open.
    pub fn closing(&self) -> usize {
        self.count(|conn| matches!(conn.phase, Phase::Closing { .. }))
    }

    /// Counts connections that wait for a page or read one.
    pub fn pages(&self) -> usize {
        self.count(|conn| matches!(conn.phase, Phase::Page | Phase::Refused { seat: true, .. }))
    }

    /// Counts connections that hold a handshake seat.
    pub fn handshakes(&self) -> usize {
        self.conns.len() - self.open() - self.closing() - self.pages()
    }

    pub(crate) fn dropped(&mut self, reason: &str, messages: u64) {
        if messages > 0 {
            *self.counts.dropped.entry(reason.into()).or_default() += messages;
        }
    }
}

//! The manager, written down once more: lists and maps, recounted instead of kept, no hurry.
//!
//! It says what each call must lead to. What is random in the system (phases of pings, the order
//! of a drain, the delay in a `bye`) it takes from there, after a check that it is legal.

// The fields of a phase say what they are by their names.
#![allow(missing_docs)]

mod admission;
mod commands;
mod ending;
mod health;
mod presence;
pub mod queue;
mod rates;
mod refusals;
mod rooms;
pub mod texts;
mod timers;

use std::collections::BTreeMap;

use switchboard_core::{Config, ConnectionId, Wire};

use self::queue::{Is, Item, Kind, Queue, framed};
use self::rates::charge;

pub use self::admission::Verdict;
pub use self::commands::{Ask, Said};
pub use self::rooms::{Excluded, Tally};

/// Nanoseconds.
pub type Nanos = u64;

/// A duration of the configuration in nanoseconds.
pub fn nanos(duration: std::time::Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Where a connection stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Its request has not come.
    Arrived,
    /// It waits for a page.
    Page,
    /// The application is asked who it is; the length of the 101 that waits, if it is ours.
    Authenticating {
        lobby: Option<String>,
        response: Option<usize>,
    },
    /// Its first message must say who it is.
    AwaitingAuth { lobby: Option<String> },
    /// It was told no, or a page.
    Refused { page: bool },
    /// It is in.
    Open,
    /// It was in.
    Closing { key: &'static str },
}

/// One connection.
// Plain flags: what they mean together is for the manager to know.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub struct Conn {
    /// Where it stands.
    pub phase: Phase,
    /// Which address.
    pub ip: u8,
    /// It holds a seat of its address.
    pub ip_seat: bool,
    /// Its connect was charged to an address, whose rate allowed it or not.
    pub fare: Option<bool>,
    /// Whose it is, while it is open.
    pub user: String,
    /// It logged in without a name.
    pub anonymous: bool,
    /// In the order of joining; whether by the URL.
    pub rooms: Vec<(String, bool)>,
    /// What waits for it.
    pub queue: Queue,
    /// The application is asked.
    pub hook: Option<Nanos>,
    /// The end of the phase, in liveness time.
    pub deadline: Nanos,
    /// It waits for what becomes of another connection of its user.
    pub claim: Option<admission::Claim>,
    /// The end of the message that has begun.
    pub message_deadline: Option<Nanos>,
    /// Bytes of an unfinished message.
    pub partial: usize,
    /// When the principal expires.
    pub expires: Option<Nanos>,
    /// When something was heard last, and when a message: liveness time.
    pub last_heard: Nanos,
    /// When it last gave a sign that satisfies the ping of this configuration.
    pub last_life: Nanos,
    /// When it was admitted: liveness time.
    pub opened: Nanos,
    /// Since when bytes wait and none went out.
    pub stalled_from: Nanos,
    /// When the latest ping of an interval was written to its end: liveness time.
    pub ping_left: Option<Nanos>,
    /// When the stall is looked at.
    pub stall_check: Option<Nanos>,
    /// The application does not read it.
    pub paused: bool,
    /// Levels of its buckets, in nanoseconds of their rates, and when they were that.
    pub messages: (Nanos, Nanos),
    /// The same for bytes.
    pub bytes: (Nanos, Nanos),
    /// Latest strikes.
    pub strikes: Vec<Nanos>,
    /// Questions of `ping_user`: payload, ticket.
    pub probes: Vec<(u64, u64)>,
    /// Numbers of the pings that asked for a sign of life, and when.
    pub asked: Vec<(u64, Nanos)>,
    /// A writer holds frames.
    pub writing: bool,
    /// Its socket takes no more.
    pub blocked: bool,
    /// Its write side is shut.
    pub shut: bool,
    /// Bytes thrown away since then.
    pub discarded: usize,
    /// The peer's side has ended.
    pub eof: bool,
}

impl Conn {
    /// Whether it is admitted.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether it is on its way out.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Refused { .. } | Phase::Closing { .. })
    }

    /// Whether it can be told anything.
    pub fn hears(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::AwaitingAuth { .. })
    }
}

/// One room.
#[derive(Clone, Debug)]
pub struct Room {
    /// Which of all rooms there were.
    pub life: u64,
    /// The last number used.
    pub seq: u64,
    /// Who is in.
    pub members: Vec<ConnectionId>,
    /// Who is said to be in.
    pub crowd: Option<presence::Crowd>,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Messages read.
    pub messages_in: u64,
    /// Messages written.
    pub messages_out: u64,
    /// Messages that were dropped.
    pub dropped: BTreeMap<String, u64>,
    /// Connections that ended.
    pub closes: BTreeMap<String, u64>,
    /// Connections that were refused.
    pub refused: BTreeMap<String, u64>,
}

/// A drain under way.
#[derive(Clone, Debug)]
pub struct Drain {
    /// When somebody is to be closed.
    pub turns: Vec<Nanos>,
    /// Who was there.
    pub there: Vec<ConnectionId>,
    /// Who was about to come in, and is told.
    pub pending: Vec<ConnectionId>,
    /// The end.
    pub deadline: Nanos,
    /// Who was evicted then.
    pub evicted: usize,
    /// It has been said.
    pub done: bool,
}

/// A notice, or an end, that the system must give.
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
    /// Granted, and not entered.
    JoinFailed(ConnectionId, String),
    /// Left.
    Left(ConnectionId, String),
    /// Changes of a room: count, joined, left.
    Presence(String, usize, Vec<String>, Vec<String>),
    /// The host stood still.
    Stalled(Nanos),
    /// The answer to a question: who answered and who did not.
    Pinged(u64, Vec<(ConnectionId, bool)>),
    /// The drain is over: connections, evicted.
    Drained(usize, usize),
    /// The write side is to be shut.
    Shut(ConnectionId),
    /// Gone; the code of a Close frame on the way.
    Evict(ConnectionId, Option<u16>),
}

/// Who is asked: whether the answer is awaited, and whether it came.
type Asked = (ConnectionId, bool, bool);

/// The model.
#[derive(Debug)]
pub struct Model {
    /// The rules.
    pub config: Config,
    /// Now, and the last tick.
    pub now: Nanos,
    ticked: Nanos,
    stall: Nanos,
    accounted: Nanos,
    /// Everybody, by id.
    pub conns: BTreeMap<ConnectionId, Conn>,
    /// Users with a connection, the oldest connection first.
    pub users: BTreeMap<String, Vec<ConnectionId>>,
    /// Rooms with a member.
    pub rooms: BTreeMap<String, Room>,
    /// Levels of connect buckets by address.
    connects: BTreeMap<u8, (Nanos, Nanos)>,
    /// What is counted.
    pub counts: Counts,
    /// How many rooms there have been.
    pub lives: u64,
    /// What stands before the number of a room's life in its epoch.
    pub node: String,
    /// The drain.
    pub drain: Option<Drain>,
    /// Questions by their tickets: the deadline, and who is asked.
    questions: BTreeMap<u64, (Nanos, Vec<Asked>)>,
    /// The last number of a question or a ping.
    number: u64,
    /// What the call under way must give.
    pub notes: Vec<Note>,
    /// Ends that the system chose in the call under way: heartbeats and drains.
    pub chosen: Vec<(ConnectionId, String)>,
    /// Counts what presence has put on its list of things to do.
    turns: u64,
    /// The rule that a malformed request broke.
    rule: &'static str,
    /// What was found wrong.
    pub faults: Vec<String>,
}

impl Model {
    /// A model at the start.
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
        }
    }

    /// The time of a call; `promised` is what the system said it would wait for.
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

    /// Now, for what must not suffer from a host that stood still.
    pub fn live(&self) -> Nanos {
        self.now - self.stall
    }

    /// Whether JSON is spoken.
    pub fn json(&self) -> bool {
        self.config.wire == Wire::Json
    }

    pub(crate) fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    pub(crate) fn conn(&mut self, id: ConnectionId) -> Option<&mut Conn> {
        self.conns.get_mut(&id)
    }

    /// How many are in a state.
    pub fn count(&self, is: impl Fn(&Conn) -> bool) -> usize {
        self.conns.values().filter(|conn| is(conn)).count()
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.count(Conn::is_open)
    }

    /// Those that are ending after they were open.
    pub fn closing(&self) -> usize {
        self.count(|conn| matches!(conn.phase, Phase::Closing { .. }))
    }

    /// Those that wait for a page, or read it.
    pub fn pages(&self) -> usize {
        self.count(|conn| matches!(conn.phase, Phase::Page | Phase::Refused { page: true }))
    }

    /// Those that hold a handshake seat.
    pub fn handshakes(&self) -> usize {
        self.conns.len() - self.open() - self.closing() - self.pages()
    }

    pub(crate) fn dropped(&mut self, reason: &str, messages: u64) {
        if messages > 0 {
            *self.counts.dropped.entry(reason.into()).or_default() += messages;
        }
    }

    /// Puts a frame into a queue that takes it whatever is in it.
    pub(crate) fn push(&mut self, id: ConnectionId, item: Item) {
        let live = self.live();
        if let Some(conn) = self.conn(id) {
            if conn.queue.is_empty() {
                conn.stalled_from = live;
            }
            conn.queue.push(item);
        }
    }

    /// An answer or a notice, for somebody who can be told; who has no room for it is slow.
    pub(crate) fn tell(&mut self, id: ConnectionId, text: String) {
        if self.json() && self.conns.get(&id).is_some_and(Conn::hears) {
            let item = Item::new(framed(text.len()), Is::Json(text), Kind::Message);
            self.send(id, item);
        }
    }

    /// A message for one connection. Room messages that may be dropped make way for it.
    pub(crate) fn send(&mut self, id: ConnectionId, item: Item) -> Tally {
        let mut tally = Tally::default();
        if !self.fits(id, item.len) {
            let dropped = self.make_way(id, item.len);
            self.dropped("drop_oldest", dropped);
            tally.dropped_oldest = dropped as usize;
        }
        if self.fits(id, item.len) {
            self.push(id, item);
            tally.queued = 1;
        } else {
            self.end(id, "slow_consumer", None);
            tally.closed = 1;
        }
        tally
    }

    pub(crate) fn fits(&self, id: ConnectionId, len: usize) -> bool {
        let limits = &self.config.limits;
        self.conns.get(&id).is_some_and(|conn| {
            conn.queue.bytes() + len <= limits.queue_bytes
                && conn.queue.messages() < limits.queue_messages
        })
    }

    /// Drops what may be dropped, the oldest first, until so many bytes fit.
    pub(crate) fn make_way(&mut self, id: ConnectionId, len: usize) -> u64 {
        let mut dropped = 0;
        while !self.fits(id, len) {
            let mut one = true;
            let Some(conn) = self.conn(id) else { break };
            let gone = conn.queue.remove(|item| {
                let first = one && item.kind == Kind::Droppable;
                one &= !first;
                first
            });
            if gone == 0 {
                break;
            }
            dropped += gone;
        }
        dropped
    }
}

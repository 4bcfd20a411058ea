//! One dialled connection: two streams of bytes, the driver's state for it, and what the oracle
//! knows of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use switchboard_core::session::{Ended, Session};
use switchboard_core::{ConnectionId, ReadMode};

use super::hooks::Hook;
use super::output::Output;

/// How many bytes a socket takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    All,
    Part,
    One,
}

/// What a client looks at of what it is sent.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Http(u16),
    Welcome,
    Ping(Vec<u8>),
    HealthPing(u64),
    Entered(u32),
    Left(u32),
    Close(Option<u16>),
}

/// Where a connection stands, as the oracle sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Arrived,
    Page,
    Authenticating,
    AwaitingAuth,
    Refused,
    Open,
    Closing,
    Gone,
}

/// The code in a Close frame; `None` for one without a body.
pub(super) type Code = Option<u16>;

/// One stay of a connection in a room.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    /// Which of the lives of the room.
    pub(super) life: u32,
    /// The room's last number on entering, and on leaving.
    pub(super) from: u64,
    pub(super) until: Option<u64>,
    /// `subscribed` has gone out.
    pub(super) told: bool,
    /// The last number that went out.
    pub(super) seen: u64,
    /// The application took it out, and what waited with it.
    pub(super) purged: bool,
    /// Who is there, as it was told: how many, and by name.
    pub(super) presence: Option<(usize, Option<BTreeSet<String>>)>,
}

/// What answers a request of this client must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Anything but an `ack`.
    Any,
    Seq(u64),
    Delivered(u64),
}

/// What a newcomer waits for, whose user has a connection and may have no other.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) user: String,
    pub(super) since: u64,
    /// How long the host had stood still then.
    pub(super) frozen_then: u64,
    pub(super) expires: Option<u64>,
}

/// What the oracle knows of one connection.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) phase: Phase,
    /// When it came into that phase, and how long the host had stood still then.
    pub(super) since: u64,
    pub(super) frozen_then: u64,
    pub(super) ip_seat: bool,
    /// It came faster than the rate of its address allows.
    pub(super) too_fast: bool,
    pub(super) user: Option<Arc<str>>,
    pub(super) lobby: Option<u32>,
    pub(super) rooms: Vec<u32>,
    pub(super) left_now: Vec<u32>,
    pub(super) stays: BTreeMap<u32, VecDeque<Stay>>,
    /// The reasons for which it may end, as bits.
    pub(super) causes: u64,
    /// Why it ended.
    pub(super) closed: Option<&'static str>,
    /// The code that its Close frame must have; for an answer to its own, that one.
    pub(super) close_code: Option<Code>,
    /// The status that its malformed request deserves.
    pub(super) asked: Option<u16>,
    pub(super) http: Option<u16>,
    pub(super) close_sent: bool,
    pub(super) http_sent: Option<u16>,
    /// A writer had taken bytes, or a frame was cut, when the end was decided.
    pub(super) grace_bytes: bool,
    pub(super) last_heard: u64,
    pub(super) last_message: u64,
    pub(super) frozen_at_heard: u64,
    /// It was not read for a while since it was heard.
    pub(super) paused_since: bool,
    pub(super) expires: Option<u64>,
    /// It waits for what becomes of another connection of its user.
    pub(super) claim: Option<Claim>,
    /// The times at which its buckets are full again.
    pub(super) messages_full: u64,
    pub(super) bytes_full: u64,
    pub(super) strikes: Vec<u64>,
    pub(super) answers: BTreeMap<u64, Answer>,
    pub(super) pings_out: Vec<(u64, Vec<u8>)>,
    /// When the first ping went out since it was heard, and when the latest did.
    pub(super) pinged_since: Option<u64>,
    pub(super) pinged: Option<Moment>,
    /// Since when bytes wait for its socket, or for its writer, and none go out.
    pub(super) stuck: Option<Moment>,
    /// Messages that were lost for this client in numbered order.
    /// Whether its buckets cannot be known any more.
    pub(super) fuzzy: bool,
    pub(super) ever_blocked: bool,
    pub(super) lobby_in: Option<u32>,
    /// Pings that were let in, and pongs that went out.
    pub(super) pings: u64,
    pub(super) pongs: u64,
    /// It was open when the drain began.
    pub(super) at_drain: bool,
    pub(super) connected: u8,
    pub(super) disconnected: u8,
}

/// A time, and how long the host had stood still until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: u64,
    pub(super) frozen: u64,
}

impl Shadow {
    fn new(now: u64, frozen: u64) -> Self {
        Self {
            phase: Phase::Gone,
            since: now,
            frozen_then: frozen,
            ip_seat: false,
            too_fast: false,
            user: None,
            lobby: None,
            rooms: Vec::new(),
            left_now: Vec::new(),
            stays: BTreeMap::new(),
            causes: 0,
            closed: None,
            close_code: None,
            asked: None,
            http: None,
            close_sent: false,
            http_sent: None,
            grace_bytes: false,
            last_heard: now,
            last_message: now,
            frozen_at_heard: frozen,
            paused_since: false,
            expires: None,
            claim: None,
            messages_full: 0,
            bytes_full: 0,
            strikes: Vec::new(),
            answers: BTreeMap::new(),
            pings_out: Vec::new(),
            pinged_since: None,
            pinged: None,
            stuck: None,
            fuzzy: false,
            ever_blocked: false,
            lobby_in: None,
            pings: 0,
            pongs: 0,
            at_drain: false,
            connected: 0,
            disconnected: 0,
        }
    }
}

/// One dialled connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: u32,
    pub(super) address: u32,
    pub(super) id: Option<ConnectionId>,
    // From the client to the node.
    pub(super) up: VecDeque<(u64, Vec<u8>)>,
    pub(super) last_arrival: u64,
    pub(super) fin_at: Option<u64>,
    pub(super) reset_at: Option<u64>,
    pub(super) rx: Vec<u8>,
    pub(super) rx_at: usize,
    pub(super) read_size: usize,
    // From the node to the client.
    pub(super) window: usize,
    /// Bytes that the socket took and the client has not read.
    pub(super) unread: usize,
    pub(super) seen: VecDeque<(u64, Seen)>,
    /// Up to where the client has read.
    pub(super) read: u64,
    pub(super) take: Take,
    pub(super) delivering: bool,
    pub(super) output: Output,
    // The node's driver.
    /// Taken out while it is at work.
    pub(super) session: Option<Box<Session>>,
    pub(super) read_mode: ReadMode,
    pub(super) ended: Option<Ended>,
    pub(super) hook: Option<Hook>,
    /// Hooks that were called.
    pub(super) hooks: u32,
    pub(super) paused: bool,
    pub(super) blocked: bool,
    pub(super) held: Option<Vec<u8>>,
    pub(super) end_told: bool,
    pub(super) partial: bool,
    pub(super) node_shut: bool,
    pub(super) node_gone: bool,
    /// Something happened that the reader must take note of before it goes on.
    pub(super) signalled: bool,
    // The client's side.
    pub(super) client_gone: bool,
    pub(super) shadow: Shadow,
}

impl Link {
    pub(super) fn new(client: u32, address: u32, now: u64, frozen: u64) -> Self {
        Self {
            client,
            address,
            id: None,
            up: VecDeque::new(),
            last_arrival: now,
            fin_at: None,
            reset_at: None,
            rx: Vec::new(),
            rx_at: 0,
            read_size: usize::MAX,
            window: 64 << 10,
            unread: 0,
            seen: VecDeque::new(),
            read: 0,
            take: Take::All,
            delivering: false,
            output: Output::new(),
            session: None,
            read_mode: ReadMode::Head,
            ended: None,
            hook: None,
            hooks: 0,
            paused: false,
            blocked: false,
            held: None,
            end_told: false,
            partial: false,
            node_shut: false,
            node_gone: false,
            signalled: false,
            client_gone: false,
            shadow: Shadow::new(now, frozen),
        }
    }

    /// Whether the client has broken the stream off, as far as the node can know.
    pub(super) fn is_broken(&self, now: u64) -> bool {
        self.reset_at.is_some_and(|at| at <= now)
    }
}

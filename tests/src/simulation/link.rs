//! One dialled connection: both byte streams, the driver's state, and the oracle's record.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use switchboard_core::session::{Ended, RoomChanges, Session};
use switchboard_core::{ConnectionId, ReadMode};

use super::histories::First;
use super::hooks::Hook;
use super::output::Output;
use super::recoveries::Entering;

/// How many bytes a socket takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    All,
    Part,
    One,
}

/// What a client notices in its input.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Http(u16),
    Welcome,
    Ping(Vec<u8>),
    HealthPing(u64),
    Entered(u32),
    /// It has everything of a room up to this position.
    Position(u32, String, u64),
    /// It has come back to a room where it was, in this epoch.
    Recovered(u32, String),
    /// A number of a room.
    Number(u32, u64),
    /// The answer to a request.
    Answered(u64),
    Left(u32),
    Close(Option<u16>),
}

/// The phase of a connection, as the oracle sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Arrived,
    Page,
    Authenticating,
    AwaitingAuth,
    Refused,
    /// Refused in place of a page, whose seat it keeps.
    PageRefused,
    Open,
    Closing,
    Gone,
}

impl Phase {
    pub(super) const fn is_refused(self) -> bool {
        matches!(self, Self::Refused | Self::PageRefused)
    }
}

/// The code in a Close frame; `None` for one without a body.
pub(super) type Code = Option<u16>;

/// One stay of a connection in a room.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    /// The index of the room's life.
    pub(super) life: u32,
    /// The room's last number on joining, and on leaving.
    pub(super) from: u64,
    pub(super) until: Option<u64>,
    /// Whether `subscribed` was sent.
    pub(super) told: bool,
    /// The last number sent, or the one before the first that it gets.
    pub(super) seen: u64,
    /// How it entered, until `subscribed` was sent, and the oldest number kept then.
    pub(super) entering: Entering,
    pub(super) first: First,
    /// Whether it gets all that it missed, if it said what that is.
    pub(super) recovered: Option<bool>,
    /// Whether it gets the present value of each key.
    pub(super) by_key: bool,
    /// The numbers that it missed and may not have.
    pub(super) hidden: Option<(u64, u64)>,
    /// When it was last sent what was published before it joined; 0 before, and after the last one.
    pub(super) paged: u64,
    /// Whether it left before it had got all of that.
    pub(super) gave_up: bool,
    /// How many volatile messages there had been when it joined.
    pub(super) volatiles: u64,
    /// Whether the application removed it, which purges queued messages.
    pub(super) purged: bool,
    /// Presence as last sent: the count, and the names if they are known.
    pub(super) presence: Option<(usize, Option<BTreeSet<String>>)>,
}

/// The expected answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Anything but an `ack`.
    Any,
    Seq(u64),
    /// An `ack` without a number.
    Passed,
    Delivered(u64),
    /// It was published before as this number, and perhaps that cannot be told any more.
    Duplicate(u64, bool),
    Unrecoverable,
    LimitExceeded,
}

/// A claim of a newcomer whose user already has a connection and may have only one.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) user: String,
    pub(super) since: u64,
    /// Total time of host stalls up to `since`.
    pub(super) frozen_then: u64,
    pub(super) expires: Option<u64>,
}

/// What the oracle knows of one connection.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) phase: Phase,
    /// When the phase began, and the total time of host stalls at that time.
    pub(super) since: u64,
    pub(super) frozen_then: u64,
    pub(super) ip_seat: bool,
    /// Whether it exceeded the connect rate of its address.
    pub(super) too_fast: bool,
    pub(super) user: Option<Arc<str>>,
    pub(super) lobby: Option<u32>,
    /// How it enters its lobby.
    pub(super) lobby_entering: Entering,
    /// The session that its URL names.
    pub(super) session: Option<String>,
    pub(super) rooms: Vec<u32>,
    pub(super) left_now: Vec<u32>,
    pub(super) stays: BTreeMap<u32, VecDeque<Stay>>,
    /// The reasons for which it may end, as bits.
    pub(super) causes: u64,
    /// Why it ended.
    pub(super) closed: Option<&'static str>,
    /// The expected code of its Close frame; for an answer, the client's code.
    pub(super) close_code: Option<Code>,
    /// The expected status for its malformed request.
    pub(super) asked: Option<u16>,
    pub(super) http: Option<u16>,
    pub(super) close_sent: bool,
    pub(super) http_sent: Option<u16>,
    /// Whether bytes were taken or a frame was partly written when the end was decided.
    pub(super) grace_bytes: bool,
    pub(super) last_heard: u64,
    pub(super) last_message: u64,
    pub(super) frozen_at_heard: u64,
    /// Whether reading paused since it was last heard.
    pub(super) paused_since: bool,
    /// Whether its Close, a violation or its end of input waits behind a hook.
    pub(super) leaving: bool,
    pub(super) expires: Option<u64>,
    /// Set while it waits for the fate of its user's other connection.
    pub(super) claim: Option<Claim>,
    /// When its buckets are full again.
    pub(super) messages_full: u64,
    pub(super) bytes_full: u64,
    pub(super) strikes: Vec<u64>,
    pub(super) answers: BTreeMap<u64, Answer>,
    pub(super) pings_out: Vec<(u64, Vec<u8>)>,
    /// When the first ping since it was last heard went out, and the latest.
    pub(super) pinged_since: Option<u64>,
    pub(super) pinged: Option<Moment>,
    /// Since when bytes wait for its socket or writer and none goes out.
    pub(super) stuck: Option<Moment>,
    /// Whether the levels of its buckets are unknown.
    pub(super) fuzzy: bool,
    pub(super) ever_blocked: bool,
    /// Whether its socket takes bytes again but no writer has come to it yet: its queue may be full.
    pub(super) unblocked: bool,
    /// Left a room while the socket was full, so that perhaps nothing waited for it any more.
    pub(super) emptied: bool,
    pub(super) lobby_in: Option<u32>,
    /// Pings admitted, and pongs sent.
    pub(super) pings: u64,
    pub(super) pongs: u64,
    /// Whether it was open when the drain began.
    pub(super) at_drain: bool,
    pub(super) connected: u8,
    /// The rooms of which the application knows.
    pub(super) told_rooms: Vec<String>,
    pub(super) disconnected: u8,
}

/// A time, and the total time of host stalls up to it.
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
            lobby_entering: Entering::default(),
            session: None,
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
            leaving: false,
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
            unblocked: false,
            emptied: false,
            lobby_in: None,
            pings: 0,
            pongs: 0,
            at_drain: false,
            connected: 0,
            told_rooms: Vec::new(),
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
    /// The position up to which the client has read.
    pub(super) read: u64,
    pub(super) take: Take,
    pub(super) delivering: bool,
    pub(super) output: Output,
    // The node's driver.
    /// Taken out while it runs.
    pub(super) session: Option<Box<Session>>,
    pub(super) read_mode: ReadMode,
    pub(super) ended: Option<Ended>,
    /// Rooms of which the session does not know yet.
    pub(super) room_changes: RoomChanges,
    pub(super) hook: Option<Hook>,
    /// Number of hooks called.
    pub(super) hooks: u32,
    pub(super) paused: bool,
    pub(super) blocked: bool,
    /// Whether a writer has bytes for it.
    pub(super) held: bool,
    pub(super) end_told: bool,
    pub(super) partial: bool,
    pub(super) node_shut: bool,
    pub(super) node_gone: bool,
    /// Whether the reader must look at new state before it continues.
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
            room_changes: RoomChanges::default(),
            hook: None,
            hooks: 0,
            paused: false,
            blocked: false,
            held: false,
            end_told: false,
            partial: false,
            node_shut: false,
            node_gone: false,
            signalled: false,
            client_gone: false,
            shadow: Shadow::new(now, frozen),
        }
    }

    /// Returns whether the client has broken the stream, as far as the node can know.
    pub(super) fn is_broken(&self, now: u64) -> bool {
        self.reset_at.is_some_and(|at| at <= now)
    }
}

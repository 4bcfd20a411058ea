//! The state of a session, and the calls that look at it.

use std::net::IpAddr;
use std::sync::Arc;

use super::admitted::Data;
use super::backlog::Waiting;
use super::call::{Call, Step};
use super::input::Input;
use super::node::{Held, Node};
use crate::bucket::Meter;
use crate::{ConnectionId, Event, HandshakeConfig, ReadMode};

/// Messages that wait for a busy hook before reading pauses.
pub const BACKLOG: usize = 32;

/// The number of bytes that are queued before the login of a client until reading pauses. It is small,
/// because the client is not authenticated.
const EARLY_BYTES: usize = 4 << 10;

/// Which hook is running, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// No hook is running.
    Idle,
    /// A hook for a client that is not admitted yet. Its answer is void once the client is refused.
    Admission,
    /// A hook for an admitted connection.
    Running,
    /// The last hook, for a connection that has ended.
    Farewell,
}

/// The facts that were reported to the node, as a bit set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported(u8);

impl Reported {
    /// The hook is pending.
    pub(super) const HOOK: u8 = 1;
    /// Reading pauses.
    pub(super) const PAUSED: u8 = 2;
    /// A message is incomplete.
    pub(super) const PARTIAL: u8 = 4;

    pub(super) const fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }

    /// Records whether a fact was reported; returns the previous value.
    pub(super) const fn set(&mut self, what: u8, reported: bool) -> bool {
        let before = self.has(what);
        self.0 = if reported {
            self.0 | what
        } else {
            self.0 & !what
        };
        before
    }
}

/// The part of a connection's state that is not in the switchboard.
///
/// # Use
/// 1. Create a session with [`new`](Self::new), or with [`upgraded`](Self::upgraded) and
///    [`begin`](Self::begin) for a stream whose request was answered already.
/// 2. Pass input to [`receive`](Self::receive), the end of the stream to
///    [`end_of_input`](Self::end_of_input), and changes in the switchboard to
///    [`update`](Self::update).
/// 3. After each of them, carry out the [`Step`] that it returns, then those of
///    [`next`](Self::next), until that returns `None`. While a call runs, `next` returns `None`.
///    With more input at hand, pass the reply and that to
///    [`reply_and_receive`](Self::reply_and_receive).
/// 4. While a call is pending, call [`pending`](Self::pending) each time it is polled. Drop the
///    call when [`is_calling`](Self::is_calling) becomes false.
///
/// An idle session owns no heap memory.
///
/// # Run loop
/// An application that answers at once, over a switchboard without a lock:
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use std::sync::Arc;
///
/// use switchboard_core::session::{Call, LocalNode, Reply, Session, Step, Turn};
/// use switchboard_core::{
///     Admission, Config, Endpoint, HandshakeConfig, Switchboard, Time, Tokens,
/// };
///
/// fn answer(call: Call) -> Reply {
///     match call {
///         Call::Page(_) => Reply::Page(b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec()),
///         Call::Authenticate(login) => Reply::Identity(login, Ok(Admission::user("ann"))),
///         Call::Lobby(lobby) => Reply::Lobby(lobby, Ok(())),
///         Call::Connect => Reply::Connected,
///         Call::Joined(_) | Call::Left(_) => Reply::Noted,
///         Call::Ask(question) => Reply::Verdict(question, Ok(())),
///         Call::Text(_) | Call::Binary(_) => Reply::Delivered(Ok(())),
///         Call::Disconnect(_) => Reply::Disconnected,
///     }
/// }
///
/// /// Carries out a step and those that follow from it.
/// fn run(session: &mut Session, node: &mut LocalNode<'_>, mut step: Option<Step>) {
///     while let Some(now) = step.take().or_else(|| session.next(node)) {
///         step = match now {
///             Step::Call(call) => session.reply(node, answer(call)),
///             // The driver's writer writes what is queued.
///             Step::Flush => None,
///         };
///     }
/// }
///
/// let (now, peer) = (Time::ZERO, IpAddr::V4(Ipv4Addr::LOCALHOST));
/// let handshake = HandshakeConfig {
///     endpoint: Endpoint::default(),
///     pages: false,
///     json: true,
///     compression: false,
///     room_contexts: false,
///     sse: None,
///     name_bytes: 128,
///     tokens: Tokens::default(),
/// };
/// let mut switchboard = Switchboard::new(Config::default(), 7, now)?;
/// let id = switchboard.connect(now, peer)?;
/// let mut session = Session::new(id, peer, Arc::new(handshake));
///
/// let mut input = b"GET /ws/blue HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
///     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
///     .to_vec();
/// let mut node = LocalNode { switchboard: &mut switchboard, now };
/// let mut used = 0;
/// while used < input.len() {
///     let received = session.receive(&mut node, &mut input[used..], &mut Turn::default());
///     used += received.used;
///     run(&mut session, &mut node, received.step);
/// }
/// assert_eq!(switchboard.members("blue"), [id]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    pub(super) id: ConnectionId,
    pub(super) peer: IpAddr,
    pub(super) input: Input,
    pub(super) mode: ReadMode,
    pub(super) hook: Hook,
    pub(super) reported: Reported,
    pub(super) gone: bool,
    /// Whether the client is authenticated, but not yet admitted or refused.
    pub(super) undecided: bool,
    /// Whether the client may compress its messages.
    pub(super) deflate: bool,
    pub(super) waiting: Waiting,
    pub(super) user: Option<Arc<str>>,
    pub(super) data: Data,
    /// What the client may send.
    pub(super) meter: Meter,
}

// There is one per connection.
const _: () = assert!(size_of::<Session>() <= 96);

impl Session {
    /// Creates a session for a connection whose request is to be read.
    pub fn new(id: ConnectionId, peer: IpAddr, handshake: Arc<HandshakeConfig>) -> Self {
        Self::with_input(id, peer, Input::head(handshake))
    }

    pub(super) fn with_input(id: ConnectionId, peer: IpAddr, input: Input) -> Self {
        Self {
            id,
            peer,
            input,
            mode: ReadMode::Head,
            hook: Hook::Idle,
            reported: Reported::default(),
            gone: false,
            undecided: false,
            deflate: false,
            waiting: Waiting::default(),
            user: None,
            data: Data::default(),
            meter: Meter::default(),
        }
    }

    /// Creates a session for a connection whose request the application has answered with 101;
    /// [`begin`](Self::begin) passes the request in.
    pub fn upgraded(id: ConnectionId, peer: IpAddr) -> Self {
        Self::with_input(id, peer, Input::Nothing)
    }

    /// Returns the connection's id.
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Returns the user, once admitted and until `on_disconnect` is called.
    pub fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }

    /// Returns what the application keeps with the connection, until `on_disconnect` has returned.
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Returns how the stream is to be read, as of the last [`update`](Self::update).
    pub const fn mode(&self) -> ReadMode {
        self.mode
    }

    /// Returns whether the connection is gone, so that its stream can be dropped.
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Returns whether a call is running.
    pub fn is_calling(&self) -> bool {
        self.hook != Hook::Idle
    }

    /// Returns whether no call is running or waiting.
    pub fn is_idle(&self) -> bool {
        !self.is_calling()
            && self.waiting.items() == 0
            && !self.waiting.has_ended()
            && !self.waiting.has_room_changes()
    }

    /// Returns whether reading pauses because too much waits for hooks, of this session or of all.
    pub const fn is_paused(&self) -> bool {
        self.reported.has(Reported::PAUSED)
    }

    /// Returns whether this session's backlog is full: [`BACKLOG`] messages wait, or a Close, after
    /// which further input has no effect. A client that has sent a Close need not answer pings any
    /// more. Of one that has not logged in yet, less waits.
    pub fn backlog_is_full(&self) -> bool {
        let early = self.user.is_none() && self.waiting.bytes() >= EARLY_BYTES;
        self.waiting.items() >= BACKLOG || self.waiting.close_by().is_some() || early
    }

    /// Returns the bytes of memory of the backlog.
    pub fn backlog_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// Returns whether input has to wait for earlier input.
    pub(super) fn must_queue(&self) -> bool {
        self.is_calling()
            || self.undecided
            || self.waiting.items() > 0
            || self.waiting.has_room_changes()
    }

    pub(super) fn call(&mut self, hook: Hook, call: Call) -> Step {
        self.hook = hook;
        self.reported.set(Reported::HOOK, false);
        Step::Call(call)
    }

    /// Returns whether it was reported to the node that the hook is pending.
    pub(super) fn call_over(&mut self) -> bool {
        if self.hook == Hook::Farewell {
            self.user = None;
            self.data = Data::default();
        }
        self.hook = Hook::Idle;
        self.waiting.set_hook_due(None);
        self.reported.set(Reported::HOOK, false)
    }

    /// Learns which rooms the connection has entered and left.
    pub(super) fn learn_rooms(&mut self, node: &mut impl Node) {
        let changes = node.take_room_changes();
        self.waiting.add_room_changes(changes);
    }

    pub(super) fn event(&self, node: &mut impl Node, event: Event<'_>) {
        node.hold(|held| held.event(self.id, event));
    }
}

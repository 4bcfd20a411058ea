//! One server-side connection, sans-IO: takes bytes and the application's answers, and produces
//! calls of the application and events for the [`Switchboard`](crate::Switchboard).
//!
//! ```text
//!          receive                       next, reply
//! bytes ───────────▶ handshake, decoder ─────────────▶ Step::Call ──▶ application
//!                         │   ▲                            │
//!                         │   └── backlog, while a hook is busy
//!                         ▼                                │ reply
//!                   Node (the switchboard) ◀───────────────┘
//! ```
//! A session decides how its input is read, in which order the application is called, what waits
//! for a busy hook and for how long, and what is dropped when the connection ends. A driver reads,
//! writes, calls hooks, polls their futures and catches their panics.

mod backlog;
mod call;
mod deferring;
mod node;
mod read;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use self::backlog::{Item, Waiting};
pub use self::call::{Call, Ended, Lobby, Login, Reply, Step};
use self::deferring::Deferring;
pub use self::node::{Held, LocalNode, Node};
use self::read::Input;
pub use self::read::{Received, Turn};
use crate::address::set_client;
pub use crate::bucket::Meter;
use crate::name::anonymous_user;
use crate::protocol::{self, RequestId};
use crate::{
    CloseFrame, CloseReason, ConnectionId, Denied, Event, HandshakeConfig, Identity, Question,
    ReadMode, Refused, Request, RequestOutcome, Rooms, Time, Token, Wire, check_user,
};

/// Messages that wait for a busy hook before reading pauses.
pub const BACKLOG: usize = 32;

/// Which hook is running, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    /// No hook is running.
    Idle,
    /// A hook for a client that is not admitted yet. Its answer is void once the client is refused.
    Entrance,
    /// A hook for an admitted connection.
    Running,
    /// The last hook, for a connection that has ended.
    Farewell,
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
/// use switchboard_core::{Config, Endpoint, HandshakeConfig, Identity, Switchboard, Time, Tokens};
///
/// fn answer(call: Call) -> Reply {
///     match call {
///         Call::Page(_) => Reply::Page(b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec()),
///         Call::Authenticate(login) => Reply::Identity(login, Ok(Identity::user("ann"))),
///         Call::Lobby(lobby) => Reply::Lobby(lobby, Ok(())),
///         Call::Connect => Reply::Connected,
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
    id: ConnectionId,
    peer: IpAddr,
    input: Input,
    mode: ReadMode,
    hook: Hook,
    /// Whether the node was told that the hook is pending.
    announced: bool,
    /// Whether the node was told that reading pauses.
    paused: bool,
    /// Whether the node was told of an incomplete message.
    partial: bool,
    gone: bool,
    /// Whether the client is authenticated, but not yet admitted or refused.
    undecided: bool,
    waiting: Waiting,
    user: Option<Arc<str>>,
    /// What the client may send.
    meter: Meter,
}

impl Session {
    /// Creates a session for a connection whose request is to be read.
    pub fn new(id: ConnectionId, peer: IpAddr, handshake: Arc<HandshakeConfig>) -> Self {
        Self::with_input(id, peer, Input::head(handshake))
    }

    fn with_input(id: ConnectionId, peer: IpAddr, input: Input) -> Self {
        Self {
            id,
            peer,
            input,
            mode: ReadMode::Head,
            hook: Hook::Idle,
            announced: false,
            paused: false,
            partial: false,
            gone: false,
            undecided: false,
            waiting: Waiting::default(),
            user: None,
            meter: Meter::default(),
        }
    }

    /// Creates a session for a connection whose request the application has answered with 101;
    /// [`begin`](Self::begin) passes the request in.
    pub fn upgraded(id: ConnectionId, peer: IpAddr) -> Self {
        Self::with_input(id, peer, Input::Nothing)
    }

    /// Takes the request that the application has answered with 101.
    pub fn begin(&mut self, node: &mut impl Node, request: Request) -> Option<Step> {
        self.take_request(node, request, true)
    }

    /// Returns the connection's id.
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Returns the user, once admitted and until `on_disconnect` is called.
    pub fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
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
        !self.is_calling() && self.waiting.items() == 0 && !self.waiting.has_ended()
    }

    /// Returns whether reading pauses because too much waits for hooks, of this session or of all.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Returns whether this session's backlog is full: [`BACKLOG`] messages wait, or a Close, after
    /// which further input has no effect. A client that has sent a Close need not answer pings any
    /// more.
    pub fn backlog_is_full(&self) -> bool {
        self.waiting.items() >= BACKLOG || self.waiting.close_by().is_some()
    }

    /// Returns the bytes of memory of the backlog.
    pub fn backlog_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// Takes what has changed in the node, after an
    /// [`Action::ReadMode`](crate::Action::ReadMode) and once the connection has ended: how to read
    /// the stream, or `None` if the connection is gone, and its end, if it was admitted and this was
    /// not told before.
    ///
    /// Read both at the same time, so that a session that finds its input discarded also knows of
    /// the end. Waiting input is dropped then; the application is told by [`Call::Disconnect`].
    pub fn update(&mut self, node: &mut impl Node, mode: Option<ReadMode>, ended: Option<Ended>) {
        if let Some(ended) = ended {
            self.end(node, ended);
        }
        self.set_mode(node, mode);
    }

    fn end(&mut self, node: &mut impl Node, ended: Ended) {
        self.forget_input(node);
        let in_time = self.waiting.hook_due().is_none_or(|at| node.now() < at);
        if in_time {
            // From here on the session times it, and not the node.
            self.waiting.set_hook_due(None);
        } else if ended.reason == CloseReason::Internal {
            // The hook timed out.
            self.call_over();
        }
        self.waiting.set_ended(ended);
    }

    fn set_mode(&mut self, node: &mut impl Node, mode: Option<ReadMode>) {
        let Some(mode) = mode else {
            self.gone = true;
            self.abandon_entrance();
            return;
        };
        self.mode = mode;
        match mode {
            ReadMode::Frames => self.input.expect_frames(),
            ReadMode::Discard => {
                self.input = Input::Nothing;
                self.abandon_entrance();
                self.forget_input(node);
            }
            ReadMode::Head | ReadMode::Wait => {}
        }
    }

    /// Returns the next step, or `None` while a call runs and when nothing waits.
    pub fn next(&mut self, node: &mut impl Node) -> Option<Step> {
        while !self.is_calling() {
            let step = if self.undecided {
                let user = self.decision(node);
                if self.undecided {
                    return None;
                }
                self.admitted(user)
            } else if let Some(item) = self.pop(node) {
                let step = self.process(node, item);
                if self.paused {
                    self.is_full(node);
                }
                step
            } else {
                let ended = self.waiting.take_ended()?;
                self.disconnect(ended)
            };
            if step.is_some() {
                return step;
            }
        }
        None
    }

    /// Notes that the call is still pending. Returns when to call [`time_out`](Self::time_out).
    pub fn pending(&mut self, node: &mut impl Node) -> Option<Time> {
        if self.waiting.hook_due().is_none() && self.hook != Hook::Entrance {
            let at = node.now() + node.config().timeouts.hook;
            self.waiting.set_hook_due(Some(at));
        }
        if !std::mem::replace(&mut self.announced, true) {
            self.event(node, Event::HookStarted);
        }
        let hook_due = self.waiting.hook_due().filter(|_| !self.is_watched());
        let deadlines = [hook_due, self.waiting.close_by()];
        deadlines.into_iter().flatten().min()
    }

    /// Returns whether the node times the call out, as it does for the connections that it has.
    fn is_watched(&self) -> bool {
        match self.hook {
            Hook::Running => !self.waiting.has_ended(),
            Hook::Farewell => false,
            Hook::Entrance | Hook::Idle => true,
        }
    }

    /// Acts on what is due while a call is pending: gives the call up if the connection has ended,
    /// and processes a waiting Close or violation of the client.
    pub fn time_out(&mut self, node: &mut impl Node) {
        let now = node.now();
        if !self.is_watched() && self.waiting.hook_due().is_some_and(|at| at <= now) {
            self.call_over();
        }
        if self.waiting.close_by().is_some_and(|at| at <= now) {
            for item in self.take_items(node) {
                match item {
                    Item::Close(_) => {
                        self.process(node, item);
                    }
                    Item::Violation(violation) => {
                        self.event(node, Event::Violation(violation));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Notes that the call has panicked, which ends this connection only.
    pub fn failed(&mut self, node: &mut impl Node) {
        self.call_over();
        self.event(node, Event::HookFailed);
        // The node has ended the connection, so nothing that waits is passed on.
        self.forget_input(node);
    }

    /// Takes the reply to the call. What waits behind a request is processed under the same hold of
    /// the lock as the answer to it, if it is a request too.
    pub fn reply(&mut self, node: &mut impl Node, reply: Reply) -> Option<Step> {
        let announced = self.call_over();
        match reply {
            Reply::Page(page) => node.hold(|held| held.answer_page(self.id, page)),
            Reply::Identity(login, Ok(identity)) => return self.identified(node, login, identity),
            Reply::Identity(login, Err(denied)) => {
                return self.authenticated(node, Err(refused(denied)), login.answers.as_ref());
            }
            Reply::Lobby(lobby, granted) => {
                let verdict = granted.map_err(refused).map(|()| lobby.identity);
                return self.authenticated(node, verdict, lobby.answers.as_ref());
            }
            Reply::Verdict(question, answer) => {
                let mut node = Deferring::new(node, self.id);
                node.answer(question, answer);
                let step = self.next(&mut node);
                node.finish();
                return step;
            }
            Reply::Delivered(Err(denied)) => {
                let reason = match denied {
                    Denied::Unauthorized => CloseReason::Unauthorized,
                    Denied::Forbidden => CloseReason::Forbidden,
                };
                node.hold(|held| held.close(self.id, reason));
            }
            Reply::Connected | Reply::Delivered(Ok(())) => {
                if announced {
                    self.event(node, Event::HookDone);
                }
            }
            Reply::Disconnected => {}
        }
        None
    }

    fn event(&self, node: &mut impl Node, event: Event<'_>) {
        node.hold(|held| held.event(self.id, event));
    }

    /// Returns whether the node was told that the hook is pending.
    fn call_over(&mut self) -> bool {
        if self.hook == Hook::Farewell {
            self.user = None;
        }
        self.hook = Hook::Idle;
        self.waiting.set_hook_due(None);
        std::mem::take(&mut self.announced)
    }

    fn call(&mut self, hook: Hook, call: Call) -> Step {
        self.hook = hook;
        self.announced = false;
        Step::Call(call)
    }

    /// Gives up admitting the connection.
    fn abandon_entrance(&mut self) {
        self.undecided = false;
        if self.hook == Hook::Entrance {
            self.call_over();
        }
    }

    fn forget_input(&mut self, node: &mut impl Node) {
        let items = self.take_items(node);
        // The node needs the end of input to drop the socket, and is told of it only once.
        if items.iter().any(|item| matches!(item, Item::Eof)) {
            self.event(node, Event::Eof);
        }
    }

    fn take_items(&mut self, node: &mut impl Node) -> VecDeque<Item> {
        let bytes = self.waiting.bytes();
        let items = self.waiting.take_items();
        node.backlog_changed(bytes, 0);
        items
    }

    fn take_request(
        &mut self,
        node: &mut impl Node,
        mut request: Request,
        answered: bool,
    ) -> Option<Step> {
        let (id, peer) = (self.id, self.peer);
        set_client(&mut request, peer, &node.config().trusted_proxies);
        node.client_known(request.peer());
        let (answer, mode) = node.hold(|held| {
            let answer = held.request(id, &request, answered);
            (answer, held.read_mode(id))
        });
        self.input = Input::Nothing;
        self.set_mode(node, mode);
        match answer {
            RequestOutcome::Authenticate => Some(self.authenticate(request, None)),
            RequestOutcome::Page => Some(self.call(Hook::Entrance, Call::Page(request))),
            RequestOutcome::Refused => None,
        }
    }

    fn authenticate(&mut self, request: Request, answers: Option<RequestId<'static>>) -> Step {
        let hook = if self.user.is_none() {
            Hook::Entrance
        } else {
            Hook::Running
        };
        self.call(hook, Call::Authenticate(Login { request, answers }))
    }

    fn identified(
        &mut self,
        node: &mut impl Node,
        login: Login,
        identity: Identity,
    ) -> Option<Step> {
        let Login { request, answers } = login;
        let config = node.config();
        let named = match &identity {
            Identity::User { name, .. } => check_user(name, config.limits.name_bytes).is_ok(),
            _ => true,
        };
        // The node refuses illegal names, so do not ask the application about the lobby for one.
        let asks_lobby = named && self.user.is_none() && config.rooms == Rooms::Ask;
        match (identity, request.shared_lobby()) {
            (Identity::FirstMessage, _) => {
                self.waiting.set_request(Some(request));
                self.authenticated(node, Ok(Identity::FirstMessage), answers.as_ref())
            }
            (identity, Some(room)) if asks_lobby => {
                let user = match &identity {
                    Identity::User { name, .. } => name.as_str().into(),
                    _ => anonymous_user(self.id).into(),
                };
                let lobby = Lobby {
                    user,
                    room,
                    identity,
                    answers,
                };
                Some(self.call(Hook::Entrance, Call::Lobby(lobby)))
            }
            (identity, _) => self.authenticated(node, Ok(identity), answers.as_ref()),
        }
    }

    fn authenticated(
        &mut self,
        node: &mut impl Node,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Step> {
        if verdict != Ok(Identity::FirstMessage) {
            self.waiting.set_request(None);
        }
        let id = self.id;
        let (user, undecided) = node.hold(|held| {
            let user = held.authenticated(id, verdict, request);
            let undecided = user.is_none() && held.is_undecided(id);
            (user, undecided)
        });
        self.undecided = undecided;
        self.admitted(user)
    }

    /// Looks whether the client is admitted or refused by now. Returns the user if it is admitted.
    fn decision(&mut self, node: &mut impl Node) -> Option<Arc<str>> {
        let id = self.id;
        let (user, undecided) = node.hold(|held| {
            let undecided = held.is_undecided(id);
            let user = if undecided { None } else { held.user(id) };
            (user, undecided)
        });
        self.undecided = undecided;
        user
    }

    fn admitted(&mut self, user: Option<Arc<str>>) -> Option<Step> {
        if self.user.is_some() {
            return None;
        }
        self.user = Some(user?);
        Some(self.call(Hook::Running, Call::Connect))
    }

    fn disconnect(&mut self, ended: Ended) -> Option<Step> {
        self.user.as_ref()?;
        Some(self.call(Hook::Farewell, Call::Disconnect(ended)))
    }

    /// Processes an item now, or queues it behind earlier ones.
    fn take(&mut self, node: &mut impl Node, item: Item) -> Option<Step> {
        if !self.must_queue() {
            return self.process(node, item);
        }
        let is_last = item.is_last();
        let leaves = is_last || matches!(item, Item::Eof);
        self.push(node, item);
        if leaves {
            self.event(node, Event::Leaving);
        }
        if is_last {
            let at = node.now() + node.config().timeouts.close;
            self.waiting.set_close_by(at);
        }
        None
    }

    fn push(&mut self, node: &mut impl Node, item: Item) {
        let bytes = self.waiting.bytes();
        self.waiting.push(item);
        node.backlog_changed(bytes, self.waiting.bytes());
    }

    fn pop(&mut self, node: &mut impl Node) -> Option<Item> {
        let bytes = self.waiting.bytes();
        let item = self.waiting.pop()?;
        node.backlog_changed(bytes, self.waiting.bytes());
        Some(item)
    }

    /// Returns whether input has to wait for earlier input.
    fn must_queue(&self) -> bool {
        self.is_calling() || self.undecided || self.waiting.items() > 0
    }

    fn process(&mut self, node: &mut impl Node, item: Item) -> Option<Step> {
        match item {
            Item::Text(text) => return self.process_text(node, text),
            Item::Binary(bytes) => return self.hand_over(Call::Binary(bytes)),
            Item::Violation(violation) => {
                let bytes = self.waiting.bytes();
                self.waiting.push_front(Item::FlushedViolation(violation));
                node.backlog_changed(bytes, self.waiting.bytes());
                return Some(Step::Flush);
            }
            Item::FlushedViolation(violation) => self.event(node, Event::Violation(violation)),
            Item::Close(close) => {
                let frame = close.as_ref().map(|(code, reason)| CloseFrame {
                    code: *code,
                    reason,
                });
                self.event(node, Event::Close(frame));
            }
            Item::Eof => self.event(node, Event::Eof),
        }
        None
    }

    fn process_text(&mut self, node: &mut impl Node, text: String) -> Option<Step> {
        if node.config().wire == Wire::Raw {
            return self.hand_over(Call::Text(text));
        }
        let command = protocol::parse(&text);
        let question = node.hold(|held| held.command(self.id, &text, command))?;
        self.ask(question)
    }

    fn ask(&mut self, question: Question) -> Option<Step> {
        match question {
            Question::Token { token, request } => Some(self.ask_token(token, request)),
            question => {
                self.user.as_ref()?;
                Some(self.call(Hook::Running, Call::Ask(question)))
            }
        }
    }

    fn ask_token(&mut self, token: Token, answers: Option<RequestId<'static>>) -> Step {
        let request = match self.waiting.request() {
            Some(request) => request.clone().with_token(token),
            None => Request::for_refresh(self.peer, token),
        };
        self.authenticate(request, answers)
    }

    fn hand_over(&mut self, call: Call) -> Option<Step> {
        self.user.as_ref()?;
        Some(self.call(Hook::Running, call))
    }

    /// Returns whether reading has to pause because too much waits for hooks, of this session or of
    /// all. Tells the node when that changes.
    pub fn is_full(&mut self, node: &mut impl Node) -> bool {
        let full = self.backlog_is_full() || self.must_queue() && node.backlog_is_full();
        if full != self.paused {
            self.paused = full;
            let event = if full { Event::Paused } else { Event::Resumed };
            self.event(node, event);
        }
        full
    }
}

fn refused(denied: Denied) -> Refused {
    match denied {
        Denied::Unauthorized => Refused::Unauthorized,
        Denied::Forbidden => Refused::Forbidden,
    }
}

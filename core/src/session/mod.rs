//! One server-side connection, sans-IO: bytes and answers of the application in, calls of the
//! application and events for the [`Switchboard`](crate::Switchboard) out.
//!
//! ```text
//!          receive                       next, reply
//! bytes ───────────▶ handshake, decoder ─────────────▶ Step::Call ──▶ application
//!                         │   ▲                            │
//!                         │   └── backlog, while a hook is busy
//!                         ▼                                │ reply
//!                   Node (the switchboard) ◀───────────────┘
//! ```
//! A session decides how its input is read, in which order the application is called, what waits for
//! a busy hook and for how long, and what is given up when the connection ends. A driver reads, calls,
//! polls futures, catches panics and writes.

mod backlog;
mod call;
mod node;
mod read;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use self::backlog::{Item, Waiting};
pub use self::call::{Call, Ended, Lobby, Login, Reply, Step};
pub use self::node::{Direct, Node};
use self::read::Input;
pub use self::read::{Received, Turn};
use crate::protocol::RequestId;
use crate::{
    CloseFrame, CloseReason, ConnectionId, Denied, Event, HandshakeConfig, Identity, Question,
    ReadMode, Refused, Request, RequestOutcome, Rooms, Time, Token, Wire, check_user,
};

/// Messages that wait for a busy hook before reading pauses.
pub const BACKLOG: usize = 32;

/// Whether the application is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    /// It is not.
    Idle,
    /// For a client that is not admitted yet. The answer is of no use once it is refused.
    Entrance,
    /// For an admitted connection.
    Running,
    /// For a connection that has ended: the last call.
    Farewell,
}

/// The state of one connection that is not the node's.
///
/// # Use
/// 1. Make one with [`new`](Self::new), or for a stream whose request was answered already with
///    [`upgraded`](Self::upgraded) and [`begin`](Self::begin).
/// 2. Hand in what is read by [`receive`](Self::receive), the end of the stream by
///    [`end_of_input`](Self::end_of_input), and word of the node by [`update`](Self::update) and
///    [`ended`](Self::ended).
/// 3. After each of them, carry out each [`Step`] that it returns, then those of
///    [`next`](Self::next), until that returns `None`. While a call runs, `next` returns `None`.
/// 4. A call that does not return at once is announced by [`pending`](Self::pending), each time that
///    it is polled. Drop it when [`is_calling`](Self::is_calling) is no longer true.
///
/// A session at rest owns no heap.
#[derive(Debug)]
pub struct Session {
    id: ConnectionId,
    peer: IpAddr,
    input: Input,
    mode: ReadMode,
    hook: Hook,
    /// The node knows that the hook takes its time.
    announced: bool,
    /// The node knows that reading pauses.
    paused: bool,
    /// The node has been told of a message that is not complete.
    partial: bool,
    gone: bool,
    /// It is known who the client is, but not yet whether it is admitted.
    undecided: bool,
    waiting: Waiting,
    user: Option<Arc<str>>,
}

impl Session {
    /// A connection whose request is to be read.
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
        }
    }

    /// A connection whose request the application has answered with 101;
    /// [`begin`](Self::begin) hands it in.
    pub fn upgraded(id: ConnectionId, peer: IpAddr) -> Self {
        Self::with_input(id, peer, Input::Nothing)
    }

    /// Takes the request that the application has answered.
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

    /// Whether the connection is gone, so that its stream can be dropped.
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether the answer of a call is awaited.
    pub fn is_calling(&self) -> bool {
        self.hook != Hook::Idle
    }

    /// Whether the application has nothing left to hear.
    pub fn is_idle(&self) -> bool {
        !self.is_calling() && self.waiting.items() == 0 && !self.waiting.has_ended()
    }

    /// Whether reading pauses because too much waits for the application, here or over all sessions.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether as much waits as may wait for one connection: so many messages, or a Close, after which
    /// nothing counts. The client that has sent one need not answer pings any more.
    pub fn backlog_is_full(&self) -> bool {
        self.waiting.items() >= BACKLOG || self.waiting.close_by().is_some()
    }

    /// Returns the bytes of memory that the backlog takes.
    pub fn backlog_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// Asks the node how the stream is to be read, after it said that this changed.
    pub fn update(&mut self, node: &mut impl Node) {
        let Some(mode) = node.read_mode(self.id) else {
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
                // The word of the end may have come before this, and input between the two.
                self.forget_input(node);
            }
            ReadMode::Head | ReadMode::Wait => {}
        }
    }

    /// The connection, which was admitted, has ended. What waits is not processed any more; the
    /// application is told by [`Call::Disconnect`].
    pub fn ended(&mut self, node: &mut impl Node, ended: Ended) {
        self.forget_input(node);
        if ended.reason == CloseReason::Internal {
            // Its hook took too long.
            self.call_over();
        }
        self.waiting.set_ended(ended);
    }

    /// Returns the next step; `None` while a call runs, and where nothing waits.
    pub fn next(&mut self, node: &mut impl Node) -> Option<Step> {
        while !self.is_calling() {
            let step = if self.undecided {
                self.undecided = node.is_undecided(self.id);
                if self.undecided {
                    return None;
                }
                let user = node.user(self.id);
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

    /// A call has not returned yet. Returns when [`time_out`](Self::time_out) has something to do.
    pub fn pending(&mut self, node: &mut impl Node) -> Option<Time> {
        if !std::mem::replace(&mut self.announced, true) {
            node.event(self.id, Event::HookStarted);
        }
        // The node watches over the calls for connections that it has.
        let watched = match self.hook {
            Hook::Running => !self.waiting.has_ended(),
            Hook::Farewell => false,
            Hook::Entrance | Hook::Idle => true,
        };
        if !watched && self.waiting.give_up_at().is_none() {
            let at = node.now() + node.config().timeouts.hook;
            self.waiting.set_give_up_at(Some(at));
        }
        let deadlines = [self.waiting.give_up_at(), self.waiting.close_by()];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due while a call has not returned: gives it up where the connection has ended, and
    /// lets a Close of the client that waits for it wait no longer.
    pub fn time_out(&mut self, node: &mut impl Node) {
        let now = node.now();
        if self.waiting.give_up_at().is_some_and(|at| at <= now) {
            self.call_over();
        }
        if self.waiting.close_by().is_some_and(|at| at <= now) {
            let close = self.take_items(node).into_iter();
            for item in close.filter(|item| matches!(item, Item::Close(_))) {
                self.process(node, item);
            }
        }
    }

    /// The call has panicked. That ends the connection, and nothing else.
    pub fn failed(&mut self, node: &mut impl Node) {
        self.call_over();
        node.event(self.id, Event::HookFailed);
    }

    /// The call has returned.
    pub fn reply(&mut self, node: &mut impl Node, reply: Reply) -> Option<Step> {
        let announced = self.call_over();
        match reply {
            Reply::Page(page) => node.answer_page(self.id, page),
            Reply::Identity(login, Ok(identity)) => return self.identified(node, login, identity),
            Reply::Identity(login, Err(denied)) => {
                return self.authenticated(node, Err(refused(denied)), login.answers.as_ref());
            }
            Reply::Lobby(lobby, granted) => {
                let verdict = granted.map_err(refused).map(|()| lobby.identity);
                return self.authenticated(node, verdict, lobby.answers.as_ref());
            }
            Reply::Verdict(question, answer) => node.answer(self.id, question, answer),
            Reply::Delivered(Err(denied)) => {
                let reason = match denied {
                    Denied::Unauthorized => CloseReason::Unauthorized,
                    Denied::Forbidden => CloseReason::Forbidden,
                };
                node.close(self.id, reason);
            }
            Reply::Connected | Reply::Delivered(Ok(())) => {
                if announced {
                    node.event(self.id, Event::HookDone);
                }
            }
            Reply::Disconnected => {}
        }
        None
    }

    /// Returns whether the node was told of the call.
    fn call_over(&mut self) -> bool {
        if self.hook == Hook::Farewell {
            self.user = None;
        }
        self.hook = Hook::Idle;
        self.waiting.set_give_up_at(None);
        std::mem::take(&mut self.announced)
    }

    fn call(&mut self, hook: Hook, call: Call) -> Step {
        self.hook = hook;
        self.announced = false;
        Step::Call(call)
    }

    /// The connection is not to be admitted any more.
    fn abandon_entrance(&mut self) {
        self.undecided = false;
        if self.hook == Hook::Entrance {
            self.call_over();
        }
    }

    fn forget_input(&mut self, node: &mut impl Node) {
        let items = self.take_items(node);
        // The node waits for the end of the input, to let the socket go; it is not told twice.
        if items.iter().any(|item| matches!(item, Item::Eof)) {
            node.event(self.id, Event::Eof);
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
        let answer = node.request(self.id, self.peer, &mut request, answered);
        self.input = Input::Nothing;
        self.update(node);
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
        // The node refuses a name that no user may have; the application is asked nothing about it.
        let asks_lobby = named && self.user.is_none() && config.rooms == Rooms::Ask;
        match (identity, request.shared_lobby()) {
            (Identity::FirstMessage, _) => {
                self.waiting.set_request(Some(request));
                self.authenticated(node, Ok(Identity::FirstMessage), answers.as_ref())
            }
            (identity, Some(room)) if asks_lobby => {
                let user = match &identity {
                    Identity::User { name, .. } => name.as_str().into(),
                    _ => format!("anon-{}", self.id).into(),
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
        let user = node.authenticated(self.id, verdict, request);
        self.undecided = user.is_none() && node.is_undecided(self.id);
        self.admitted(user)
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

    /// Something came in: it is processed now, or after what came before it.
    fn take(&mut self, node: &mut impl Node, item: Item) -> Option<Step> {
        if !self.must_queue() {
            return self.process(node, item);
        }
        let is_close = matches!(item, Item::Close(_));
        self.push(node, item);
        if is_close {
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

    /// Whether what comes in has to wait for what came before it.
    fn must_queue(&self) -> bool {
        self.is_calling() || self.undecided || self.waiting.items() > 0
    }

    fn process(&mut self, node: &mut impl Node, item: Item) -> Option<Step> {
        match item {
            Item::Text(text) => return self.process_text(node, &text),
            Item::Binary(bytes) => return self.hand_over(Call::Binary(bytes)),
            Item::Violation(violation) => {
                let bytes = self.waiting.bytes();
                self.waiting.push_front(Item::FlushedViolation(violation));
                node.backlog_changed(bytes, self.waiting.bytes());
                return Some(Step::Flush);
            }
            Item::FlushedViolation(violation) => node.event(self.id, Event::Violation(violation)),
            Item::Close(close) => {
                let frame = close.as_ref().map(|(code, reason)| CloseFrame {
                    code: *code,
                    reason,
                });
                node.event(self.id, Event::Close(frame));
            }
            Item::Eof => node.event(self.id, Event::Eof),
        }
        None
    }

    fn process_text(&mut self, node: &mut impl Node, text: &str) -> Option<Step> {
        if node.config().wire == Wire::Raw {
            return self.hand_over(Call::Text(text.to_owned()));
        }
        match node.command(self.id, text)? {
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

    /// Whether reading has to pause because too much waits for the application: for this session's
    /// hook, or for those of all. Tells the node when that changes.
    pub fn is_full(&mut self, node: &mut impl Node) -> bool {
        let full = self.backlog_is_full() || self.must_queue() && node.backlog_is_full();
        if full != self.paused {
            self.paused = full;
            let event = if full { Event::Paused } else { Event::Resumed };
            node.event(self.id, event);
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

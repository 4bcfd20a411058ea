//! The switchboard as one session sees it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{self, RequestId};
use crate::{
    BadRequest, CloseReason, Config, ConnectionId, Denied, Event, Identity, Question, ReadMode,
    Refused, Request, RequestOutcome, Switchboard, Time,
};

/// The calls that a [`Session`](super::Session) makes to its node.
///
/// Each method that takes an id is one call of [`Switchboard`]. A driver implements this trait on
/// top of its lock; tests use a switchboard of their own through [`Direct`]. A stale id has no
/// effect, because the session will soon be told that the connection has ended.
pub trait Node {
    /// Returns the configuration of the node.
    fn config(&self) -> &Config;

    /// Returns the current time.
    fn now(&self) -> Time;

    /// Returns whether the backlogs of all sessions together are over their bound.
    fn backlog_is_full(&self) -> bool {
        false
    }

    /// Notes that the memory of this session's backlog changed from `from` to `to` bytes.
    fn backlog_changed(&mut self, from: usize, to: usize) {
        let _ = (from, to);
    }

    /// Returns whether the session should process more input. `false` while the session has
    /// something waiting from the node, or while the node's writers are behind.
    fn may_read_on(&self) -> bool {
        true
    }

    /// [`Switchboard::handle`].
    fn event(&mut self, id: ConnectionId, event: Event<'_>);

    /// [`Switchboard::read_mode`]; `None` if the connection is gone.
    fn read_mode(&mut self, id: ConnectionId) -> Option<ReadMode>;

    /// [`Switchboard::request`], or [`Switchboard::upgraded`] if `answered`. Sets the client's
    /// address in the request.
    fn request(
        &mut self,
        id: ConnectionId,
        peer: IpAddr,
        request: &mut Request,
        answered: bool,
    ) -> RequestOutcome;

    /// [`Switchboard::malformed`].
    fn malformed(&mut self, id: ConnectionId, bad: BadRequest);

    /// [`Switchboard::pong`].
    fn pong(&mut self, id: ConnectionId, payload: &[u8]) -> bool;

    /// [`Switchboard::message`].
    fn message(
        &mut self,
        id: ConnectionId,
        binary: bool,
        bytes: usize,
        charged: Result<(), Duration>,
    ) -> bool;

    /// [`message`](Self::message) for a text, and then [`command`](Self::command) if that allows it.
    fn text(
        &mut self,
        id: ConnectionId,
        text: &str,
        charged: Result<(), Duration>,
    ) -> Option<Question> {
        let processed = self.message(id, false, text.len(), charged);
        processed.then(|| self.command(id, text)).flatten()
    }

    /// [`Switchboard::command`], after parsing the text.
    fn command(&mut self, id: ConnectionId, text: &str) -> Option<Question>;

    /// [`Switchboard::authenticated`]; returns the user if the connection is admitted.
    fn authenticated(
        &mut self,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Arc<str>>;

    /// [`Switchboard::is_undecided`].
    fn is_undecided(&mut self, id: ConnectionId) -> bool;

    /// [`Switchboard::user_of`].
    fn user(&mut self, id: ConnectionId) -> Option<Arc<str>>;

    /// [`Switchboard::answer`].
    fn answer(&mut self, id: ConnectionId, question: Question, answer: Result<(), Denied>);

    /// [`Switchboard::answer_page`].
    fn answer_page(&mut self, id: ConnectionId, response: Vec<u8>);

    /// [`Switchboard::close`].
    fn close(&mut self, id: ConnectionId, reason: CloseReason);
}

/// A [`Node`] that calls a switchboard directly, at a fixed time.
#[derive(Debug)]
pub struct Direct<'a> {
    /// The switchboard.
    pub switchboard: &'a mut Switchboard,
    /// The time of each call.
    pub now: Time,
}

impl Node for Direct<'_> {
    fn config(&self) -> &Config {
        self.switchboard.config()
    }

    fn now(&self) -> Time {
        self.now
    }

    fn may_read_on(&self) -> bool {
        !self.switchboard.is_congested()
    }

    fn event(&mut self, id: ConnectionId, event: Event<'_>) {
        let _ = self.switchboard.handle(self.now, id, event);
    }

    fn read_mode(&mut self, id: ConnectionId) -> Option<ReadMode> {
        self.switchboard.read_mode(id).ok()
    }

    fn request(
        &mut self,
        id: ConnectionId,
        peer: IpAddr,
        request: &mut Request,
        answered: bool,
    ) -> RequestOutcome {
        self.switchboard.set_client(peer, request);
        let answer = if answered {
            self.switchboard.upgraded(self.now, id, request)
        } else {
            self.switchboard.request(self.now, id, request)
        };
        answer.unwrap_or(RequestOutcome::Refused)
    }

    fn malformed(&mut self, id: ConnectionId, bad: BadRequest) {
        let _ = self.switchboard.malformed(self.now, id, bad);
    }

    fn pong(&mut self, id: ConnectionId, payload: &[u8]) -> bool {
        self.switchboard.pong(self.now, id, payload) == Ok(true)
    }

    fn message(
        &mut self,
        id: ConnectionId,
        binary: bool,
        bytes: usize,
        charged: Result<(), Duration>,
    ) -> bool {
        let now = self.now;
        self.switchboard.message(now, id, binary, bytes, charged) == Ok(true)
    }

    fn command(&mut self, id: ConnectionId, text: &str) -> Option<Question> {
        let command = protocol::parse(text);
        let question = self.switchboard.command(self.now, id, command);
        question.ok().flatten()
    }

    fn authenticated(
        &mut self,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Arc<str>> {
        let _ = self
            .switchboard
            .authenticated(self.now, id, verdict, request);
        self.switchboard.user_of(id)
    }

    fn is_undecided(&mut self, id: ConnectionId) -> bool {
        self.switchboard.is_undecided(id)
    }

    fn user(&mut self, id: ConnectionId) -> Option<Arc<str>> {
        self.switchboard.user_of(id)
    }

    fn answer(&mut self, id: ConnectionId, question: Question, answer: Result<(), Denied>) {
        let _ = self.switchboard.answer(self.now, id, question, answer);
    }

    fn answer_page(&mut self, id: ConnectionId, response: Vec<u8>) {
        let _ = self.switchboard.answer_page(self.now, id, response);
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let _ = self.switchboard.close(self.now, id, reason);
    }
}

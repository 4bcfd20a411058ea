//! The switchboard as one session sees it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::room_changes::RoomChanges;
use crate::protocol::{Command, Rejected, RequestId};
use crate::{
    ApplicationCode, BadRequest, CloseReason, Config, ConnectionId, Deflater, Denied, Event,
    Identity, Inflater, Posted, PresenceInfo, Question, Reach, ReadMode, Refused, Request,
    RequestOutcome, Switchboard, Time,
};

/// The interface of a [`Session`](super::Session) to its node: the switchboard, which may be behind a
/// lock, and calls that need no lock.
pub trait Node {
    /// The switchboard while the lock is held.
    type Held<'a>: Held;

    /// Calls `work` while holding the lock. The session prepares before what can be prepared, and
    /// makes all calls that belong together under one hold.
    fn hold<T>(&mut self, work: impl FnOnce(&mut Self::Held<'_>) -> T) -> T;

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

    /// Takes the inflater that the sessions of a thread share. [`keep_inflater`](Self::keep_inflater)
    /// gives it back.
    fn take_inflater(&mut self) -> Box<Inflater> {
        Box::default()
    }

    /// Takes the inflater back. Keeping it for the next session saves time.
    fn keep_inflater(&mut self, inflater: Box<Inflater>) {
        drop(inflater);
    }

    /// Takes the deflater that the sessions of a thread share, if some connection of the node can
    /// inflate its output. [`keep_deflater`](Self::keep_deflater) gives it back.
    fn take_deflater(&mut self) -> Option<Box<Deflater>> {
        None
    }

    /// Takes the deflater back. Keeping it for the next session saves time.
    fn keep_deflater(&mut self, deflater: Box<Deflater>) {
        drop(deflater);
    }

    /// Notes the client's address, which behind a trusted proxy is known only from the request.
    fn client_known(&mut self, client: IpAddr) {
        let _ = client;
    }

    /// Takes the rooms that the connection has entered and left since the last call, by
    /// [`Notice::Joined`](crate::Notice::Joined) and [`Notice::Left`](crate::Notice::Left). Changes
    /// made during a [hold](Self::hold) are available when it is over.
    ///
    /// Without this method, the application is not notified of them.
    fn take_room_changes(&mut self) -> RoomChanges {
        RoomChanges::default()
    }

    /// Notes that a message of this many bytes was read, for a log.
    fn message_read(&mut self, id: ConnectionId, binary: bool, bytes: usize) {
        let _ = (id, binary, bytes);
    }
}

/// The calls that a [`Session`](super::Session) makes to the switchboard.
///
/// Each method is one call of [`Switchboard`]. A stale id has no effect, because the session will soon
/// be notified that the connection has ended.
pub trait Held {
    /// [`Switchboard::handle`].
    fn event(&mut self, id: ConnectionId, event: Event<'_>);

    /// [`Switchboard::read_mode`]; `None` if the connection is gone.
    fn read_mode(&mut self, id: ConnectionId) -> Option<ReadMode>;

    /// [`Switchboard::request`], or [`Switchboard::upgraded`] if `answered`.
    fn request(&mut self, id: ConnectionId, request: &Request, answered: bool) -> RequestOutcome;

    /// [`Switchboard::omit_body`].
    fn omit_body(&mut self, id: ConnectionId);

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

    /// [`Switchboard::command`], with the text that was parsed.
    fn command(
        &mut self,
        id: ConnectionId,
        text: &str,
        parsed: Result<Command<'_>, Rejected<'_>>,
    ) -> Option<Question>;

    /// [`Switchboard::authenticated`]; returns the user if the connection is admitted.
    fn authenticated(
        &mut self,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Arc<str>>;

    /// [`Switchboard::limit_lobby`].
    fn limit_lobby(&mut self, id: ConnectionId, reach: Reach);

    /// [`Switchboard::set_presence`].
    fn set_presence(&mut self, id: ConnectionId, info: PresenceInfo);

    /// [`Switchboard::stop_compressing`].
    fn stop_compressing(&mut self, id: ConnectionId);

    /// [`Switchboard::explain_refusal`].
    fn explain_refusal(&mut self, id: ConnectionId, text: &str);

    /// [`Switchboard::is_undecided`].
    fn is_undecided(&mut self, id: ConnectionId) -> bool;

    /// [`Switchboard::user_of`].
    fn user(&mut self, id: ConnectionId) -> Option<Arc<str>>;

    /// [`Switchboard::answer`].
    fn answer(&mut self, id: ConnectionId, question: Question, answer: Result<(), Denied>);

    /// [`Switchboard::answer_page`].
    fn answer_page(&mut self, id: ConnectionId, response: Vec<u8>);

    /// [`Switchboard::post`].
    fn post(
        &mut self,
        id: ConnectionId,
        request: &Request,
        messages: Result<Vec<Posted>, BadRequest>,
    );

    /// [`Switchboard::next_posted`].
    fn next_posted(&mut self, id: ConnectionId) -> Option<Posted>;

    /// [`Switchboard::close`].
    fn close(&mut self, id: ConnectionId, reason: CloseReason);

    /// [`Switchboard::close_with`].
    fn close_with(&mut self, id: ConnectionId, code: ApplicationCode, text: &str);
}

/// A [`Node`] whose switchboard has no lock, at a fixed time.
#[derive(Debug)]
pub struct LocalNode<'a> {
    /// The switchboard.
    pub switchboard: &'a mut Switchboard,
    /// The time of each call.
    pub now: Time,
}

impl<'n> Node for LocalNode<'n> {
    type Held<'a> = LocalNode<'n>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut Self::Held<'_>) -> T) -> T {
        work(self)
    }

    fn config(&self) -> &Config {
        self.switchboard.config()
    }

    fn now(&self) -> Time {
        self.now
    }

    fn may_read_on(&self) -> bool {
        !self.switchboard.is_congested()
    }

    fn take_deflater(&mut self) -> Option<Box<Deflater>> {
        let compression = self.config().compression?;
        let wanted = self.switchboard.has_inflating();
        wanted.then(|| Box::new(Deflater::new(compression.level)))
    }
}

impl Held for LocalNode<'_> {
    fn event(&mut self, id: ConnectionId, event: Event<'_>) {
        let _ = self.switchboard.handle(self.now, id, event);
    }

    fn read_mode(&mut self, id: ConnectionId) -> Option<ReadMode> {
        self.switchboard.read_mode(id).ok()
    }

    fn request(&mut self, id: ConnectionId, request: &Request, answered: bool) -> RequestOutcome {
        let answer = if answered {
            self.switchboard.upgraded(self.now, id, request)
        } else {
            self.switchboard.request(self.now, id, request)
        };
        answer.unwrap_or(RequestOutcome::Refused)
    }

    fn omit_body(&mut self, id: ConnectionId) {
        let _ = self.switchboard.omit_body(id);
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

    fn command(
        &mut self,
        id: ConnectionId,
        _text: &str,
        parsed: Result<Command<'_>, Rejected<'_>>,
    ) -> Option<Question> {
        let question = self.switchboard.command(self.now, id, parsed);
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

    fn limit_lobby(&mut self, id: ConnectionId, reach: Reach) {
        let _ = self.switchboard.limit_lobby(id, reach);
    }

    fn set_presence(&mut self, id: ConnectionId, info: PresenceInfo) {
        let _ = self.switchboard.set_presence(self.now, id, Some(info));
    }

    fn stop_compressing(&mut self, id: ConnectionId) {
        let _ = self.switchboard.stop_compressing(id);
    }

    fn explain_refusal(&mut self, id: ConnectionId, text: &str) {
        let _ = self.switchboard.explain_refusal(id, text);
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

    fn post(
        &mut self,
        id: ConnectionId,
        request: &Request,
        messages: Result<Vec<Posted>, BadRequest>,
    ) {
        let _ = self.switchboard.post(self.now, id, request, messages);
    }

    fn next_posted(&mut self, id: ConnectionId) -> Option<Posted> {
        self.switchboard.next_posted(id)
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        let _ = self.switchboard.close(self.now, id, reason);
    }

    fn close_with(&mut self, id: ConnectionId, code: ApplicationCode, text: &str) {
        let _ = self.switchboard.close_with(self.now, id, code, text);
    }
}

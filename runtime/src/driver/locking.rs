//! Implements the session's view of the node on top of the lock.

use std::net::IpAddr;
use std::time::Duration;

use switchboard_core::protocol::{self, RequestId};
use switchboard_core::session::{Direct, Node};
use switchboard_core::{
    BadRequest, CloseReason, Config, ConnectionId, Denied, Event, Identity, Question, ReadMode,
    Refused, Request, RequestOutcome, Time,
};

use crate::node::{Link, Shared};
use crate::shield::trace;
use crate::sync::Arc;

/// A [`Node`] that takes the lock for each call, then carries out the effects.
pub(crate) struct Locking<'a> {
    shared: &'a Shared,
    link: &'a Link,
}

impl<'a> Locking<'a> {
    pub(crate) const fn new(shared: &'a Shared, link: &'a Link) -> Self {
        Self { shared, link }
    }

    fn with<T>(&self, call: impl FnOnce(&mut Direct<'_>) -> T) -> T {
        self.shared.with(|locked, now| {
            call(&mut Direct {
                switchboard: &mut locked.switchboard,
                now,
            })
        })
    }
}

impl Node for Locking<'_> {
    fn config(&self) -> &Config {
        &self.shared.config
    }

    fn now(&self) -> Time {
        self.shared.now()
    }

    fn backlog_is_full(&self) -> bool {
        self.shared.backlog.is_full()
    }

    fn backlog_changed(&mut self, from: usize, to: usize) {
        self.shared.backlog.change(from, to);
    }

    fn may_read_on(&self) -> bool {
        !self.shared.is_congested() && !self.link.is_signalled()
    }

    fn event(&mut self, id: ConnectionId, event: Event<'_>) {
        self.shared.event(id, event);
    }

    fn read_mode(&mut self, id: ConnectionId) -> Option<ReadMode> {
        self.shared
            .read(|switchboard| switchboard.read_mode(id).ok())
    }

    fn request(
        &mut self,
        id: ConnectionId,
        peer: IpAddr,
        request: &mut Request,
        answered: bool,
    ) -> RequestOutcome {
        self.with(|node| {
            let answer = node.request(id, peer, request, answered);
            // Under the lock, because log lines about the answer name the client.
            self.link.set_peer(request.peer());
            answer
        })
    }

    fn malformed(&mut self, id: ConnectionId, bad: BadRequest) {
        self.with(|node| node.malformed(id, bad));
    }

    fn pong(&mut self, id: ConnectionId, payload: &[u8]) -> bool {
        self.with(|node| node.pong(id, payload))
    }

    fn message(
        &mut self,
        id: ConnectionId,
        binary: bool,
        bytes: usize,
        charged: Result<(), Duration>,
    ) -> bool {
        trace!(conn = %id, peer = %self.link.peer(), binary, bytes, "message");
        self.with(|node| node.message(id, binary, bytes, charged))
    }

    fn text(
        &mut self,
        id: ConnectionId,
        text: &str,
        charged: Result<(), Duration>,
    ) -> Option<Question> {
        let bytes = text.len();
        trace!(conn = %id, peer = %self.link.peer(), binary = false, bytes, "message");
        // Parsed without the lock, and only if it is within the rates.
        let command = charged.is_ok().then(|| protocol::parse(text));
        self.with(|node| {
            let processed = node.message(id, false, bytes, charged);
            let command = command.filter(|_| processed)?;
            let question = node.switchboard.command(node.now, id, command);
            question.ok().flatten()
        })
    }

    fn command(&mut self, id: ConnectionId, text: &str) -> Option<Question> {
        let command = protocol::parse(text);
        let question = self
            .shared
            .with(|locked, now| locked.switchboard.command(now, id, command));
        question.ok().flatten()
    }

    fn authenticated(
        &mut self,
        id: ConnectionId,
        verdict: Result<Identity, Refused>,
        request: Option<&RequestId<'_>>,
    ) -> Option<Arc<str>> {
        self.with(|node| node.authenticated(id, verdict, request))
    }

    fn is_undecided(&mut self, id: ConnectionId) -> bool {
        self.shared.read(|switchboard| switchboard.is_undecided(id))
    }

    fn user(&mut self, id: ConnectionId) -> Option<Arc<str>> {
        self.shared.read(|switchboard| switchboard.user_of(id))
    }

    fn answer(&mut self, id: ConnectionId, question: Question, answer: Result<(), Denied>) {
        self.with(|node| node.answer(id, question, answer));
    }

    fn answer_page(&mut self, id: ConnectionId, response: Vec<u8>) {
        self.with(|node| node.answer_page(id, response));
    }

    fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        self.with(|node| node.close(id, reason));
    }
}

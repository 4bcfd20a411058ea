//! Makes calls that can wait together with the next ones, under one hold of the lock.

use std::net::IpAddr;

use super::node::{Held, Node};
use crate::{Config, ConnectionId, Denied, Event, Inflater, Question, Time};

/// A [`Node`] that begins its next hold with the calls that were deferred before it. So their order
/// stays the same, and they take no hold of their own unless none follows.
pub(super) struct Deferring<'a, N: Node> {
    node: &'a mut N,
    id: ConnectionId,
    answer: Option<(Question, Result<(), Denied>)>,
    message_complete: bool,
}

impl<'a, N: Node> Deferring<'a, N> {
    pub(super) const fn new(node: &'a mut N, id: ConnectionId) -> Self {
        Self {
            node,
            id,
            answer: None,
            message_complete: false,
        }
    }

    /// Defers [`Held::answer`].
    pub(super) fn answer(&mut self, question: Question, answer: Result<(), Denied>) {
        self.answer = Some((question, answer));
    }

    /// Defers the event that the message that was incomplete is complete.
    pub(super) const fn message_complete(&mut self) {
        self.message_complete = true;
    }

    /// Makes the calls that are still deferred.
    pub(super) fn finish(mut self) {
        if self.answer.is_some() || self.message_complete {
            self.hold(|_| {});
        }
    }
}

impl<N: Node> Node for Deferring<'_, N> {
    type Held<'a> = N::Held<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut Self::Held<'_>) -> T) -> T {
        let (id, answer) = (self.id, self.answer.take());
        let complete = std::mem::take(&mut self.message_complete);
        self.node.hold(|held| {
            if let Some((question, answer)) = answer {
                held.answer(id, question, answer);
            }
            if complete {
                let (in_message, bytes) = (false, 0);
                held.event(id, Event::Partial { in_message, bytes });
            }
            work(held)
        })
    }

    fn config(&self) -> &Config {
        self.node.config()
    }

    fn now(&self) -> Time {
        self.node.now()
    }

    fn backlog_is_full(&self) -> bool {
        self.node.backlog_is_full()
    }

    fn backlog_changed(&mut self, from: usize, to: usize) {
        self.node.backlog_changed(from, to);
    }

    fn may_read_on(&self) -> bool {
        self.node.may_read_on()
    }

    fn take_inflater(&mut self) -> Box<Inflater> {
        self.node.take_inflater()
    }

    fn keep_inflater(&mut self, inflater: Box<Inflater>) {
        self.node.keep_inflater(inflater);
    }

    fn client_known(&mut self, client: IpAddr) {
        self.node.client_known(client);
    }

    fn message_read(&mut self, id: ConnectionId, binary: bool, bytes: usize) {
        self.node.message_read(id, binary, bytes);
    }
}

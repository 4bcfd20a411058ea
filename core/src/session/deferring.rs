//! Makes calls that can wait together with the next ones, under one hold of the lock.

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use super::node::{Held, Node};
use super::room_changes::RoomChanges;
use crate::protocol::{Command, Rejected};
use crate::{Config, ConnectionId, Deflater, Denied, Event, Inflater, Question, Time};

/// A call whose result the session does not need.
pub(super) enum Deferred {
    /// [`Held::answer`].
    Answer(Question, Result<(), Denied>),
    /// The event that the message that was incomplete is complete.
    MessageComplete,
    /// The event that a compressed message was inflated, with the bytes received and those of its
    /// content.
    Inflated(usize, usize),
    /// The event of a ping with this payload.
    Ping(Box<[u8]>),
    /// The event of a control frame of so many bytes beyond the rates.
    OverRate(usize, Duration),
    /// [`Held::message`], for one of so many bytes beyond the rates.
    Refused {
        binary: bool,
        bytes: usize,
        retry_after: Duration,
    },
    /// [`Held::message`] and [`Held::command`], for a text about which the application is not asked.
    Text(Box<str>, Result<Command<'static>, Rejected<'static>>),
}

impl Deferred {
    fn make(self, id: ConnectionId, held: &mut impl Held) {
        match self {
            Self::Answer(question, answer) => held.answer(id, question, answer),
            Self::MessageComplete => {
                let (in_message, bytes) = (false, 0);
                held.event(id, Event::Partial { in_message, bytes });
            }
            Self::Inflated(received, bytes) => {
                held.event(id, Event::Inflated { received, bytes });
            }
            Self::Ping(payload) => held.event(id, Event::Ping(&payload)),
            Self::OverRate(bytes, retry_after) => {
                held.event(id, Event::OverRate { bytes, retry_after });
            }
            Self::Refused {
                binary,
                bytes,
                retry_after,
            } => {
                held.message(id, binary, bytes, Err(retry_after));
            }
            Self::Text(text, command) => {
                if held.message(id, false, text.len(), Ok(())) {
                    let question = held.command(id, &text, command);
                    debug_assert!(question.is_none(), "the application is not asked");
                }
            }
        }
    }
}

/// A [`Node`] that begins its next hold with the calls that were deferred before it. Their order stays
/// the same, and they need a separate hold only if none follows.
pub(super) struct Deferring<'a, N: Node> {
    node: &'a mut N,
    id: ConnectionId,
    deferred: SmallVec<[Deferred; 2]>,
    /// Whether more input follows, so that a call that is deferred saves a hold.
    pub(super) more: bool,
}

impl<'a, N: Node> Deferring<'a, N> {
    pub(super) fn new(node: &'a mut N, id: ConnectionId) -> Self {
        Self {
            node,
            id,
            deferred: SmallVec::new(),
            more: false,
        }
    }

    /// Defers a call.
    pub(super) fn defer(&mut self, call: Deferred) {
        self.deferred.push(call);
    }

    /// Makes the calls that are still deferred.
    pub(super) fn finish(mut self) {
        if !self.deferred.is_empty() {
            self.hold(|_| {});
        }
    }
}

impl<N: Node> Node for Deferring<'_, N> {
    type Held<'a> = N::Held<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut Self::Held<'_>) -> T) -> T {
        let (id, deferred) = (self.id, &mut self.deferred);
        self.node.hold(|held| {
            for call in deferred.drain(..) {
                call.make(id, held);
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

    fn take_deflater(&mut self) -> Option<Box<Deflater>> {
        self.node.take_deflater()
    }

    fn keep_deflater(&mut self, deflater: Box<Deflater>) {
        self.node.keep_deflater(deflater);
    }

    fn client_known(&mut self, client: IpAddr) {
        self.node.client_known(client);
    }

    fn take_room_changes(&mut self) -> RoomChanges {
        self.node.take_room_changes()
    }

    fn message_read(&mut self, id: ConnectionId, binary: bool, bytes: usize) {
        self.node.message_read(id, binary, bytes);
    }
}

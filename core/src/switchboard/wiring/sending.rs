//! Messages that are queued for connections, and what follows: slow connections are closed, and
//! the bound of the node is enforced.

use super::ending::close_frame;
use super::switchboard::Switchboard;
use crate::http::event_stream;
use crate::protocol::ServerMessage;
use crate::recorder::Cause;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::counters::Level;
use crate::switchboard::errors::SendError;
use crate::switchboard::log::Log;
use crate::switchboard::phase::Phase;
use crate::switchboard::recipients::Receipt;
use crate::{CloseReason, ConnectionId, Frame, Position, Wire};

impl Switchboard {
    /// Queues an answer or a notice of the JSON protocol, if the connection can get one.
    pub(super) fn send_message(&mut self, id: ConnectionId, message: &ServerMessage<'_>) {
        let told = self
            .connections
            .get(id)
            .is_ok_and(|found| matches!(found.phase, Phase::Open | Phase::AwaitingAuth(_)));
        if told && self.config.wire == Wire::Json {
            let frame = self.encoder.encode(message, 0);
            self.send_frame(id, frame);
        }
    }

    /// Queues an answer or a notice of the JSON protocol. For an event stream it includes the position.
    pub(super) fn send_positioned(
        &mut self,
        id: ConnectionId,
        message: &ServerMessage<'_>,
        position: Option<&Position>,
    ) {
        if position.is_none() || !self.log.is_event_stream(id) {
            return self.send_message(id, message);
        }
        if self.config.wire == Wire::Json {
            let frame = self.encoder.encode(message, 0);
            self.send_frame(id, event_stream::event(&frame, position));
        }
    }

    /// Returns whether a connection is an event stream that is told its positions in this room.
    pub(super) fn tells_positions(&self, id: ConnectionId, key: u32) -> bool {
        let found = self.connections.get(id);
        found.is_ok_and(|found| found.tells_positions_in(&self.rooms.at(key).name))
    }

    /// Queues a message for one connection. The connection is closed as slow if its socket accepts no
    /// bytes and its queue is over the limit; otherwise only if its queue is over twice the limit and
    /// has not been written yet.
    pub(super) fn send_frame(&mut self, id: ConnectionId, frame: Frame) -> Receipt {
        let mut receipt = Receipt::default();
        let bytes = frame.len();
        if self.log.push_own(id, frame).is_ok() {
            receipt.accepted = 1;
            self.note_queue(id);
        } else {
            receipt.closed = 1;
            self.end_later(id, CloseReason::SlowConsumer, |it| {
                it.cause_of_full_queue(id, bytes)
            });
        }
        self.settle_sent(receipt, |_, victim| victim == id)
    }

    /// Counts dropped messages, closes the connections that were found slow, and enforces the memory
    /// limit of the node. `had_message` says for which connections the message is queued.
    pub(super) fn settle_sent(
        &mut self,
        mut receipt: Receipt,
        had_message: impl Fn(&Log, ConnectionId) -> bool,
    ) -> Receipt {
        for (reason, messages) in [
            ("drop_oldest", receipt.dropped_oldest),
            ("drop_newest", receipt.dropped_newest),
            ("volatile", receipt.dropped_volatile),
        ] {
            self.counters.dropped(reason, messages as u64);
        }
        self.settle();
        let lost = self.relieve(had_message);
        receipt.accepted -= lost;
        receipt.closed += lost;
        receipt
    }

    /// Records that a connection is to end, and why, if that is recorded.
    #[inline]
    pub(super) fn end_later(
        &mut self,
        id: ConnectionId,
        reason: CloseReason,
        why: impl FnOnce(&Self) -> Cause,
    ) {
        let why = self.recorder.is_some().then(|| why(self));
        self.effects.end(id, reason, why);
    }

    /// Ends recorded connections, as many as one call may. Later calls continue.
    pub(super) fn settle(&mut self) {
        while self.effects.may_end() {
            let (id, reason) = if let Some(next) = self.effects.next_end() {
                if let Some(why) = next.why {
                    self.because(next.id, |_| *why);
                }
                (next.id, next.reason)
            } else if let Some((id, reason)) = self.next_of_users() {
                self.because(id, |_| Cause::rule("application"));
                (id, reason)
            } else if let Some(id) = self.log.next_condemned() {
                self.because(id, |it| it.cause_of_being_slow(id));
                (id, CloseReason::SlowConsumer)
            } else {
                return;
            };
            self.effects.ends(self.weight_of_end(id, reason));
            self.end(id, reason);
        }
    }

    fn next_of_users(&mut self) -> Option<(ConnectionId, CloseReason)> {
        let (users, connections) = (&self.users, &self.connections);
        self.effects.next_of_users(|end| {
            let slot = users.first_to_end(end)?;
            Some(connections.id_at(slot))
        })
    }

    /// Goes on with ends that earlier calls have left.
    pub(super) fn go_on_ending(&mut self) {
        self.settle();
        if self.effects.is_relieving() {
            self.enforce_queue_budget();
        }
    }

    /// Returns whether connections are to end that no call has ended yet.
    pub(super) fn has_more_to_end(&self) -> bool {
        !self.effects.is_settled() || self.log.has_condemned() || self.effects.is_relieving()
    }

    /// Enforces the bound of the node: closes connections whose sockets do not take bytes, those
    /// that hold back the most first, until it is kept, or as many as this call may; later calls go
    /// on. If that cannot help, none is closed, because frames that wait for a writer are no fault
    /// of their clients; publishers wait instead.
    pub(super) fn enforce_queue_budget(&mut self) {
        self.relieve(|_, _| false);
    }

    /// Enforces the bound of the node. Returns the number of connections closed for which the
    /// message waited.
    fn relieve(&mut self, had_message: impl Fn(&Log, ConnectionId) -> bool) -> usize {
        let limit = self.config.limits.queued_bytes;
        self.note_level(Level::QueuedBytes, self.log.held(), limit);
        let mut lost = 0;
        while self.effects.may_end()
            && let Some(id) = self.log.next_over_bound()
        {
            let reason = CloseReason::SlowConsumer;
            self.effects.ends(self.weight_of_end(id, reason));
            if self.connections.get(id).is_ok_and(ConnectionState::is_open) {
                lost += usize::from(had_message(&self.log, id));
                self.because(id, |it| it.cause_of_full_node(id));
                self.end(id, reason);
            } else {
                // What a close cannot discard must not cost other clients their connections.
                self.remove(id, None);
            }
        }
        let more = !self.effects.may_end() && self.log.would_closing_help();
        self.effects.set_relieving(more);
        lost
    }

    /// Checks whether a message of so many bytes for a user's connections is refused, because one of them
    /// has had no turn.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`].
    pub(super) fn check_busy_user(&self, user: &str, bytes: usize) -> Result<(), SendError> {
        let mut devices = self.users.connections(user);
        if devices.any(|slot| self.log.is_full_for(self.connections.id_at(slot), bytes)) {
            return Err(SendError::Busy);
        }
        Ok(())
    }

    /// Returns whether the bound of the node is exceeded. Sends are refused then, until the writers
    /// have caught up.
    pub(super) fn is_busy(&self) -> bool {
        self.log.is_over_bound()
    }

    /// Closes a connection with a last message before the Close frame.
    pub(super) fn end_with(
        &mut self,
        id: ConnectionId,
        reason: CloseReason,
        last: &ServerMessage<'_>,
    ) {
        if self.connections.get(id).is_ok_and(ConnectionState::is_open) {
            let json = self.config.wire == Wire::Json;
            let last = json.then(|| self.encoder.encode(last, 0));
            self.close_open(id, reason, last, close_frame(reason));
        } else {
            self.send_message(id, last);
            self.end(id, reason);
        }
    }

    /// Closes a connection because the node drains, and tells the client when to reconnect.
    pub(super) fn end_draining(&mut self, id: ConnectionId, reconnect_in_ms: u64) {
        let reason = CloseReason::Draining;
        let bye = ServerMessage::Bye {
            code: 1001,
            reason: reason.as_str(),
            reconnect_in_ms,
        };
        self.end_with(id, reason, &bye);
    }
}

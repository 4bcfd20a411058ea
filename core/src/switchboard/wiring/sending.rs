//! Messages that are queued for connections, and what follows: slow connections are closed, and
//! the bound of the node is enforced.

use super::ending::close_frame;
use super::switchboard::Switchboard;
use crate::protocol::ServerMessage;
use crate::switchboard::action::Action;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::counters::Level;
use crate::switchboard::outbox::budget::Relief;
use crate::switchboard::outbox::{Message, Terms, resumes};
use crate::switchboard::phase::Phase;
use crate::switchboard::pool::Mark;
use crate::switchboard::recipients::{Excluded, Receipt};
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, Frame, Wire};

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

    /// Queues a message for one connection, which is closed as slow if it does not fit.
    pub(super) fn send_frame(&mut self, id: ConnectionId, frame: Frame) -> Receipt {
        let message = Message::unnumbered(self.outbox.publish(frame));
        self.fan_out([id.slot].into_iter(), message, &Excluded::Nobody)
    }

    /// Queues a published message for many connections, and settles what follows.
    pub(super) fn fan_out(
        &mut self,
        slots: impl Iterator<Item = u32>,
        message: Message,
        excluded: &Excluded<'_>,
    ) -> Receipt {
        let terms = Terms {
            limits: &self.config.limits,
            now: self.clock.liveness(),
        };
        let (connections, effects) = (&mut self.connections, &mut self.effects);
        let sent = self
            .outbox
            .fan_out(connections, effects, slots, message, excluded, terms);
        self.settle_sent(sent)
    }

    /// Counts what was dropped for a message, closes the connections that it found slow, and
    /// enforces the bound of the node.
    pub(super) fn settle_sent(&mut self, (mut receipt, mark): (Receipt, Mark)) -> Receipt {
        let (oldest, newest) = (receipt.dropped_oldest, receipt.dropped_newest);
        self.counters.dropped("drop_oldest", oldest as u64);
        self.counters.dropped("drop_newest", newest as u64);
        self.settle();
        let lost = self.relieve(Some(mark));
        receipt.queued -= lost;
        receipt.closed += lost;
        receipt
    }

    /// Carries out what sub-machines have recorded: resumes reading, and ends connections.
    pub(super) fn settle(&mut self) {
        while let Some(id) = self.effects.next_resumed() {
            self.reading_resumed(id);
            self.effects.act(Action::ReadMode(id));
        }
        while let Some((id, reason)) = self.effects.next_end() {
            self.end(id, reason);
        }
    }

    /// Enforces the bound of the node: closes connections whose sockets do not take bytes, those
    /// with the longest queues first, until it is kept. If that cannot help, none is closed,
    /// because frames that wait for a writer are no fault of their clients; publishers wait
    /// instead.
    pub(super) fn enforce_queue_budget(&mut self) {
        self.relieve(None);
    }

    /// Enforces the bound of the node. Returns the number of connections closed with this message
    /// at the end of their queues.
    fn relieve(&mut self, message: Option<Mark>) -> usize {
        let limit = self.config.limits.queued_bytes;
        self.note_level(Level::QueuedBytes, self.outbox.held(), limit);
        let Some(mut relief) = Relief::new(&self.outbox, &self.connections, limit) else {
            return 0;
        };
        let mut lost = 0;
        while let Some(victim) = relief.next(&self.outbox, &self.connections, message) {
            let id = victim.id;
            if victim.is_open {
                lost += usize::from(victim.had_message);
                self.end(id, CloseReason::SlowConsumer);
            }
            // What a close cannot discard must not cost other clients their connections.
            if !victim.is_open || (victim.is_stuck && self.outbox.exceeds(limit)) {
                self.remove(id, None);
            } else {
                relief.put_back(&self.connections, id);
            }
        }
        lost
    }

    /// Returns whether the bound of the node is exceeded. Sends are refused then, until the writers
    /// have caught up.
    pub(super) fn is_busy(&self) -> bool {
        self.outbox.exceeds(self.config.limits.queued_bytes)
    }

    /// Resumes reading if the queue has shrunk from `before` bytes to within the limit.
    pub(super) fn queue_shrank(&mut self, id: ConnectionId, before: usize) {
        if let Ok(connection) = self.connections.get(id)
            && resumes(connection, before, &self.config.limits)
        {
            self.reading_resumed(id);
            self.effects.act(Action::ReadMode(id));
        }
    }

    /// Restarts the ping timeout when reading goes on.
    pub(super) fn reading_resumed(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.health.ping_timeout;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if let Some(ping) = &mut connection.ping
            && ping.has_left()
        {
            ping.deadline = deadline;
            self.arm(id, Kind::PingTimeout);
        }
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

//! What the driver's writers take and report, and what is queued for one connection.

use super::switchboard::Switchboard;
use crate::protocol::ServerMessage;
use crate::switchboard::action::Action;
use crate::switchboard::counters::Level;
use crate::switchboard::outbox::budget::Relief;
use crate::switchboard::outbox::{Message, Terms, resumes};
use crate::switchboard::phase::Phase;
use crate::switchboard::pool::{Chunk, Mark, StoredFrame};
use crate::switchboard::queue::Class;
use crate::switchboard::recipients::{Excluded, Receipt};
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, Frame, StaleId, Wire};

impl Switchboard {
    /// Returns the next connection that has something to write. The caller becomes its writer.
    #[must_use]
    pub fn poll_send(&mut self) -> Option<ConnectionId> {
        self.outbox.poll(&mut self.connections)
    }

    /// Returns the connections that [`poll_send`](Self::poll_send) returns next, unless something
    /// changes, with the number of bytes queued for each.
    pub fn next_sends(&self) -> impl Iterator<Item = (ConnectionId, usize)> {
        self.outbox.upcoming(&self.connections)
    }

    /// Returns whether [`poll_send`](Self::poll_send) may return a connection.
    pub fn wants_write(&self) -> bool {
        self.outbox.wants_write()
    }

    /// Returns whether the writers are so far behind that more input should wait. Data that the
    /// writers have not tried to write yet must not make a connection look slow; and where more
    /// than half of the node's bound is held, what can be written goes first. Data behind blocked
    /// sockets does not count.
    pub fn is_congested(&self) -> bool {
        self.outbox
            .is_congested(&self.connections, &self.config.limits)
    }

    /// Takes about `budget` bytes for a connection's writer: small frames are appended to `out`, a
    /// large one is shared.
    ///
    /// The frames stay in the queue until [`Event::Wrote`](crate::Event::Wrote) reports how many
    /// bytes were written; until then a second call returns nothing.
    pub fn transmit(&mut self, id: ConnectionId, out: &mut Vec<u8>, budget: usize) -> Chunk {
        match self.connections.get_mut(id) {
            Ok(connection) => self.outbox.take(connection, out, budget),
            Err(_) => Chunk::Nothing,
        }
    }

    pub(super) fn wrote(&mut self, id: ConnectionId, bytes: usize) -> Result<(), StaleId> {
        let now = self.liveness();
        let connection = self.connections.get_mut(id)?;
        let before = connection.queue.bytes();
        let Some(written) = self.outbox.wrote(connection, id, bytes, now) else {
            return Ok(());
        };
        let waits = !connection.queue.is_empty();
        let page = matches!(connection.phase, Phase::Refused(ending) if ending.page);
        self.counters.messages_out += u64::from(written.messages);
        if let Some((reason, messages)) = written.discarded {
            self.counters.dropped(reason.as_str(), u64::from(messages));
        }
        if written.ping {
            self.ping_left(id);
        }
        if written.blocked {
            self.arm(id, Kind::WriteStall);
        }
        self.queue_shrank(id, before);
        if page && !waits {
            self.page_is_out(id);
        }
        self.finish(id);
        Ok(())
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

    pub(super) fn writable(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        let connection = self.connections.get_mut(id)?;
        self.outbox.writable(connection, id);
        Ok(())
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

    /// Queues a message for one connection, which is closed as slow if it does not fit.
    pub(super) fn send_frame(&mut self, id: ConnectionId, frame: Frame) -> Receipt {
        let message = Message::unnumbered(self.outbox.publish(frame));
        self.fan_out([id.slot].into_iter(), message, &Excluded::Nobody)
    }

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

    /// Queues a frame that goes before all data and is not limited.
    pub(super) fn push_urgent(&mut self, id: ConnectionId, frame: Frame, class: Class) {
        let stored = self.outbox.store(frame);
        self.push_stored(id, stored, class);
        self.outbox.release(stored);
    }

    /// Like [`Self::push_urgent`], for a frame that others get as well.
    pub(super) fn push_stored(&mut self, id: ConnectionId, frame: StoredFrame, class: Class) {
        let now = self.liveness();
        if let Ok(connection) = self.connections.get_mut(id) {
            self.outbox.push_urgent(connection, id, frame, class, now);
        }
    }

    /// Queues a frame at the end of the queue, which is not limited.
    pub(super) fn push_last(&mut self, id: ConnectionId, frame: Frame) {
        let now = self.liveness();
        if let Ok(connection) = self.connections.get_mut(id) {
            self.outbox.push_last(connection, id, frame, now);
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
}

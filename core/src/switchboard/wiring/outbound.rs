//! From queues to sockets: which connections have something to write, and what was written.
//!
//! ```text
//!           push                take                    wrote, all
//!   Idle ─────────▶ Queued ────────────▶ Writing ─────────────────▶ Idle or Queued
//!                     ▲                     │ wrote, part
//!                     └──── writable ──── Blocked
//! ```
//! A connection has at most one writer. If frames are pushed while it writes, the connection is
//! queued again when the writer reports, so that no wake-up is lost.

use std::collections::BinaryHeap;

use super::delivery::{Offer, Receipt};
use super::switchboard::{QueuedWrite, Switchboard};
use crate::protocol::ServerMessage;
use crate::switchboard::action::Action;
use crate::switchboard::connection::WriteState;
use crate::switchboard::counters::Level;
use crate::switchboard::phase::Phase;
use crate::switchboard::pool::{Chunk, Mark, StoredFrame};
use crate::switchboard::queue::{Class, NO_ROOM};
use crate::switchboard::timers::{Kind, give_back};
use crate::{CloseReason, ConnectionId, Frame, SlowPolicy, StaleId, Wire};

impl Switchboard {
    /// Returns the next connection that has something to write. The caller becomes its writer.
    #[must_use]
    pub fn poll_send(&mut self) -> Option<ConnectionId> {
        while let Some(taken) = self.writing.front()
            && !self.is_writing(taken.id)
        {
            self.writing.pop_front();
        }
        while let Some(taken) = self.queued_writes.pop_front() {
            give_back(&mut self.queued_writes);
            let id = taken.id;
            let Ok(connection) = self.connections.get_mut(id) else {
                continue;
            };
            if connection.writer != WriteState::Queued {
                continue;
            }
            if connection.queue.is_empty() {
                connection.writer = WriteState::Idle;
                continue;
            }
            connection.writer = WriteState::Writing;
            self.writing.push_back(taken);
            return Some(id);
        }
        None
    }

    /// Returns the connections that [`poll_send`](Self::poll_send) returns next, unless something
    /// changes, with the number of bytes queued for each.
    pub fn next_sends(&self) -> impl Iterator<Item = (ConnectionId, usize)> {
        self.queued_writes.iter().filter_map(|next| {
            let connection = self.connections.get(next.id).ok()?;
            let bytes = connection.queue.bytes();
            (bytes > 0).then_some((next.id, bytes))
        })
    }

    fn is_writing(&self, id: ConnectionId) -> bool {
        self.connections
            .get(id)
            .is_ok_and(|connection| connection.writer == WriteState::Writing)
    }

    /// Returns whether [`poll_send`](Self::poll_send) may return a connection.
    pub fn wants_write(&self) -> bool {
        !self.queued_writes.is_empty()
    }

    /// Returns whether the writers are so far behind that more input should wait. Data that the
    /// writers have not tried to write yet must not make a connection look slow; and where more
    /// than half of the node's bound is held, what can be written goes first. Data behind blocked
    /// sockets does not count.
    pub fn is_congested(&self) -> bool {
        let limits = &self.config.limits;
        let mut writing = self.writing.iter();
        let oldest = writing.find(|taken| self.is_writing(taken.id));
        let half_held = self.pool.held() > limits.queued_bytes / 2;
        oldest.or(self.queued_writes.front()).is_some_and(|oldest| {
            let messages = self.publish_totals.messages - oldest.since.messages;
            let bytes = self.publish_totals.bytes - oldest.since.bytes;
            half_held
                || messages > limits.queue_messages as u64 / 4
                || bytes > limits.queue_bytes as u64 / 4
        })
    }

    /// Takes about `budget` bytes for a connection's writer: small frames are appended to `out`, a
    /// large one is shared.
    ///
    /// The frames stay in the queue until [`Event::Wrote`](super::Event::Wrote) reports how many
    /// bytes were written; until then a second call returns nothing.
    pub fn transmit(&mut self, id: ConnectionId, out: &mut Vec<u8>, budget: usize) -> Chunk {
        match self.connections.get_mut(id) {
            Ok(connection) if connection.writer == WriteState::Writing => {
                self.pool.take(&mut connection.queue, out, budget)
            }
            _ => Chunk::Nothing,
        }
    }

    pub(super) fn wrote(&mut self, id: ConnectionId, written: usize) -> Result<(), StaleId> {
        let now = self.liveness();
        let connection = self.connections.get_mut(id)?;
        if connection.writer != WriteState::Writing {
            return Ok(());
        }
        let before = connection.queue.bytes();
        let progress = self.pool.wrote(&mut connection.queue, written);
        if written > 0 {
            connection.stalled_from = now;
        }
        if progress.ping {
            self.ping_left(id);
        }
        self.counters.messages_out += u64::from(progress.messages);
        let connection = self.connections.get_mut(id)?;
        let discard = match connection.phase {
            Phase::Closing(ending) if ending.now => ending.reason,
            _ => None,
        };
        if let Some(reason) = discard {
            let dropped = self.pool.discard(&mut connection.queue);
            self.counters.dropped(reason.as_str(), u64::from(dropped));
        }
        let page = matches!(connection.phase, Phase::Refused(ending) if ending.page);
        let waits = !connection.queue.is_empty();
        if progress.blocked {
            connection.writer = WriteState::Blocked;
            self.blocked.insert(id);
            self.arm(id, Kind::WriteStall);
        } else {
            connection.writer = WriteState::Idle;
            if waits {
                self.queue_write(id);
            }
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
        let Some(limit) = self.config.limits.pause_reading else {
            return;
        };
        let after = self
            .connections
            .get(id)
            .map_or(0, |found| found.queue.bytes());
        if before > limit && after <= limit {
            self.reading_resumed(id);
            self.effects.act(Action::ReadMode(id));
        }
    }

    pub(super) fn writable(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        let connection = self.connections.get_mut(id)?;
        if connection.writer == WriteState::Blocked {
            connection.writer = WriteState::Idle;
            let waits = !connection.queue.is_empty();
            self.blocked.remove(&id);
            if waits {
                self.queue_write(id);
            }
        }
        Ok(())
    }

    /// Adds a connection that has something to write to the list, once.
    pub(super) fn queue_write(&mut self, id: ConnectionId) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.writer == WriteState::Idle {
            connection.writer = WriteState::Queued;
            self.queued_writes.push_back(QueuedWrite {
                id,
                since: self.publish_totals,
            });
        }
    }

    pub(super) fn count_publish(&mut self, bytes: usize) {
        self.publish_totals.messages += 1;
        self.publish_totals.bytes += bytes as u64;
    }

    /// Stores a frame for publishing, and counts it once.
    pub(super) fn store_counted(&mut self, frame: Frame) -> StoredFrame {
        self.count_publish(frame.len());
        self.pool.store(frame)
    }

    /// Offers a room's message to one member.
    pub(super) fn offer(
        &mut self,
        slot: u32,
        frame: StoredFrame,
        room: u32,
        policy: SlowPolicy,
    ) -> Offer {
        let limits = self.config.limits;
        let fits = |queue: &crate::switchboard::queue::Queue| {
            queue.bytes() + frame.len <= limits.queue_bytes
                && (queue.messages() as usize) < limits.queue_messages
        };
        let now = self.clock.liveness();
        let connection = self.connections.at_mut(slot);
        let id = ConnectionId {
            slot,
            generation: connection.generation,
        };
        let before = connection.queue.bytes();
        let mut dropped = 0;
        if !fits(&connection.queue) {
            if policy == SlowPolicy::DropNewest {
                return Offer::DroppedNewest;
            }
            dropped = self.pool.drop_oldest(&mut connection.queue, fits);
            if !fits(&connection.queue) {
                return Offer::Slow { dropped };
            }
        }
        if connection.queue.is_empty() {
            connection.stalled_from = now;
        }
        let class = if policy == SlowPolicy::DropOldest {
            Class::DROPPABLE
        } else {
            Class::MESSAGE
        };
        self.pool.push(&mut connection.queue, frame, room, class);
        if connection.writer == WriteState::Idle {
            connection.writer = WriteState::Queued;
            self.queued_writes.push_back(QueuedWrite {
                id,
                since: self.publish_totals,
            });
        }
        if dropped > 0 {
            self.queue_shrank(id, before);
        }
        Offer::Queued { dropped }
    }

    /// Queues a message for one connection, which is closed as slow if it does not fit.
    pub(super) fn send_frame(&mut self, id: ConnectionId, frame: Frame) -> Receipt {
        let stored = self.store_counted(frame);
        let offer = self.offer(id.slot, stored, NO_ROOM, SlowPolicy::Disconnect);
        let mark = self.pool.mark(stored);
        self.pool.release(stored);
        let mut receipt = Receipt::default();
        match offer {
            Offer::Queued { dropped } => {
                receipt.queued = 1;
                receipt.dropped_oldest = dropped as usize;
            }
            Offer::Slow { dropped } => {
                receipt.closed = 1;
                receipt.dropped_oldest = dropped as usize;
            }
            Offer::DroppedNewest => receipt.dropped_newest = 1,
        }
        self.counters
            .dropped("drop_oldest", receipt.dropped_oldest as u64);
        if receipt.closed > 0 {
            self.effects.end(id, CloseReason::SlowConsumer);
        }
        self.settle();
        self.relieve_after(mark, &mut receipt);
        receipt
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
        let stored = self.pool.store(frame);
        self.push_stored(id, stored, class);
        self.pool.release(stored);
    }

    /// Like [`Self::push_urgent`], for a frame that others get as well.
    pub(super) fn push_stored(&mut self, id: ConnectionId, frame: StoredFrame, class: Class) {
        let now = self.liveness();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.queue.is_empty() {
            connection.stalled_from = now;
        }
        self.pool.push_urgent(&mut connection.queue, frame, class);
        self.queue_write(id);
    }

    /// Queues a frame at the end of the queue, which is not limited.
    pub(super) fn push_last(&mut self, id: ConnectionId, frame: Frame) {
        let now = self.liveness();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.queue.is_empty() {
            connection.stalled_from = now;
        }
        self.pool
            .push_frame(&mut connection.queue, frame, Class::LAST);
        self.queue_write(id);
    }

    /// Enforces the bound of the node: closes connections whose sockets do not take bytes, those
    /// with the longest queues first, until it is kept. If that cannot help, none is closed,
    /// because frames that wait for a writer are no fault of their clients; publishers wait
    /// instead.
    pub(super) fn enforce_queue_budget(&mut self) {
        self.relieve_counting(None);
    }

    /// Like [`Self::enforce_queue_budget`], after queueing a message; corrects its receipt.
    pub(super) fn relieve_after(&mut self, message: Mark, receipt: &mut Receipt) {
        let lost = self.relieve_counting(Some(message));
        receipt.queued -= lost;
        receipt.closed += lost;
    }

    /// Returns the number of connections closed with this message at the end of their queues.
    fn relieve_counting(&mut self, message: Option<Mark>) -> usize {
        let limit = self.config.limits.queued_bytes;
        self.note_level(Level::QueuedBytes, self.pool.held(), limit);
        if self.pool.held() <= limit || self.blocked.is_empty() {
            return 0;
        }
        let waits = |id| {
            (
                self.connections.get(id).map_or(0, |it| it.queue.bytes()),
                id,
            )
        };
        let mut heap: BinaryHeap<_> = self.blocked.iter().map(|&id| waits(id)).collect();
        let held_back: usize = heap.iter().map(|&(bytes, _)| bytes).sum();
        if held_back < self.pool.held() - limit {
            // Closing all of them would not suffice; let the writers catch up.
            return 0;
        }
        let mut lost = 0;
        while self.pool.held() > limit
            && let Some((bytes, id)) = heap.pop()
            && bytes > 0
        {
            let Ok(found) = self.connections.get(id) else {
                continue;
            };
            let (open, stuck) = (found.is_open(), found.queue.is_stuck());
            if open {
                let had = message.is_some_and(|mark| self.pool.ends_with(&found.queue, mark));
                lost += usize::from(had);
                self.end(id, CloseReason::SlowConsumer);
            }
            // What a close cannot discard must not cost other clients their connections.
            if !open || (stuck && self.pool.held() > limit) {
                self.remove(id, None);
            } else if let Ok(found) = self.connections.get(id) {
                // Its Close frame is still queued; consider it last.
                heap.push((found.queue.bytes(), id));
            }
        }
        lost
    }

    /// Returns whether the bound of the node is exceeded. Sends are refused then, until the writers
    /// have caught up.
    pub(super) fn is_busy(&self) -> bool {
        self.pool.held() > self.config.limits.queued_bytes
    }
}

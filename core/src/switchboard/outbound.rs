//! From queues to sockets: who has something to write, who may write it, and what became of it.
//!
//! ```text
//!           push                take                    wrote, all
//!   Idle ─────────▶ Queued ────────────▶ Writing ─────────────────▶ Idle or Queued
//!                     ▲                     │ wrote, part
//!                     └──── writable ──── Blocked
//! ```
//! A connection has at most one writer; what is pushed while it writes queues it again
//! when the writer reports, so that no wake-up is lost.

use std::collections::BinaryHeap;

use super::connection::{Phase, WriteState};
use super::delivery::{Offer, Receipt};
use super::pool::{Chunk, Mark, StoredFrame};
use super::queue::{Class, NO_ROOM};
use super::timers::{Kind, give_back};
use super::{Action, QueuedWrite, Switchboard};
use crate::protocol::ServerMessage;
use crate::{CloseReason, ConnectionId, Frame, SlowPolicy, StaleId, Wire};

impl Switchboard {
    /// The next connection for which bytes can be taken. The caller becomes its writer.
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

    /// Those that [`poll_send`](Self::poll_send) has next, unless something changes, and the bytes
    /// that wait for each.
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

    /// Whether [`poll_send`](Self::poll_send) may have somebody.
    pub fn wants_write(&self) -> bool {
        !self.queued_writes.is_empty()
    }

    /// Whether the writers are so far behind that more input should wait: what they have not even
    /// tried to write must not make a connection look slow, nor what came while they were at it; and
    /// where more than half of the node's bound is held, what they can write goes first. For what only
    /// blocked sockets hold back nobody waits.
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

    /// Takes about `budget` bytes for a connection's writer: small frames are appended to `out`,
    /// a large one is lent.
    ///
    /// The frames stay in the queue until [`Event::Wrote`](super::Event::Wrote) says how much of
    /// them is out; until then a second call gets nothing.
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
        self.settle(id);
        Ok(())
    }

    /// The queue of a connection had so many bytes, and has fewer: it may be read again.
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
            self.notices.push_back(Action::ReadMode(id));
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

    /// Puts a connection that has something to write into the list, once.
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

    /// Stores what is published to some, however many these are.
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
        let fits = |queue: &super::queue::Queue| {
            queue.bytes() + frame.len <= limits.queue_bytes
                && (queue.messages() as usize) < limits.queue_messages
        };
        let now = self.now.before(self.stall);
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

    /// Queues one message for one connection; whom it does not fit is slow.
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
            self.end(id, CloseReason::SlowConsumer);
        }
        self.relieve_after(mark, &mut receipt);
        receipt
    }

    /// Queues an answer or a notice, where JSON is spoken, for a connection that can be told.
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

    /// Queues a frame that goes before all data and has no limit of its own.
    pub(super) fn push_urgent(&mut self, id: ConnectionId, frame: Frame, class: Class) {
        let stored = self.pool.store(frame);
        self.push_stored(id, stored, class);
        self.pool.release(stored);
    }

    /// [`Self::push_urgent`] of what goes to others as well.
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

    /// Queues a frame of the end: it comes last and has no limit.
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

    /// Keeps the bound of the node: closes connections whose sockets do not take bytes, those with
    /// the most waiting first, until it fits. Nobody is closed where that could not help: what waits
    /// for a writer is nobody's fault, and publishers are made to wait for it.
    pub(super) fn enforce_queue_budget(&mut self) {
        self.relieve_counting(None);
    }

    /// The same after a message has been queued: whom this closes it has not reached.
    pub(super) fn relieve_after(&mut self, message: Mark, receipt: &mut Receipt) {
        let lost = self.relieve_counting(Some(message));
        receipt.queued -= lost;
        receipt.closed += lost;
    }

    /// Returns the number of connections that it closed with this message at the end of their queues.
    fn relieve_counting(&mut self, message: Option<Mark>) -> usize {
        let limit = self.config.limits.queued_bytes;
        self.note_level(super::stats::Level::QueuedBytes, self.pool.held(), limit);
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
            // Without them all it would not fit either: it is the writers' turn.
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
            // What a close cannot discard must not cost others their connection.
            if !open || (stuck && self.pool.held() > limit) {
                self.remove(id, None);
            } else if let Ok(found) = self.connections.get(id) {
                // Its Close frame waits, and goes last.
                heap.push((found.queue.bytes(), id));
            }
        }
        lost
    }

    /// Whether the bound of the node is passed, and by nobody's fault: then nothing more is taken
    /// until the writers have caught up.
    pub(super) fn is_busy(&self) -> bool {
        self.pool.held() > self.config.limits.queued_bytes
    }
}

//! What waits to be written: to whom a message goes, and what is queued for each connection.

pub(super) mod budget;
mod writers;

use std::collections::{BTreeSet, VecDeque};

use super::audit::{Inconsistency, same};
use super::connection::{ConnectionState, WriteState};
use super::effects::Effects;
use super::pool::{Chunk, Latest, Mark, Pool, StoredFrame};
use super::queue::{Class, NO_ROOM, Queue};
use super::recipients::{Excluded, Receipt};
use super::table::Table;
use crate::{CloseReason, ConnectionId, Frame, Limits, SlowPolicy, Time};

/// The largest final write of an evicted connection, in bytes. A socket rarely takes more at once.
const LAST_BYTES: usize = 64 << 10;

/// The queues of all connections, and the list of those that have something to write.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pool: Pool,
    queued: VecDeque<QueuedWrite>,
    /// Entries taken from `queued` whose writer may not have reported yet, the oldest first.
    writing: VecDeque<QueuedWrite>,
    /// Totals of what has been queued, to measure how far the writers are behind.
    totals: PublishTotals,
    /// Connections whose sockets take no bytes. Only these are closed for the bound of the node.
    blocked: BTreeSet<ConnectionId>,
}

/// A connection that has something to write, and the totals when it was queued.
#[derive(Clone, Copy, Debug)]
struct QueuedWrite {
    id: ConnectionId,
    since: PublishTotals,
}

/// How much has been queued; a broadcast counts once.
#[derive(Clone, Copy, Debug, Default)]
struct PublishTotals {
    messages: u64,
    bytes: u64,
}

/// A stored message on its way into queues.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) frame: StoredFrame,
    /// The tag of its room, or [`NO_ROOM`].
    pub(super) room: u32,
    pub(super) policy: SlowPolicy,
}

impl Message {
    /// Dropping policies apply to room messages only.
    pub(super) fn unnumbered(frame: StoredFrame) -> Self {
        Self {
            frame,
            room: NO_ROOM,
            policy: SlowPolicy::Disconnect,
        }
    }
}

/// What queueing depends on beside the queues.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) limits: &'a Limits,
    /// In liveness time.
    pub(super) now: Time,
}

/// The outcome for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// The message is queued, and `dropped` older ones were dropped for it.
    Queued { dropped: u32 },
    /// The message does not fit, and was dropped.
    DroppedNewest,
    /// The message does not fit, and the connection is to be closed.
    Slow { dropped: u32 },
}

impl Outbox {
    /// Returns the bytes of memory of all queues.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.pool.held()
    }

    /// Stores a frame for publishing, and counts it once. [`Self::release`] has to follow.
    #[inline]
    pub(super) fn publish(&mut self, frame: Frame) -> StoredFrame {
        self.count_publish(frame.len());
        self.pool.store(frame)
    }

    /// Like [`Self::publish`], for a frame that a room publishes after its `latest` one.
    #[inline]
    pub(super) fn publish_after(&mut self, latest: &mut Latest, frame: Frame) -> StoredFrame {
        self.count_publish(frame.len());
        self.pool.store_after(latest, frame)
    }

    /// Stores a frame that several connections get. [`Self::release`] has to follow.
    #[inline]
    pub(super) fn store(&mut self, frame: Frame) -> StoredFrame {
        self.pool.store(frame)
    }

    /// Releases a stored frame; it stays in the queues that it is in.
    #[inline]
    pub(super) fn release(&mut self, frame: StoredFrame) {
        self.pool.release(frame);
    }

    /// Queues a message for the connections in these slots, and releases it. Slow ones are recorded
    /// in `effects`. The mark serves to correct the receipt if connections are closed because of
    /// the message.
    #[inline]
    pub(super) fn fan_out(
        &mut self,
        connections: &mut Table,
        effects: &mut Effects,
        slots: impl Iterator<Item = u32>,
        message: Message,
        excluded: &Excluded<'_>,
        terms: Terms<'_>,
    ) -> (Receipt, Mark) {
        let mut receipt = Receipt::default();
        for slot in slots {
            if excluded.has(connections, slot) {
                receipt.excluded += 1;
                continue;
            }
            match self.offer(connections, effects, slot, message, terms) {
                Offer::Queued { dropped } => {
                    receipt.queued += 1;
                    receipt.dropped_oldest += dropped as usize;
                }
                Offer::DroppedNewest => receipt.dropped_newest += 1,
                Offer::Slow { dropped } => {
                    receipt.dropped_oldest += dropped as usize;
                    receipt.closed += 1;
                    effects.end(connections.id_at(slot), CloseReason::SlowConsumer);
                }
            }
        }
        let mark = self.pool.mark(message.frame);
        self.pool.release(message.frame);
        (receipt, mark)
    }

    /// Offers a message to the connection in a slot. Records in `effects` if reading from it
    /// resumes.
    #[inline]
    pub(super) fn offer(
        &mut self,
        connections: &mut Table,
        effects: &mut Effects,
        slot: u32,
        message: Message,
        terms: Terms<'_>,
    ) -> Offer {
        let Message {
            frame,
            room,
            policy,
        } = message;
        let limits = terms.limits;
        let fits = |queue: &Queue| {
            queue.bytes() + frame.len <= limits.queue_bytes
                && (queue.messages() as usize) < limits.queue_messages
        };
        let connection = connections.at_mut(slot);
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
            connection.stalled_from = terms.now;
        }
        let class = if policy == SlowPolicy::DropOldest {
            Class::DROPPABLE
        } else {
            Class::MESSAGE
        };
        self.pool.push(&mut connection.queue, frame, room, class);
        self.queue_write(connection, id);
        if dropped > 0 && resumes(connection, before, limits) {
            effects.resume_reading(id);
        }
        Offer::Queued { dropped }
    }

    /// Queues a frame that goes before all data and is not limited.
    #[inline]
    pub(super) fn push_urgent(
        &mut self,
        connection: &mut ConnectionState,
        id: ConnectionId,
        frame: StoredFrame,
        class: Class,
        now: Time,
    ) {
        note_start(connection, now);
        self.pool.push_urgent(&mut connection.queue, frame, class);
        self.queue_write(connection, id);
    }

    /// Queues a frame at the end of the queue, which is not limited and survives a discard.
    pub(super) fn push_last(
        &mut self,
        connection: &mut ConnectionState,
        id: ConnectionId,
        frame: Frame,
        now: Time,
    ) {
        note_start(connection, now);
        self.pool
            .push_frame(&mut connection.queue, frame, Class::LAST);
        self.queue_write(connection, id);
    }

    /// Queues a pong; of several that are delayed, only the latest is sent.
    pub(super) fn push_pong(
        &mut self,
        connection: &mut ConnectionState,
        id: ConnectionId,
        frame: Frame,
        now: Time,
    ) {
        note_start(connection, now);
        let blocked = connection.writer == WriteState::Blocked;
        self.pool.push_pong(&mut connection.queue, frame, blocked);
        self.queue_write(connection, id);
    }

    /// Drops the messages of a room that no writer has taken; returns their number.
    pub(super) fn purge(&mut self, connection: &mut ConnectionState, room: u32) -> u32 {
        self.pool.purge(&mut connection.queue, room)
    }

    /// Discards what no writer has taken and need not survive; returns the number of messages.
    pub(super) fn discard(&mut self, connection: &mut ConnectionState) -> u32 {
        self.pool.discard(&mut connection.queue)
    }

    /// Discards everything of a connection that is about to be removed; returns the number of
    /// messages.
    pub(super) fn forget(&mut self, connection: &mut ConnectionState, id: ConnectionId) -> u32 {
        if connection.writer == WriteState::Blocked {
            self.blocked.remove(&id);
        }
        self.pool.clear(&mut connection.queue)
    }

    /// Returns whether a frame may be written before everything queued.
    #[inline]
    pub(super) fn may_be_overtaken(&self, connection: &ConnectionState) -> bool {
        connection.writer != WriteState::Writing && self.pool.may_be_overtaken(&connection.queue)
    }

    /// Takes what is queued for a closing connection, for a single attempt to write it, and the
    /// number of messages in it. Returns `None` if the socket takes no bytes, or if a writer has
    /// taken frames.
    pub(super) fn last_words(&mut self, connection: &mut ConnectionState) -> Option<(Frame, u32)> {
        let queue = &mut connection.queue;
        let free = matches!(connection.writer, WriteState::Idle | WriteState::Queued);
        if !free || queue.is_empty() || queue.bytes() > LAST_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(queue.bytes());
        let mut messages = 0;
        while !queue.is_empty() {
            let before = bytes.len();
            let taken = match self.pool.take(queue, &mut bytes, LAST_BYTES) {
                Chunk::Nothing => break,
                Chunk::Copied(_) => bytes.len() - before,
                Chunk::Shared(frame, from) => {
                    bytes.extend_from_slice(&frame.as_bytes()[from..]);
                    bytes.len() - before
                }
            };
            messages += self.pool.wrote(queue, taken).messages;
        }
        Some((Frame::raw(bytes), messages))
    }

    /// Recounts all queues.
    pub(super) fn audit(&self, connections: &Table, limits: &Limits) -> Result<(), Inconsistency> {
        let (mut runs, mut frames) = (0, 0);
        let mut blocked = BTreeSet::new();
        for (id, connection) in connections.iter() {
            let queue = &connection.queue;
            let found = self.pool.recount(queue);
            same("queued bytes", queue.bytes(), found.bytes)?;
            same("queued bytes, by runs", found.said, found.bytes)?;
            same("queued messages", queue.messages(), found.messages)?;
            if connection.writer == WriteState::Blocked {
                blocked.insert(id);
            }
            runs += found.runs;
            frames += found.frames;
        }
        let queues = connections.iter().map(|(_, found)| &found.queue);
        let held = self.pool.recount_held(queues);
        same("bytes held", self.pool.held(), held)?;
        same("blocked", &self.blocked, &blocked)?;
        let (in_use, _, references) = self.pool.in_use();
        same("runs", in_use, runs)?;
        same("references to frames", references, frames)?;
        let of_blocked = blocked.iter().filter_map(|&id| connections.get(id).ok());
        let held_back: usize = of_blocked.map(|found| found.queue.bytes()).sum();
        let excess = held.saturating_sub(limits.queued_bytes);
        let kept = excess == 0 || held_back < excess;
        same(
            "bytes held <= limit, unless closing cannot help",
            kept,
            true,
        )
    }

    #[inline]
    fn count_publish(&mut self, bytes: usize) {
        self.totals.messages += 1;
        self.totals.bytes += bytes as u64;
    }
}

/// Returns whether reading, which pauses while more than `limits.pause_reading` is queued, resumes
/// because the queue has shrunk from `before` bytes.
#[inline]
pub(super) fn resumes(connection: &ConnectionState, before: usize, limits: &Limits) -> bool {
    limits
        .pause_reading
        .is_some_and(|limit| before > limit && connection.queue.bytes() <= limit)
}

/// Starts to measure how long the socket takes nothing, when the first frame is queued.
#[inline]
fn note_start(connection: &mut ConnectionState, now: Time) {
    if connection.queue.is_empty() {
        connection.stalled_from = now;
    }
}

#[cfg(test)]
mod tests;

//! A connection's own frames: answers, notices, direct messages, control frames, and what remains
//! of a room's messages after it was left to end.
//!
//! Messages are limited if the socket accepts no bytes. For other connections the frames have not been
//! written yet, and the limit is doubled.
//!
//! A frame in order carries the node's count of published messages: it goes after all messages of
//! rooms up to that count, and before all later ones.

use super::Log;
use super::class::Class;
use super::connection::{Connection, List, Rest, Writer};
use super::item::{Item, Priority, Provenance};
use crate::switchboard::arena::NONE;
use crate::{ConnectionId, Frame};

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum NotQueued {
    /// There is no such connection.
    Gone,
    /// The limit of the connection's own frames is reached: it is to be closed.
    Full,
}

impl Log {
    /// Queues a message for one connection, after all that was published before.
    pub(in crate::switchboard) fn push_own(
        &mut self,
        id: ConnectionId,
        frame: Frame,
    ) -> Result<(), NotQueued> {
        self.push_class(id, frame, Class::MESSAGE)
    }

    /// Queues a frame of any class. Only messages are limited.
    pub(in crate::switchboard) fn push_class(
        &mut self,
        id: ConnectionId,
        frame: Frame,
        class: Class,
    ) -> Result<(), NotQueued> {
        let connection = self.connection(id).ok_or(NotQueued::Gone)?;
        let limited = class == Class::MESSAGE;
        if limited && !self.fits(connection, frame.len(), own_limits(connection)) {
            return Err(NotQueued::Full);
        }
        if limited {
            self.count(frame.len());
        }
        self.held += frame.footprint();
        self.append(id.slot, Priority::InOrder, frame, class, NONE);
        Ok(())
    }

    /// Returns whether a message of so many bytes for a connection is to be refused: what waits for it
    /// would be over twice the limits, and nobody has had a turn to write it.
    pub(in crate::switchboard) fn is_full_for(&self, id: ConnectionId, bytes: usize) -> bool {
        let untried = self.connection(id).filter(|it| own_limits(it) > 1);
        untried.is_some_and(|it| !self.fits(it, bytes, own_limits(it)))
    }

    /// Returns whether a connection's own frames with a message of so many bytes are within so many
    /// times the limits.
    pub(super) fn fits(&self, connection: &Connection, bytes: usize, times: usize) -> bool {
        let (queue, limits) = (self.queues.of(connection), &self.limits);
        queue.bytes + bytes <= limits.own_bytes * times
            && (queue.messages as usize) < limits.own_messages * times
    }

    /// Returns whether a connection's own frames with so many more messages, of so many bytes, are within
    /// half of the limits: what else it is to be told has its place, too.
    pub(super) fn fits_half(&self, connection: &Connection, bytes: usize, messages: usize) -> bool {
        let (queue, limits) = (self.queues.of(connection), &self.limits);
        queue.bytes + bytes <= limits.own_bytes / 2
            && queue.messages as usize + messages <= limits.own_messages / 2
    }

    /// Returns whether the own frames of a connection are over the limits.
    pub(super) fn is_over_own(&self, slot: u32) -> bool {
        let (queue, limits) = (
            self.queues.of(&self.connections[slot as usize]),
            &self.limits,
        );
        queue.bytes > limits.own_bytes || queue.messages as usize > limits.own_messages
    }

    /// Queues a frame that goes before all data and is not limited.
    pub(in crate::switchboard) fn push_urgent(
        &mut self,
        id: ConnectionId,
        frame: Frame,
        class: Class,
    ) {
        if self.connection(id).is_some() {
            self.held += frame.footprint();
            self.append(id.slot, Priority::Urgent, frame, class, NONE);
        }
    }

    /// Makes what is queued from now on come after all that members have yet to recover, which has its
    /// place behind what they were told when they joined.
    pub(in crate::switchboard) const fn come_after_recoveries(&mut self) {
        self.published += 1;
    }

    /// Returns the bytes of a connection's own frames.
    pub(in crate::switchboard) fn own_bytes(&self, id: ConnectionId) -> usize {
        let found = self.connection(id);
        found.map_or(0, |found| self.queues.of(found).bytes)
    }

    /// Returns whether a connection has frames of its own to write.
    #[inline]
    pub(super) fn has_own(&self, slot: u32) -> bool {
        self.queues.has_some(&self.connections[slot as usize])
    }

    /// Counts a message that is published or sent. One that many get counts once.
    pub(super) fn count(&mut self, bytes: usize) {
        self.totals.messages += 1;
        self.totals.bytes += bytes as u64;
    }

    pub(super) fn append(
        &mut self,
        slot: u32,
        priority: Priority,
        frame: Frame,
        class: Class,
        shared: u32,
    ) -> u32 {
        let bytes = frame.len();
        let item = self.items.insert(Item {
            frame,
            stamp: self.published,
            next: NONE,
            class,
            provenance: Provenance::Own,
            shared,
        });
        let queue = self.queues.of_mut(&mut self.connections[slot as usize]);
        queue.bytes += bytes;
        queue.messages += u32::from(class.is_message());
        queue.pongs += u8::from(class == Class::PONG);
        let list = queue.list_mut(priority);
        if list.is_empty() {
            list.head = item;
        } else {
            self.items[list.tail].next = item;
        }
        list.tail = item;
        self.touch(slot);
        self.weigh_connection(slot);
        item
    }

    /// Removes the first frame of this priority; returns its class.
    pub(super) fn pop_own(&mut self, slot: u32, priority: Priority) -> Option<Class> {
        let queue = self.queues.get_mut(&self.connections[slot as usize])?;
        let list = queue.list_mut(priority);
        let head = list.head;
        let next = self.items.get(head)?.next;
        *list = if next == NONE {
            List::EMPTY
        } else {
            List {
                head: next,
                ..*list
            }
        };
        Some(self.free(slot, head))
    }

    /// Frees a frame that is in no list.
    pub(super) fn free(&mut self, slot: u32, item: u32) -> Class {
        let item = self.items.remove(item).expect("the frame is there");
        let queue = self.queues.of_mut(&mut self.connections[slot as usize]);
        queue.bytes -= item.frame.len();
        queue.messages -= u32::from(item.class.is_message());
        queue.pongs -= u8::from(item.class == Class::PONG);
        if item.shared == NONE {
            self.held -= item.frame.footprint();
        } else {
            self.unshare(item.shared);
        }
        item.class
    }

    /// Sets what remains of a frame that was cut. It has the caller's reference to a shared frame.
    pub(super) fn set_rest(&mut self, slot: u32, rest: Option<Rest>) {
        let queue = self.queues.get_mut(&self.connections[slot as usize]);
        if let Some(queue) = queue
            && let Some(old) = queue.rest.take()
        {
            queue.bytes -= old.bytes().len();
            queue.messages -= u32::from(old.message);
            if old.shared == NONE {
                self.held -= old.bytes().len();
            } else {
                self.unshare(old.shared);
            }
        }
        if let Some(rest) = rest {
            let queue = self.queues.of_mut(&mut self.connections[slot as usize]);
            queue.bytes += rest.bytes().len();
            queue.messages += u32::from(rest.message);
            if rest.shared == NONE {
                self.held += rest.bytes().len();
            }
            queue.rest = Some(Box::new(rest));
        }
    }

    /// Discards what is not taken and need not survive; returns the number of messages.
    pub(super) fn discard_own(&mut self, slot: u32) -> u64 {
        let queue = self.queues.of(&self.connections[slot as usize]);
        let (urgent, own) = (queue.urgent_taken as usize, queue.own_taken as usize);
        let survives = |item: &Item| item.class.survives();
        self.retain(slot, Priority::Urgent, urgent, survives)
            + self.retain(slot, Priority::InOrder, own, survives)
    }

    /// Keeps the frames for which `keep` holds, and the first `taken` ones; returns the number of
    /// messages dropped.
    pub(super) fn retain(
        &mut self,
        slot: u32,
        priority: Priority,
        taken: usize,
        mut keep: impl FnMut(&Item) -> bool,
    ) -> u64 {
        let list = self
            .queues
            .of(&self.connections[slot as usize])
            .list(priority);
        let (mut kept, mut at, mut index, mut dropped) = (List::EMPTY, list.head, 0, 0);
        while at != NONE {
            let Item { next, class, .. } = self.items[at];
            if index < taken || keep(&self.items[at]) {
                if kept.is_empty() {
                    kept.head = at;
                } else {
                    self.items[kept.tail].next = at;
                }
                kept.tail = at;
                self.items[at].next = NONE;
            } else {
                dropped += u64::from(class.is_message());
                self.free(slot, at);
            }
            index += 1;
            at = next;
        }
        if let Some(queue) = self.queues.get_mut(&self.connections[slot as usize]) {
            *queue.list_mut(priority) = kept;
        }
        dropped
    }

    /// Discards everything; returns the number of messages.
    pub(super) fn clear_own(&mut self, slot: u32) -> u64 {
        let queue = self.queues.of(&self.connections[slot as usize]);
        let messages = u64::from(queue.messages);
        self.set_rest(slot, None);
        while self.pop_own(slot, Priority::Urgent).is_some() {}
        while self.pop_own(slot, Priority::InOrder).is_some() {}
        messages
    }
}

/// Returns how many times the limits the own frames of a connection may reach.
pub(super) const fn own_limits(connection: &Connection) -> usize {
    match connection.writer {
        Writer::Blocked => 1,
        _ => 2,
    }
}

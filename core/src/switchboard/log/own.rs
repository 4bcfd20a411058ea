//! A connection's own frames: answers, notices, direct messages, control frames, and what remains
//! of a room's messages after it was left to end.
//!
//! A frame in order carries the node's count of published messages: it goes after all messages of
//! rooms up to that count, and before all later ones.

use super::Log;
use super::arena::NONE;
use super::connection::{List, Rest, Writer};
use crate::switchboard::queue::Class;
use crate::{ConnectionId, Frame};

/// Pongs that wait at most, unless the socket takes no bytes.
const PONGS: u8 = 32;

/// A frame of a connection.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) frame: Frame,
    pub(super) stamp: u64,
    pub(super) next: u32,
    pub(super) class: Class,
    pub(super) came: Came,
    /// The [`Shared`] frame, if others wait for it too.
    shared: u32,
}

/// Where a frame of a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Own,
    /// A room that was left to end.
    Room,
    /// The same, and a writer may have taken it from there before.
    Taken,
}

/// A frame that is counted once, whoever waits for it.
#[derive(Debug)]
pub(super) struct Shared {
    frame: Frame,
    references: u32,
    /// The stamp of the message of a room, if that is what it is.
    origin: Option<u64>,
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum NotQueued {
    /// There is no such connection.
    Gone,
    /// The limit of the connection's own frames is reached: it is to be closed.
    Full,
}

/// Which of a connection's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Urgent,
    InOrder,
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
        let limits = self.limits;
        let connection = self.connection(id).ok_or(NotQueued::Gone)?;
        let limited = class == Class::MESSAGE;
        let full = connection.bytes + frame.len() > limits.own_bytes
            || connection.messages as usize >= limits.own_messages;
        if limited && full {
            return Err(NotQueued::Full);
        }
        self.held += frame.len();
        self.append(id.slot, Lane::InOrder, frame, class, NONE);
        Ok(())
    }

    /// Queues one message for several connections; it is counted once. Returns those for which it
    /// was not queued because their limit is reached.
    pub(in crate::switchboard) fn push_shared(
        &mut self,
        ids: impl IntoIterator<Item = ConnectionId>,
        frame: &Frame,
    ) -> Vec<ConnectionId> {
        let limits = self.limits;
        let shared = self.share(frame.clone(), None);
        let mut full = Vec::new();
        for id in ids {
            let Some(connection) = self.connection(id) else {
                continue;
            };
            if connection.bytes + frame.len() > limits.own_bytes
                || connection.messages as usize >= limits.own_messages
            {
                full.push(id);
                continue;
            }
            self.shared[shared].references += 1;
            self.append(
                id.slot,
                Lane::InOrder,
                frame.clone(),
                Class::MESSAGE,
                shared,
            );
        }
        self.unshare(shared);
        full
    }

    /// Queues a frame that goes before all data and is not limited.
    pub(in crate::switchboard) fn push_urgent(
        &mut self,
        id: ConnectionId,
        frame: Frame,
        class: Class,
    ) {
        if self.connection(id).is_some() {
            self.held += frame.len();
            self.append(id.slot, Lane::Urgent, frame, class, NONE);
        }
    }

    /// Queues a pong. Each ping of a burst is answered, but while the socket takes no bytes, or if
    /// the burst is long, only the latest is (RFC 6455, section 5.5.3).
    pub(in crate::switchboard) fn push_pong(&mut self, id: ConnectionId, frame: Frame) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        let spare = connection.writer == Writer::Blocked || connection.pongs >= PONGS;
        if !(spare && self.replace_pong(id.slot, &frame)) {
            self.push_urgent(id, frame, Class::PONG);
        }
    }

    /// Counts a frame for several connections. The caller holds the first reference.
    pub(super) fn share(&mut self, frame: Frame, origin: Option<u64>) -> u32 {
        self.held += frame.len();
        self.shared.insert(Shared {
            frame,
            references: 1,
            origin,
        })
    }

    pub(super) fn retain_shared(&mut self, key: u32) {
        self.shared[key].references += 1;
    }

    /// Returns the stamp of the message of a room that an item is.
    pub(super) fn origin(&self, item: &Item) -> Option<u64> {
        self.shared.get(item.shared)?.origin
    }

    pub(super) fn unshare(&mut self, key: u32) {
        let shared = &mut self.shared[key];
        shared.references -= 1;
        if shared.references == 0 {
            self.held -= shared.frame.len();
            if let Some(origin) = shared.origin {
                self.flushed.remove(&origin);
            }
            self.shared.remove(key);
        }
    }

    pub(super) fn append_shared(&mut self, slot: u32, key: u32, stamp: u64, came: Came) {
        let frame = self.shared[key].frame.clone();
        self.shared[key].references += 1;
        let item = self.append(slot, Lane::InOrder, frame, Class::MESSAGE, key);
        self.items[item].stamp = stamp;
        self.items[item].came = came;
    }

    /// Queues a mark among what was due from a room.
    pub(super) fn append_mark(&mut self, slot: u32, frame: Frame, stamp: u64) {
        self.held += frame.len();
        let item = self.append(slot, Lane::InOrder, frame, Class::MESSAGE, NONE);
        self.items[item].stamp = stamp;
        self.items[item].came = Came::Room;
    }

    fn append(&mut self, slot: u32, lane: Lane, frame: Frame, class: Class, shared: u32) -> u32 {
        let bytes = frame.len();
        let item = self.items.insert(Item {
            frame,
            stamp: self.published,
            next: NONE,
            class,
            came: Came::Own,
            shared,
        });
        let connection = &mut self.connections[slot as usize];
        connection.bytes += bytes;
        connection.messages += u32::from(class.is_message());
        connection.pongs += u8::from(class == Class::PONG);
        let list = match lane {
            Lane::Urgent => &mut connection.urgent,
            Lane::InOrder => &mut connection.own,
        };
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

    /// Removes the first frame of a lane; returns its class.
    pub(super) fn pop_own(&mut self, slot: u32, lane: Lane) -> Option<Class> {
        let connection = &mut self.connections[slot as usize];
        let list = match lane {
            Lane::Urgent => &mut connection.urgent,
            Lane::InOrder => &mut connection.own,
        };
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
        let bytes = item.frame.len();
        let connection = &mut self.connections[slot as usize];
        connection.bytes -= bytes;
        connection.messages -= u32::from(item.class.is_message());
        connection.pongs -= u8::from(item.class == Class::PONG);
        if item.shared == NONE {
            self.held -= bytes;
        } else {
            self.unshare(item.shared);
        }
        item.class
    }

    /// Sets what remains of a frame that was cut.
    pub(super) fn set_rest(&mut self, slot: u32, rest: Option<Rest>) {
        let connection = &mut self.connections[slot as usize];
        let old = connection.rest.take();
        if let Some(old) = old {
            connection.bytes -= old.bytes().len();
            connection.messages -= u32::from(old.message);
            self.held -= old.bytes().len();
        }
        if let Some(rest) = rest {
            connection.bytes += rest.bytes().len();
            connection.messages += u32::from(rest.message);
            self.held += rest.bytes().len();
            connection.rest = Some(Box::new(rest));
        }
    }

    /// Discards what is not taken and need not survive; returns the number of messages.
    pub(super) fn discard_own(&mut self, slot: u32) -> u64 {
        let connection = &self.connections[slot as usize];
        let (urgent, own) = (
            connection.urgent_taken as usize,
            connection.own_taken as usize,
        );
        self.retain(slot, Lane::Urgent, urgent, Class::survives)
            + self.retain(slot, Lane::InOrder, own, Class::survives)
    }

    /// Drops all but the latest of the pongs that no writer has taken.
    pub(super) fn collapse_pongs(&mut self, slot: u32) {
        let mut more = self.connections[slot as usize].pongs;
        if more > 1 {
            self.retain(slot, Lane::Urgent, 0, |class| {
                more -= u8::from(class == Class::PONG);
                class != Class::PONG || more == 0
            });
        }
    }

    /// Replaces the latest pong that no writer has taken; returns whether there is one.
    fn replace_pong(&mut self, slot: u32, frame: &Frame) -> bool {
        let connection = &self.connections[slot as usize];
        let (mut at, mut index, mut found) = (connection.urgent.head, 0, NONE);
        while let Some(item) = self.items.get(at) {
            if index >= connection.urgent_taken && item.class == Class::PONG {
                found = at;
            }
            index += 1;
            at = item.next;
        }
        let Some(item) = self.items.get_mut(found) else {
            return false;
        };
        let old = std::mem::replace(&mut item.frame, frame.clone()).len();
        let connection = &mut self.connections[slot as usize];
        connection.bytes = connection.bytes + frame.len() - old;
        self.held = self.held + frame.len() - old;
        self.weigh_connection(slot);
        true
    }

    /// Keeps the frames for which `keep` holds, and the first `taken` ones; returns the number of
    /// messages dropped.
    fn retain(
        &mut self,
        slot: u32,
        lane: Lane,
        taken: usize,
        mut keep: impl FnMut(Class) -> bool,
    ) -> u64 {
        let connection = &self.connections[slot as usize];
        let list = match lane {
            Lane::Urgent => connection.urgent,
            Lane::InOrder => connection.own,
        };
        let (mut kept, mut at, mut index, mut dropped) = (List::EMPTY, list.head, 0, 0);
        while at != NONE {
            let Item { next, class, .. } = self.items[at];
            if index < taken || keep(class) {
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
        let connection = &mut self.connections[slot as usize];
        match lane {
            Lane::Urgent => connection.urgent = kept,
            Lane::InOrder => connection.own = kept,
        }
        dropped
    }

    /// Discards everything; returns the number of messages.
    pub(super) fn clear_own(&mut self, slot: u32) -> u64 {
        let messages = u64::from(self.connections[slot as usize].messages);
        self.set_rest(slot, None);
        while self.pop_own(slot, Lane::Urgent).is_some() {}
        while self.pop_own(slot, Lane::InOrder).is_some() {}
        messages
    }
}

#[cfg(test)]
impl Item {
    pub(super) fn is_shared(&self) -> bool {
        self.shared != NONE
    }
}

#[cfg(test)]
impl Log {
    pub(super) fn shared_bytes(&self) -> usize {
        self.shared
            .iter()
            .map(|(_, shared)| shared.frame.len())
            .sum()
    }
}

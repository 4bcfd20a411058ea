//! The queues of the connections that have own frames to write. Most connections have none, and then
//! use no memory here.

use super::connection::{Connection, Queue};
use crate::switchboard::arena::{Arena, NONE};

/// The queue of a connection that has nothing to write.
const EMPTY: &Queue = &Queue::new();

/// Queues, of which their connections know the keys.
#[derive(Debug, Default)]
pub(super) struct Queues(Arena<Queue>);

impl Queues {
    /// Returns the number of queues.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn of(&self, connection: &Connection) -> &Queue {
        match connection.queue {
            NONE => EMPTY,
            queue => &self.0[queue],
        }
    }

    /// Returns whether a connection has frames of its own to write.
    #[inline]
    pub(super) fn has_some(&self, connection: &Connection) -> bool {
        connection.queue != NONE && self.0[connection.queue].bytes > 0
    }

    /// Returns the queue of a connection, if it is there.
    #[inline]
    pub(super) fn get_mut(&mut self, connection: &Connection) -> Option<&mut Queue> {
        match connection.queue {
            NONE => None,
            queue => self.0.get_mut(queue),
        }
    }

    /// Returns the queue of a connection, which is created unless it is there.
    pub(super) fn of_mut(&mut self, connection: &mut Connection) -> &mut Queue {
        if connection.queue == NONE {
            connection.queue = self.0.insert(Queue::new());
        }
        &mut self.0[connection.queue]
    }

    /// Frees the queue of a connection if it is empty.
    pub(super) fn settle(&mut self, connection: &mut Connection) {
        if connection.queue != NONE && self.0[connection.queue].is_empty() {
            self.0.remove(connection.queue);
            connection.queue = NONE;
        }
    }
}

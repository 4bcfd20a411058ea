//! The bound of the node: which connections are closed when too much is held.

use std::collections::BinaryHeap;

use super::Outbox;
use crate::ConnectionId;
use crate::switchboard::pool::Mark;
use crate::switchboard::table::Table;

/// Connections whose sockets do not take bytes, those with the longest queues first.
#[derive(Debug)]
pub(in crate::switchboard) struct Relief {
    limit: usize,
    waiting: BinaryHeap<(usize, ConnectionId)>,
}

/// A connection that is to go, so that the bound is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Victim {
    pub(in crate::switchboard) id: ConnectionId,
    pub(in crate::switchboard) is_open: bool,
    /// Whether a close would leave part of its queue.
    pub(in crate::switchboard) is_stuck: bool,
    /// Whether the message of the mark is the last one in its queue.
    pub(in crate::switchboard) had_message: bool,
}

impl Relief {
    /// Returns the connections that may be closed to keep `limit`, or `None` if it is kept or if
    /// closing all of them would not help: frames that wait for a writer are no fault of their
    /// clients, and publishers wait instead.
    #[inline]
    pub(in crate::switchboard) fn new(
        outbox: &Outbox,
        connections: &Table,
        limit: usize,
    ) -> Option<Self> {
        if !outbox.exceeds(limit) || outbox.blocked.is_empty() {
            return None;
        }
        Self::of_blocked(outbox, connections, limit)
    }

    fn of_blocked(outbox: &Outbox, connections: &Table, limit: usize) -> Option<Self> {
        let bytes = |id| connections.get(id).map_or(0, |found| found.queue.bytes());
        let blocked = outbox.blocked.iter();
        let waiting: BinaryHeap<_> = blocked.map(|&id| (bytes(id), id)).collect();
        let held_back: usize = waiting.iter().map(|&(bytes, _)| bytes).sum();
        (held_back >= outbox.held() - limit).then_some(Self { limit, waiting })
    }

    /// Returns the next connection to close, while the limit is exceeded.
    pub(in crate::switchboard) fn next(
        &mut self,
        outbox: &Outbox,
        connections: &Table,
        message: Option<Mark>,
    ) -> Option<Victim> {
        while outbox.exceeds(self.limit) {
            let (bytes, id) = self.waiting.pop()?;
            if bytes == 0 {
                return None;
            }
            if let Ok(found) = connections.get(id) {
                return Some(Victim {
                    id,
                    is_open: found.is_open(),
                    is_stuck: found.queue.is_stuck(),
                    had_message: message
                        .is_some_and(|mark| outbox.pool.ends_with(&found.queue, mark)),
                });
            }
        }
        None
    }

    /// Considers a connection again, whose Close frame is still queued.
    pub(in crate::switchboard) fn put_back(&mut self, connections: &Table, id: ConnectionId) {
        if let Ok(found) = connections.get(id) {
            self.waiting.push((found.queue.bytes(), id));
        }
    }
}

impl Outbox {
    /// Returns whether more than `limit` bytes are held.
    #[inline]
    pub(in crate::switchboard) fn exceeds(&self, limit: usize) -> bool {
        self.held() > limit
    }
}

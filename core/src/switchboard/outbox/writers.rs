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

use super::{Outbox, QueuedWrite};
use crate::switchboard::connection::{ConnectionState, WriteState};
use crate::switchboard::phase::Phase;
use crate::switchboard::pool::Chunk;
use crate::switchboard::table::Table;
use crate::switchboard::timers::give_back;
use crate::{CloseReason, ConnectionId, Limits, Time};

/// What a writer has reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Written {
    /// Messages that are written completely.
    pub(in crate::switchboard) messages: u32,
    /// Messages that were discarded after it because of an end for this reason.
    pub(in crate::switchboard) discarded: Option<(CloseReason, u32)>,
    /// Whether the socket takes no more bytes.
    pub(in crate::switchboard) blocked: bool,
    /// Whether the ping of an interval was completely written.
    pub(in crate::switchboard) ping: bool,
}

impl Outbox {
    /// Returns the next connection that has something to write. The caller becomes its writer.
    #[inline]
    pub(in crate::switchboard) fn poll(&mut self, connections: &mut Table) -> Option<ConnectionId> {
        while let Some(taken) = self.writing.front()
            && !is_writing(connections, taken.id)
        {
            self.writing.pop_front();
        }
        while let Some(taken) = self.queued.pop_front() {
            give_back(&mut self.queued);
            let id = taken.id;
            let Ok(connection) = connections.get_mut(id) else {
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

    /// Returns the connections that [`Self::poll`] returns next, unless something changes, with the
    /// number of bytes queued for each.
    pub(in crate::switchboard) fn upcoming(
        &self,
        connections: &Table,
    ) -> impl Iterator<Item = (ConnectionId, usize)> {
        self.queued.iter().filter_map(|next| {
            let connection = connections.get(next.id).ok()?;
            let bytes = connection.queue.bytes();
            (bytes > 0).then_some((next.id, bytes))
        })
    }

    /// Returns whether [`Self::poll`] may return a connection.
    pub(in crate::switchboard) fn wants_write(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Returns whether the writers are so far behind that more input should wait. Data that the
    /// writers have not tried to write yet must not make a connection look slow; and where more
    /// than half of the node's bound is held, what can be written goes first. Data behind blocked
    /// sockets does not count.
    pub(in crate::switchboard) fn is_congested(
        &self,
        connections: &Table,
        limits: &Limits,
    ) -> bool {
        let mut writing = self.writing.iter();
        let oldest = writing.find(|taken| is_writing(connections, taken.id));
        let half_held = self.pool.held() > limits.queued_bytes / 2;
        oldest.or(self.queued.front()).is_some_and(|oldest| {
            let messages = self.totals.messages - oldest.since.messages;
            let bytes = self.totals.bytes - oldest.since.bytes;
            half_held
                || messages > limits.queue_messages as u64 / 4
                || bytes > limits.queue_bytes as u64 / 4
        })
    }

    /// Takes about `budget` bytes for a connection's writer: small frames are appended to `out`, a
    /// large one is shared.
    #[inline]
    pub(in crate::switchboard) fn take(
        &mut self,
        connection: &mut ConnectionState,
        out: &mut Vec<u8>,
        budget: usize,
    ) -> Chunk {
        if connection.writer == WriteState::Writing {
            self.pool.take(&mut connection.queue, out, budget)
        } else {
            Chunk::Nothing
        }
    }

    /// Removes what was written, at `now` in liveness time, and discards the rest if the connection
    /// is being closed at once. Returns `None` if the connection has no writer.
    #[inline]
    pub(in crate::switchboard) fn wrote(
        &mut self,
        connection: &mut ConnectionState,
        id: ConnectionId,
        written: usize,
        now: Time,
    ) -> Option<Written> {
        if connection.writer != WriteState::Writing {
            return None;
        }
        let progress = self.pool.wrote(&mut connection.queue, written);
        if written > 0 {
            connection.stalled_from = now;
        }
        let discard = match connection.phase {
            Phase::Closing(ending) if ending.now => ending.reason,
            _ => None,
        };
        let discarded = discard.map(|reason| (reason, self.discard(connection)));
        if progress.blocked {
            connection.writer = WriteState::Blocked;
            self.blocked.insert(id);
        } else {
            connection.writer = WriteState::Idle;
            if !connection.queue.is_empty() {
                self.queue_write(connection, id);
            }
        }
        Some(Written {
            messages: progress.messages,
            discarded,
            blocked: progress.blocked,
            ping: progress.ping,
        })
    }

    /// Notes that the socket of a connection takes bytes again.
    pub(in crate::switchboard) fn writable(
        &mut self,
        connection: &mut ConnectionState,
        id: ConnectionId,
    ) {
        if connection.writer == WriteState::Blocked {
            connection.writer = WriteState::Idle;
            self.blocked.remove(&id);
            if !connection.queue.is_empty() {
                self.queue_write(connection, id);
            }
        }
    }

    /// Adds a connection that has something to write to the list, once.
    #[inline]
    pub(super) fn queue_write(&mut self, connection: &mut ConnectionState, id: ConnectionId) {
        if connection.writer == WriteState::Idle {
            connection.writer = WriteState::Queued;
            self.queued.push_back(QueuedWrite {
                id,
                since: self.totals,
            });
        }
    }
}

#[inline]
fn is_writing(connections: &Table, id: ConnectionId) -> bool {
    connections
        .get(id)
        .is_ok_and(|connection| connection.writer == WriteState::Writing)
}

//! What the driver's writers take and report.

use super::switchboard::Switchboard;
use crate::switchboard::phase::Phase;
use crate::switchboard::pool::Chunk;
use crate::switchboard::timers::Kind;
use crate::{ConnectionId, StaleId};

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

    pub(super) fn writable(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        let connection = self.connections.get_mut(id)?;
        self.outbox.writable(connection, id);
        Ok(())
    }
}

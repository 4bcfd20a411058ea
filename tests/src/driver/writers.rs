//! The writers, and how many bytes the sockets take.

use switchboard_core::{Chunk, ConnectionId, Event};

use super::{Driver, Fault, ensure};
use crate::script::Family;

impl Driver {
    /// Takes frames for the next connection and returns its id.
    pub(super) fn take(&mut self, budget: usize) -> Result<Option<ConnectionId>, Fault> {
        let Some(id) = self.sys.poll_send() else {
            self.nobody_waits()?;
            return Ok(None);
        };
        let socket = self
            .sockets
            .get_mut(&id)
            .ok_or("bytes for an unknown connection")?;
        ensure(socket.held.is_none(), || {
            format!("a second writer for {id}")
        })?;
        ensure(!socket.blocked, || format!("bytes for blocked {id}"))?;
        let mut out = Vec::new();
        match self.sys.transmit(id, &mut out, budget) {
            Chunk::Nothing => return Err(format!("no bytes for {id}")),
            Chunk::Copied(bytes) => ensure(bytes == out.len(), || "a wrong count".into())?,
            Chunk::Shared(frame, from) => out.extend_from_slice(&frame.as_bytes()[from..]),
        }
        let again = self.sys.transmit(id, &mut Vec::new(), budget);
        ensure(again == Chunk::Nothing, || {
            format!("bytes for {id} were lent twice")
        })?;
        if let Some(model) = &mut self.model {
            model.adopt(id, &out, self.setup.family == Family::Health);
            model.taken(id, out.len());
        }
        socket.held = Some(out);
        Ok(Some(id))
    }

    /// When no connection wants to write, only blocked or currently written ones may have bytes
    /// queued.
    fn nobody_waits(&self) -> Result<(), Fault> {
        let Some(model) = &self.model else {
            return Ok(());
        };
        let lost = model
            .conns
            .iter()
            .find(|(_, conn)| !conn.queue.is_empty() && !conn.writing && !conn.blocked);
        ensure(lost.is_none(), || format!("a wake-up was lost: {lost:?}"))
    }

    /// Reports how many of the taken bytes were written.
    pub(super) fn report(&mut self, id: ConnectionId, most: usize) -> Result<(), Fault> {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        let Some(held) = socket.held.take() else {
            return Ok(());
        };
        let written = most.min(held.len());
        socket.blocked = written < held.len();
        let heard = socket
            .peer
            .read(&held[..written])
            .map_err(|fault| format!("the stream of {id}: {fault}"))?;
        for heard in &heard {
            self.hears(id, heard)?;
        }
        self.act(|sys, now| sys.handle(now, id, Event::Wrote(written)))
            .map_err(|stale| stale.to_string())?;
        if let Some(model) = &mut self.model {
            let items = model.wrote(id, held.len(), written);
            Self::compare_stream(&heard, &items)?;
        }
        self.settle()
    }

    /// Runs `writers` writers; each socket takes `bytes` bytes.
    pub(super) fn flush(&mut self, writers: usize, bytes: usize) -> Result<(), Fault> {
        for _ in 0..writers {
            let Some(id) = self.take(1 << 12)? else { break };
            self.report(id, bytes)?;
        }
        Ok(())
    }

    /// Writes everything and answers the pings in it.
    pub(super) fn flush_all(&mut self) -> Result<(), Fault> {
        for _ in 0..20 {
            self.flush(1_000, usize::MAX)?;
            let mut answering = self
                .sockets
                .iter()
                .filter(|(_, socket)| socket.answers && !socket.pings.is_empty());
            let Some((&id, _)) = answering.next() else {
                return Ok(());
            };
            self.answer_pings(id)?;
        }
        Ok(())
    }

    pub(super) fn writable(&mut self, id: ConnectionId) -> Result<(), Fault> {
        let known = self.act(|sys, now| sys.handle(now, id, Event::Writable));
        if known.is_ok() {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.blocked = false;
            }
            if let Some(conn) = self
                .model
                .as_mut()
                .and_then(|model| model.conns.get_mut(&id))
            {
                conn.blocked = false;
            }
        }
        self.settle()
    }
}

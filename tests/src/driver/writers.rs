//! Who writes, and how much of it the sockets take.

use switchboard_core::{Chunk, ConnectionId, Event};

use super::{Driver, Fault, ensure};
use crate::script::Family;

impl Driver {
    /// A writer takes frames for whoever is next; says for whom.
    pub(super) fn take(&mut self, budget: usize) -> Result<Option<ConnectionId>, Fault> {
        let Some(id) = self.sys.poll_send() else {
            self.nobody_waits()?;
            return Ok(None);
        };
        let socket = self.sockets.get_mut(&id).ok_or("bytes for nobody")?;
        ensure(socket.held.is_none(), || {
            format!("a second writer for {id}")
        })?;
        ensure(!socket.blocked, || {
            format!("bytes for {id}, which is blocked")
        })?;
        let mut out = Vec::new();
        match self.sys.transmit(id, &mut out, budget) {
            Chunk::Nothing => return Err(format!("nothing for {id}")),
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

    /// With nobody left to write for, only who is blocked or written may wait.
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

    /// A writer reports how much of what it took is out.
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

    /// So many writers come; each socket takes so many bytes.
    pub(super) fn flush(&mut self, writers: usize, bytes: usize) -> Result<(), Fault> {
        for _ in 0..writers {
            let Some(id) = self.take(1 << 12)? else { break };
            self.report(id, bytes)?;
        }
        Ok(())
    }

    /// Everything goes out, and the pings in it are answered by those who do.
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

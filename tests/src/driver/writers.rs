//! The writers, and how many bytes the sockets take.

use switchboard_core::{ConnectionId, Event, WriteTurn};

use super::{Driver, Fault, ensure};
use crate::script::Family;

impl Driver {
    /// Takes what the next connection is to get, and returns its id.
    pub(super) fn take(&mut self) -> Result<Option<ConnectionId>, Fault> {
        let mut turn = WriteTurn::default();
        while turn.is_empty() && self.sys.wants_write() {
            // It does not tell the core the time.
            self.act_at(self.seen, |sys, _| sys.take_turn(&mut turn, 1));
            if turn.is_empty() {
                self.settle()?;
            }
        }
        let Some((id, bytes)) = turn.job(0) else {
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
        let blocked = match &self.model {
            Some(model) => model.conns.get(&id).is_some_and(|conn| conn.blocked),
            None => false,
        };
        ensure(!blocked, || format!("bytes for blocked {id}"))?;
        socket.blocked = false;
        ensure(!bytes.is_empty(), || format!("no bytes for {id}"))?;
        if let Some(model) = &mut self.model {
            model.taken(id, bytes, self.setup.family == Family::Health);
        }
        socket.held = Some(turn);
        // Only now is it known that a writer holds these bytes.
        self.settle()?;
        Ok(Some(id))
    }

    /// When no connection wants to write, only blocked or currently written ones may have bytes
    /// queued.
    fn nobody_waits(&mut self) -> Result<(), Fault> {
        let Some(model) = &mut self.model else {
            return Ok(());
        };
        model.nothing_waits();
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
        let Some(mut turn) = socket.held.take() else {
            return Ok(());
        };
        let held = turn.job(0).map_or(Vec::new(), |(_, bytes)| bytes.to_vec());
        let written = most.min(held.len());
        socket.blocked = written < held.len();
        let heard = socket
            .peer
            .read(&held[..written])
            .map_err(|fault| format!("the stream of {id}: {fault}"))?;
        for heard in &heard {
            self.hears(id, heard)?;
        }
        turn.wrote(0, written);
        self.act(|sys, now| sys.report(now, &mut turn));
        if let Some(model) = &mut self.model {
            let items = model.wrote(id, held.len(), written);
            Self::compare_stream(&heard, &items)?;
        }
        self.settle()
    }

    /// Runs `writers` writers; each socket takes `bytes` bytes.
    pub(super) fn flush(&mut self, writers: usize, bytes: usize) -> Result<(), Fault> {
        for _ in 0..writers {
            let Some(id) = self.take()? else { break };
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

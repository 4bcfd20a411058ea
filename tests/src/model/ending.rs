//! Ends of connections.

use switchboard_core::ConnectionId;

use super::queue::{Is, Item, Kind, framed};
use super::{Conn, Model, Note, Phase, nanos, texts};

/// Returns the Close frame for a reason.
pub(super) fn close_item(close: Option<(u16, String)>) -> Item {
    let body = close.as_ref().map_or(0, |(_, reason)| 2 + reason.len());
    Item::new(framed(body), Is::Close(close), Kind::Last)
}

impl Model {
    /// Ends a connection; `answer` replaces the Close frame of the reason.
    pub(crate) fn end(&mut self, id: ConnectionId, key: &'static str, answer: Option<Item>) {
        let Some(phase) = self.conns.get(&id).map(|conn| conn.phase.clone()) else {
            return;
        };
        let said = texts::close_code(key).map(|code| (code, key.to_owned()));
        match phase {
            Phase::Open if matches!(key, "eof" | "reset") => self.evict(id, key),
            Phase::Open => {
                let close = answer.or_else(|| said.map(|said| close_item(Some(said))));
                self.close(id, key, None, close);
            }
            Phase::AwaitingAuth { .. } if key == "eof" => {
                self.closed(key);
                self.remove(id, None);
            }
            Phase::AwaitingAuth { .. } => {
                if answer.is_none() {
                    self.closed(key);
                }
                let close = answer.or_else(|| said.map(|said| close_item(Some(said))));
                self.linger(id, close);
            }
            Phase::Arrived | Phase::Page | Phase::Authenticating { .. } => self.remove(id, None),
            Phase::Refused { .. } | Phase::Closing { .. } => {}
        }
    }

    pub(crate) fn closed(&mut self, key: &str) {
        *self.counts.closes.entry(key.into()).or_default() += 1;
    }

    /// Closes an open connection in an orderly way.
    pub(crate) fn close(
        &mut self,
        id: ConnectionId,
        key: &'static str,
        bye: Option<Item>,
        close: Option<Item>,
    ) {
        self.leave_everything(id, key);
        let crowded = self.closing() >= self.config.limits.closing;
        let deadline = self.live() + nanos(self.config.timeouts.close);
        let Some(conn) = self.conn(id) else { return };
        conn.phase = Phase::Closing { key };
        conn.deadline = deadline;
        if !texts::flushes(key) {
            let dropped = conn.queue.discard();
            self.dropped(key, dropped);
        }
        if crowded {
            return self.remove(id, self.last_words(id, key));
        }
        for item in [bye, close].into_iter().flatten() {
            self.push(id, item);
        }
        self.settle(id);
    }

    /// Returns the code of the Close frame that an evicted connection gets, if it may get one.
    fn last_words(&self, id: ConnectionId, key: &str) -> Option<u16> {
        let quiet = |conn: &Conn| !conn.writing && conn.queue.is_clean();
        let quiet = self.conns.get(&id).is_some_and(quiet);
        texts::close_code(key).filter(|_| quiet)
    }

    /// Ends a connection immediately.
    pub(crate) fn evict(&mut self, id: ConnectionId, key: &'static str) {
        let last = self.last_words(id, key);
        self.leave_everything(id, key);
        if let Some(conn) = self.conn(id) {
            conn.phase = Phase::Closing { key };
        }
        self.remove(id, last);
    }

    /// Removes a connection from every index.
    fn leave_everything(&mut self, id: ConnectionId, key: &'static str) {
        let Some(conn) = self.conn(id) else { return };
        let mut rooms: Vec<String> = conn.rooms.iter().map(|(name, _)| name.clone()).collect();
        for room in &rooms {
            self.leave_room(id, room, texts::by_itself(key));
        }
        let Some(conn) = self.conn(id) else { return };
        conn.ip_seat = false;
        conn.partial = 0;
        conn.message_deadline = None;
        conn.expires = None;
        let user = std::mem::take(&mut conn.user);
        if let Some(devices) = self.users.get_mut(&user) {
            devices.retain(|&other| other != id);
            if devices.is_empty() {
                self.users.remove(&user);
            }
        }
        self.forget_probes(id);
        self.closed(key);
        rooms.sort();
        self.notes.push(Note::Closed(id, user, rooms, key.into()));
    }

    /// Shuts the write side once everything is written.
    pub(crate) fn settle(&mut self, id: ConnectionId) {
        let Some(conn) = self.conn(id) else { return };
        if !conn.is_ending() || !conn.queue.is_empty() || conn.writing {
            return;
        }
        if conn.eof {
            self.remove(id, None);
        } else if !conn.shut {
            conn.shut = true;
            self.notes.push(Note::Shut(id));
        }
    }

    /// Removes a connection and everything it holds.
    pub(crate) fn remove(&mut self, id: ConnectionId, last: Option<u16>) {
        let Some(conn) = self.conns.remove(&id) else {
            return;
        };
        if let Phase::Closing { key } = conn.phase {
            self.dropped(key, conn.queue.messages() as u64);
        }
        self.notes.push(Note::Evict(id, last));
        self.drain_progress();
    }

    /// The peer sent a Close frame.
    pub fn peer_closed(&mut self, id: ConnectionId, code: Option<u16>) {
        let answer = close_item(code.map(|code| (code, String::new())));
        if self.conns.get(&id).is_some_and(Conn::hears) {
            self.end(id, "client_closed", Some(answer));
        }
    }

    /// The peer's side ended.
    pub fn peer_ended(&mut self, id: ConnectionId) {
        let Some(conn) = self.conn(id) else { return };
        if !conn.is_ending() {
            return self.end(id, "eof", None);
        }
        conn.eof = true;
        if conn.queue.is_empty() {
            self.remove(id, None);
        }
    }

    /// The stream failed.
    pub fn peer_reset(&mut self, id: ConnectionId) {
        match self.conns.get(&id) {
            Some(conn) if conn.is_open() => self.evict(id, "reset"),
            _ => self.remove(id, None),
        }
    }

    /// The application ends a connection, or the client violated a rule.
    pub fn close_by(&mut self, id: ConnectionId, key: &'static str) {
        self.end(id, key, None);
    }

    /// Ends all connections of a user.
    pub fn disconnect_user(&mut self, user: &str, key: &'static str) -> usize {
        let devices = self.users.get(user).cloned().unwrap_or_default();
        for &id in &devices {
            self.end(id, key, None);
        }
        devices.len()
    }

    /// A writer takes bytes.
    pub fn taken(&mut self, id: ConnectionId, bytes: usize) {
        if let Some(Err(fault)) = self.conn(id).map(|conn| conn.queue.take(bytes)) {
            self.fault(format!("{id}: {fault}"));
        }
    }

    /// A writer reports. Returns the frames that are now completely written.
    pub fn wrote(&mut self, id: ConnectionId, taken: usize, written: usize) -> Vec<Item> {
        let (live, stall) = (self.live(), nanos(self.config.timeouts.write_stall));
        let close = nanos(self.config.timeouts.close);
        let Some(conn) = self.conn(id).filter(|conn| conn.writing) else {
            return Vec::new();
        };
        conn.writing = false;
        let done = conn.queue.wrote(written);
        if written > 0 {
            conn.stalled_from = live;
        }
        if conn.phase == (Phase::Refused { page: true }) && conn.queue.is_empty() {
            conn.deadline = live + close;
        }
        if done.iter().any(|item| item.beat) {
            conn.ping_left = Some(live);
        }
        conn.blocked = written < taken;
        let now = matches!(conn.phase, Phase::Closing { key } if !texts::flushes(key));
        let dropped = if now { conn.queue.discard() } else { 0 };
        if conn.blocked && conn.is_open() && !conn.queue.is_empty() {
            conn.stall_check.get_or_insert(conn.stalled_from + stall);
        }
        if let Phase::Closing { key } = conn.phase {
            self.dropped(key, dropped);
        }
        let message = |item: &&Item| matches!(item.kind, Kind::Message | Kind::Droppable);
        self.counts.messages_out += done.iter().filter(message).count() as u64;
        self.settle(id);
        done
    }
}

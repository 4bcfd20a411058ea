//! Ends of connections.

use switchboard_core::{ConnectionId, SlowPolicy};

use super::queue::{Is, Item, Kind, Queue, framed};
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
        self.discard_for(id, key);
        self.leave_everything(id, key);
        let crowded = self.closing() >= self.config.limits.closing;
        let deadline = self.live() + nanos(self.config.timeouts.close);
        let Some(conn) = self.conn(id) else { return };
        conn.phase = Phase::Closing { key };
        conn.deadline = deadline;
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
        if let Some(conn) = self.conn(id) {
            let messages = conn.queue.messages() as u64;
            conn.queue = Queue::default();
            self.dropped(key, messages);
        }
        self.leave_everything(id, key);
        if let Some(conn) = self.conn(id) {
            conn.phase = Phase::Closing { key };
        }
        self.remove(id, last);
    }

    /// Discards what waits, unless it is to go out first.
    fn discard_for(&mut self, id: ConnectionId, key: &'static str) {
        if let Some(conn) = self.conn(id).filter(|_| !texts::flushes(key)) {
            let dropped = conn.queue.discard();
            self.dropped(key, dropped);
        }
    }

    /// Removes a connection from every index.
    fn leave_everything(&mut self, id: ConnectionId, key: &'static str) {
        let Some(conn) = self.conn(id) else { return };
        let mut rooms: Vec<String> = conn.rooms.iter().map(|(name, _)| name.clone()).collect();
        for room in &rooms {
            self.leave_room(id, room, texts::by_itself(key));
            self.hold_seat(id, room, key);
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
        self.held.retain(|(_, whose), _| whose != user);
        devices.len()
    }

    /// A writer takes bytes. `pings` says whether interval pings may be among them.
    pub fn taken(&mut self, id: ConnectionId, bytes: &[u8], pings: bool) {
        let Some(conn) = self.conn(id) else { return };
        conn.writing = true;
        if let Err(fault) = conn.queue.take(bytes, pings) {
            self.fault(format!("{id}: {fault}"));
        }
    }

    /// Nothing is left to write: who can be written to has passed what is not for it.
    pub fn nothing_waits(&mut self) {
        let idle = self.conns.values_mut();
        for conn in idle.filter(|conn| !conn.writing && !conn.blocked) {
            conn.queue.pass();
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
        conn.blocked = written < taken;
        let (done, left) = conn.queue.wrote(written);
        let page = matches!(conn.phase, Phase::Refused { page: true, .. });
        if written > 0 || conn.stalled_from.is_none() {
            conn.stalled_from = Some(live);
        }
        if !conn.blocked && !page {
            conn.stalled_from = None;
        }
        if page && conn.queue.is_empty() {
            conn.deadline = live + close;
        }
        if done.iter().any(|item| item.beat) {
            conn.ping_left = Some(live);
        }
        let now = matches!(conn.phase, Phase::Closing { key } if !texts::flushes(key));
        let discarded = if now { conn.queue.discard() } else { 0 };
        if conn.blocked {
            conn.queue.collapse_pongs();
            if conn.is_open() {
                let from = conn.stalled_from.unwrap_or(live);
                conn.stall_check.get_or_insert(from + stall);
            }
        }
        let key = match conn.phase {
            Phase::Closing { key } => key,
            _ => "left",
        };
        self.dropped(key, left + discarded);
        let message = |item: &&Item| item.kind == Kind::Message;
        self.counts.messages_out += done.iter().filter(message).count() as u64;
        self.settle(id);
        self.close_if_behind(id);
        done
    }

    /// A socket that takes no bytes closes who is over a limit.
    fn close_if_behind(&mut self, id: ConnectionId) {
        let blocked = self.conns.get(&id).filter(|conn| conn.blocked);
        let limits = &self.config.limits;
        let over = |conn: &Conn| {
            let (bytes, messages) = (conn.queue.own_bytes(), conn.queue.own_messages());
            bytes > limits.queue_bytes || messages > limits.queue_messages
        };
        if blocked.is_some_and(over) {
            return self.end(id, "slow_consumer", None);
        }
        let rooms = blocked.map_or(Vec::new(), Self::rooms_of);
        for name in rooms {
            let closes = self.policy(&name) == SlowPolicy::Disconnect;
            if closes && self.is_behind(id, &name, 1, (0, 0)) {
                return self.end(id, "slow_consumer", None);
            }
        }
    }
}

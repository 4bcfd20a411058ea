//! What one connection is sent, within the limits of its own frames.

use switchboard_core::ConnectionId;

use super::queue::{Is, Item, Kind, framed};
use super::{Conn, Model, Tally};

impl Model {
    /// Queues a frame regardless of limits.
    pub(crate) fn push(&mut self, id: ConnectionId, mut item: Item) {
        item.stamp = self.stamp;
        if let Some(conn) = self.conn(id) {
            conn.queue.push(item);
        }
    }

    /// Sends an answer or a notice; if it does not fit, the client counts as slow.
    pub(crate) fn tell(&mut self, id: ConnectionId, text: String) {
        if self.json() && self.conns.get(&id).is_some_and(Conn::hears) {
            let item = Item::new(framed(text.len()), Is::Json(text), Kind::Message);
            self.send(id, item);
        }
    }

    /// Sends a message to one connection.
    pub(crate) fn send(&mut self, id: ConnectionId, item: Item) -> Tally {
        let mut tally = Tally::default();
        if self.fits(id, item.len) {
            self.push(id, item);
            tally.accepted = 1;
        } else {
            self.end(id, "slow_consumer", None);
            tally.closed = 1;
        }
        tally
    }

    /// Returns whether so many more bytes of its own may wait for a connection: twice as much as
    /// elsewhere, where the socket takes bytes.
    pub(crate) fn fits(&self, id: ConnectionId, len: usize) -> bool {
        let blocked = self.conns.get(&id).is_some_and(|conn| conn.blocked);
        self.fits_within(id, len, if blocked { 1 } else { 2 })
    }

    /// Returns whether so many more bytes of its own stay within so many times the limits.
    pub(crate) fn fits_within(&self, id: ConnectionId, len: usize, times: usize) -> bool {
        let limits = &self.config.limits;
        self.conns.get(&id).is_some_and(|conn| {
            conn.queue.own_bytes() + len <= limits.queue_bytes * times
                && conn.queue.own_messages() < limits.queue_messages * times
        })
    }

    /// Returns whether a message is refused, because twice as much waits for a connection as may, and
    /// nobody has had a turn to write it.
    pub(crate) fn is_busy_for(&self, id: ConnectionId, len: usize) -> bool {
        let conn = self.conns.get(&id);
        conn.is_some_and(|conn| !conn.blocked) && !self.fits(id, len)
    }

    /// Returns whether that holds for a connection of a user.
    pub(crate) fn is_busy_user(&self, user: &str, len: usize) -> bool {
        let devices = self.users.get(user).into_iter().flatten();
        devices.copied().any(|id| self.is_busy_for(id, len))
    }
}

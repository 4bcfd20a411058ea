//! Answers to pings: each of a burst, or only the latest (RFC 6455, section 5.5.3).

use super::Log;
use super::class::Class;
use super::connection::Writer;
use super::item::Priority;
use crate::switchboard::arena::NONE;
use crate::{ConnectionId, Frame};

/// Pongs that wait at most, unless the socket takes no bytes.
const PONGS: u8 = 32;

impl Log {
    /// Queues a pong. Each ping of a burst is answered, but while the socket takes no bytes, or if
    /// the burst is long, only the latest is (RFC 6455, section 5.5.3).
    pub(in crate::switchboard) fn push_pong(&mut self, id: ConnectionId, frame: Frame) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        let spare =
            connection.writer == Writer::Blocked || self.queues.of(connection).pongs >= PONGS;
        if !(spare && self.replace_pong(id.slot, &frame)) {
            self.push_urgent(id, frame, Class::PONG);
        }
    }

    /// Drops all but the latest of the pongs that no writer has taken.
    pub(super) fn collapse_pongs(&mut self, slot: u32) {
        let mut more = self.queues.of(&self.connections[slot as usize]).pongs;
        if more > 1 {
            self.retain(slot, Priority::Urgent, 0, |item| {
                more -= u8::from(item.class == Class::PONG);
                item.class != Class::PONG || more == 0
            });
        }
    }

    /// Replaces the latest pong that no writer has taken; returns whether there is one.
    fn replace_pong(&mut self, slot: u32, frame: &Frame) -> bool {
        let queue = self.queues.of(&self.connections[slot as usize]);
        let (mut at, mut index, mut found) = (queue.urgent.head, 0, NONE);
        while let Some(item) = self.items.get(at) {
            if index >= queue.urgent_taken && item.class == Class::PONG {
                found = at;
            }
            index += 1;
            at = item.next;
        }
        let Some(item) = self.items.get_mut(found) else {
            return false;
        };
        let old = std::mem::replace(&mut item.frame, frame.clone()).len();
        let queue = self.queues.of_mut(&mut self.connections[slot as usize]);
        queue.bytes = queue.bytes + frame.len() - old;
        self.held = self.held + frame.len() - old;
        self.weigh_connection(slot);
        true
    }
}

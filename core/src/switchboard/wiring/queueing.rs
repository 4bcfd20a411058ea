//! Frames that are queued for one connection without a limit: control frames, answers before
//! admission, and the last ones.

use super::switchboard::Switchboard;
use crate::switchboard::pool::StoredFrame;
use crate::switchboard::queue::Class;
use crate::{ConnectionId, Frame};

impl Switchboard {
    /// Queues a frame that goes before all data and is not limited.
    pub(super) fn push_urgent(&mut self, id: ConnectionId, frame: Frame, class: Class) {
        let stored = self.outbox.store(frame);
        self.push_stored(id, stored, class);
        self.outbox.release(stored);
    }

    /// Like [`Self::push_urgent`], for a frame that others get as well.
    pub(super) fn push_stored(&mut self, id: ConnectionId, frame: StoredFrame, class: Class) {
        let now = self.liveness();
        if let Ok(connection) = self.connections.get_mut(id) {
            self.outbox.push_urgent(connection, id, frame, class, now);
        }
    }

    /// Queues a frame at the end of the queue, which is not limited.
    pub(super) fn push_last(&mut self, id: ConnectionId, frame: Frame) {
        let now = self.liveness();
        if let Ok(connection) = self.connections.get_mut(id) {
            self.outbox.push_last(connection, id, frame, now);
        }
    }
}

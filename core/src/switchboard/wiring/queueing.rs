//! Frames that are queued for one connection without a limit: control frames, answers before
//! admission, and the last ones. When reading pauses because of what is queued.

use super::switchboard::Switchboard;
use crate::switchboard::action::Action;
use crate::switchboard::log::Class;
use crate::switchboard::timers::Kind;
use crate::{ConnectionId, Frame, Time};

impl Switchboard {
    /// Queues a frame that goes before all data and is not limited.
    pub(super) fn push_urgent(&mut self, id: ConnectionId, frame: Frame, class: Class) {
        self.log.push_urgent(id, frame, class);
        self.note_queue(id);
    }

    /// Queues an HTTP response, which goes before everything else and is not limited.
    pub(super) fn push_response(&mut self, id: ConnectionId, response: Frame) {
        if !response.is_empty() {
            // It is not a message, so it fits.
            let _ = self.log.push_class(id, response, Class::HTTP);
        }
    }

    /// Queues a frame at the end of what waits for a connection, which is not limited and survives
    /// a discard.
    pub(super) fn push_last(&mut self, id: ConnectionId, frame: Frame) {
        // It is not a message, so it fits.
        let _ = self.log.push_class(id, frame, Class::LAST);
        self.note_queue(id);
    }

    /// Notes how much waits for a connection. Resumes reading if that has become little enough.
    pub(super) fn note_queue(&mut self, id: ConnectionId) {
        let Some(most) = self.config.limits.pause_reading else {
            return;
        };
        let long = self.log.own_bytes(id) > most;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.set_long(long) && !long {
            self.reading_resumed(id);
            self.effects.act(Action::ReadMode(id));
        }
    }

    /// Ends the stall of a socket that takes no bytes, if nothing waits for it any more.
    pub(super) fn end_stall(&mut self, id: ConnectionId) {
        if self.log.is_blocked(id)
            && !self.log.waits(id)
            && let Ok(connection) = self.connections.get_mut(id)
        {
            connection.stalled_from = Time::MAX;
            // Whether it takes bytes shows with the next ones.
            self.log.writable(id);
        }
    }

    /// Restarts the ping timeout when reading goes on.
    pub(super) fn reading_resumed(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.health.ping_timeout;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if let Some(ping) = &mut connection.ping
            && ping.has_left()
        {
            ping.deadline = deadline;
            self.arm(id, Kind::PingTimeout);
        }
    }
}

//! The memory limit of the node: which connections hold back the most memory.

use super::Log;
use super::connection::Writer;
use super::weight::{Candidate, Weight, power};
use crate::ConnectionId;
use crate::switchboard::arena::NONE;

impl Log {
    /// Returns whether more is held than the node may hold.
    pub(in crate::switchboard) fn is_over_bound(&self) -> bool {
        self.held > self.limits.held
    }

    /// Returns whether the limit would be kept without the frames that wait for blocked sockets.
    pub(super) fn may_keep_bound(&self) -> bool {
        self.held_back >= self.held.saturating_sub(self.limits.held) as u64
    }

    /// Returns whether the limit is exceeded and might be kept without the frames that wait for blocked
    /// sockets.
    pub(in crate::switchboard) fn would_closing_help(&self) -> bool {
        self.is_over_bound() && self.may_keep_bound()
    }

    /// Returns the connection to close next (4101) because the limit is exceeded: one whose socket
    /// accepts no bytes, and that holds back approximately the most memory. `None` if the limit is
    /// kept, or if closing all of them would not help, because most frames wait for a writer.
    ///
    /// Histories are removed first.
    pub(in crate::switchboard) fn next_over_bound(&mut self) -> Option<ConnectionId> {
        while self.is_over_bound() && self.give_up_history() {}
        if !self.is_over_bound() || !self.may_keep_bound() {
            return None;
        }
        let slot = self
            .weights
            .iter()
            .rev()
            .find_map(|weight| match weight.candidate {
                Candidate::Connection(slot) => Some(slot),
                Candidate::Room(key) => self.blocked_at_front(key),
            })?;
        self.connections[slot as usize].condemned = true;
        Some(self.id(slot))
    }

    /// Returns a blocked member that stands where a room's log begins, if all that stand there are
    /// blocked.
    fn blocked_at_front(&self, key: u32) -> Option<u32> {
        let room = &self.rooms[key];
        let entry = room.ring.get(room.passed)?;
        if entry.blocked == NONE {
            return None;
        }
        let head = &self.groups[entry.blocked];
        (head.all == entry.cursors).then(|| self.lags[head.first].slot)
    }

    /// Lists a room by what it holds back now.
    pub(super) fn weigh_room(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        let bytes = if room.blocked > 0 {
            room.lag(room.passed).1
        } else {
            0
        };
        let old = std::mem::replace(&mut room.weight, bytes);
        self.list_weight(Candidate::Room(key), old, bytes);
    }

    pub(super) fn unweigh_room(&mut self, key: u32) {
        let old = std::mem::take(&mut self.rooms[key].weight);
        self.list_weight(Candidate::Room(key), old, 0);
    }

    /// Lists a connection by what it holds back now.
    pub(super) fn weigh_connection(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        let Some(queue) = self.queues.get_mut(connection) else {
            return;
        };
        let bytes = if connection.writer == Writer::Blocked {
            queue.bytes as u64
        } else {
            0
        };
        let old = std::mem::replace(&mut queue.weight, bytes);
        self.queues.settle(connection);
        self.list_weight(Candidate::Connection(slot), old, bytes);
    }

    fn list_weight(&mut self, candidate: Candidate, old: u64, new: u64) {
        self.held_back = self.held_back + new - old;
        let (old, new) = (power(old), power(new));
        if old == new {
            return;
        }
        if let Some(power) = old {
            self.weights.remove(&Weight { power, candidate });
        }
        if let Some(power) = new {
            self.weights.insert(Weight { power, candidate });
        }
    }
}

//! Sweeps logs with holes: entries that no member needs are removed, a few with each message.
//!
//! If members lose the newest messages, the log is [compacted](super::sparse) instead.

use super::Log;
use super::entry::Entry;
use super::limits::Slow;
use super::room::Room;
use crate::switchboard::arena::NONE;

/// Dead entries above which a log is swept at the earliest, and the entries that are looked at with
/// each message: few in tests, so that short runs see all states of a sweep.
const LEAST: usize = if cfg!(test) { 4 } else { 64 };
const SLICE: usize = if cfg!(test) { 3 } else { 32 };

impl Room {
    /// Begins or goes on to look at all entries, if more are dead than others. Returns whether there
    /// is one to look at.
    fn is_swept(&mut self) -> bool {
        let Some(sparse) = &mut self.sparse else {
            return false;
        };
        if self.ring.is_swept() {
            return true;
        }
        if 2 * sparse.dead <= self.ring.len() + LEAST || self.rule.slow == Slow::DropNewest {
            return false;
        }
        self.ring.begin_sweep();
        sparse.begin_sweep();
        if let Some(history) = &mut self.history {
            history.begin_sweep();
        }
        true
    }

    /// Returns whether an entry may go, though members that stand at it may have to move on.
    fn may_go(&self, entry: &Entry) -> bool {
        // A number that goes from between others would look like a loss, as would a member that moves
        // on, unless values are kept by key.
        let free = self.latest.is_some() || (entry.seq().is_none() && entry.cursors == 0);
        entry.is_dead() && free
    }
}

impl Log {
    /// Takes some dead entries out of a room's log, if there are more of them than others.
    pub(super) fn sweep(&mut self, key: u32) {
        if !self.rooms[key].is_swept() {
            return;
        }
        for _ in 0..SLICE {
            let room = &mut self.rooms[key];
            let index = room.ring.swept();
            let Some(entry) = room.ring.get(index) else {
                break;
            };
            let goes = room.may_go(entry);
            if let Some(sparse) = &mut room.sparse {
                sparse.sweep(!goes);
                sparse.dead -= usize::from(goes);
            }
            if let Some(history) = &mut room.history {
                history.sweep(!goes);
            }
            if let Some(entry) = room.ring.sweep(!goes) {
                self.carry(key, index, &entry);
            }
        }
        let room = &mut self.rooms[key];
        room.base = room.position(0);
    }

    /// Moves what stood at an entry that was taken out to the next one.
    fn carry(&mut self, key: u32, index: usize, entry: &Entry) {
        let room = &mut self.rooms[key];
        room.volatiles -= u32::from(entry.is_volatile());
        if index < room.passed {
            room.passed -= 1;
        }
        if let Some(next) = room.ring.get_mut(index) {
            next.cursors += entry.cursors;
            next.flight += entry.flight;
        } else {
            room.at_end += entry.cursors;
            room.end_flight += entry.flight;
        }
        if entry.blocked != NONE {
            self.splice(key, index, entry.blocked);
        }
    }
}

#[cfg(test)]
impl Room {
    /// K2: panics if more is dead than may be.
    pub(super) fn check_swept(&self) {
        if let (Some(sparse), true) = (&self.sparse, self.latest.is_some()) {
            let alive = self.ring.len() - sparse.dead;
            // What was passed since the last message has not been looked at.
            let passed = 2 * self.rule.messages as usize;
            let most = 2 * (alive + LEAST) + self.ring.len() / SLICE + passed;
            assert!(self.ring.len() <= most, "K2: dead entries");
        }
    }
}

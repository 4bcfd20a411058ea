//! Frees the memory of removed rooms in parts.

use super::Log;
use super::room::Room;

/// The number of messages and keys that are freed at once when a room is removed. Most rooms have no
/// more.
pub(super) const AT_ONCE: usize = 32;

impl Room {
    /// Frees up to `share` messages and keys of a removed room, and reduces `share` by their number.
    /// Returns the bytes freed, and whether nothing is left.
    fn free(&mut self, share: &mut usize) -> (usize, bool) {
        let mut freed = 0;
        while *share > 0 {
            *share -= 1;
            if !self.ring.is_empty() {
                freed += self.pop();
            } else if self.latest.as_mut().is_none_or(|it| !it.free_one()) {
                return (freed, true);
            }
        }
        (freed, false)
    }
}

impl Log {
    /// Frees a part of a removed room, and keeps the rest for [`free_removed`](Self::free_removed). Frames
    /// count as held until they are freed.
    pub(super) fn free_room(&mut self, mut room: Room) {
        let mut share = AT_ONCE;
        if !self.free_some_of(&mut room, &mut share) {
            self.removed.push(room);
        }
    }

    /// Frees up to `share` messages and keys of removed rooms, and reduces `share` by their number. What
    /// is left is due at once.
    pub(in crate::switchboard) fn free_removed(&mut self, share: &mut usize) {
        while *share > 0
            && let Some(mut room) = self.removed.pop()
        {
            if !self.free_some_of(&mut room, share) {
                self.removed.push(room);
            }
        }
    }

    fn free_some_of(&mut self, room: &mut Room, share: &mut usize) -> bool {
        let idle = room.idle;
        let (freed, is_all) = room.free(share);
        self.held -= freed;
        self.idle -= idle - room.idle;
        is_all
    }
}

//! What is left of rooms that were removed, which is freed in parts.

use super::Log;
use super::room::Room;

/// As much of a room is freed with it, messages and keys. Of most rooms, that is all.
pub(super) const AT_ONCE: usize = 32;

impl Room {
    /// Frees as many messages and keys as `share` says, which it lowers, because the room was removed.
    /// Returns the bytes freed, and whether that was all.
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
    /// Frees a part of a room that was removed. Its frames are held as long as they are not freed.
    pub(super) fn bury(&mut self, mut room: Room) {
        let mut share = AT_ONCE;
        if !self.free_some_of(&mut room, &mut share) {
            self.remains.push(room);
        }
    }

    /// Frees what is left of rooms that were removed, as many messages and keys as `share` says, which it
    /// lowers. More is due at once.
    pub(in crate::switchboard) fn free_remains(&mut self, share: &mut usize) {
        while *share > 0
            && let Some(mut room) = self.remains.pop()
        {
            if !self.free_some_of(&mut room, share) {
                self.remains.push(room);
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

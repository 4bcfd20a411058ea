//! Members that lag too far behind.

use super::Log;
use super::limits::Slow;
use super::room::Room;
use crate::ConnectionId;
use crate::switchboard::arena::NONE;

/// Stretches of positions without a number that are remembered as lost. Beyond these, a gap may be told to be longer than
/// it is, by numbers that the client has got.
const LOST: usize = 256;

impl Room {
    /// Returns whether a blocked member at an index is to be closed.
    pub(super) fn closes(&self, index: usize) -> bool {
        match (self.rule.slow, &self.latest) {
            (Slow::Disconnect, _) => self.is_over(index, 1),
            // Removals cannot be dropped.
            (Slow::DropOldest, Some(latest)) => {
                latest.removals_from(self.position(index)) > self.rule.messages
            }
            _ => false,
        }
    }
}

impl Log {
    /// Finds the blocked members whose lag is over the limit; returns how many were found that
    /// are not in `excluded`: those that stand at the last message, and others. Each position is
    /// looked at once.
    pub(super) fn condemn_over(&mut self, key: u32, excluded: &[u32]) -> (usize, usize) {
        let (mut at_last, mut others) = (0, 0);
        loop {
            let room = &self.rooms[key];
            let index = room.locate(room.over).max(room.passed);
            if !room.closes(index) {
                break;
            }
            let first = room.ring[index].blocked;
            let position = room.position(index);
            let last = index + 1 == room.ring.len();
            let mut at = first;
            while at != NONE {
                let lag = self.lags[at];
                if self.condemn(lag.slot) && excluded.binary_search(&lag.slot).is_err() {
                    let closed = if last { &mut at_last } else { &mut others };
                    *closed += 1;
                }
                at = if lag.next == first { NONE } else { lag.next };
            }
            self.rooms[key].over = position + 1;
        }
        (at_last, others)
    }

    /// Returns the blocked members that would be over the limit with a further message of so many
    /// bytes, where the rule is to close them.
    pub(in crate::switchboard) fn near_limit(&self, key: u32, bytes: usize) -> Vec<ConnectionId> {
        let mut near = Vec::new();
        let room = &self.rooms[key];
        if room.rule.slow != Slow::Disconnect {
            return near;
        }
        for index in room.passed..room.ring.len() {
            let lag = room.lag(index);
            if lag.0 < room.rule.messages && lag.1 + bytes as u64 <= room.rule.bytes {
                break;
            }
            let first = room.ring[index].blocked;
            let mut at = first;
            while at != NONE {
                let lag = self.lags[at];
                near.push(self.id(lag.slot));
                at = if lag.next == first { NONE } else { lag.next };
            }
        }
        near
    }

    /// Drops the oldest messages until no member's lag is over the limit; returns how many were
    /// lost, counted for each member. What a writer has taken may still go out, so it is kept
    /// until the report.
    pub(super) fn drop_oldest(&mut self, key: u32) -> usize {
        let mut lost = 0;
        loop {
            let room = &self.rooms[key];
            let index = room.passed;
            if !room.is_over(index, 1) {
                break;
            }
            if room.ring[index].flight > 0 {
                if !self.held_up.contains(&key) {
                    self.held_up.push(key);
                }
                break;
            }
            lost += self.drop_at(key, index);
        }
        lost
    }

    /// Drops what a writer that has reported by now kept from being dropped.
    pub(super) fn drop_held_up(&mut self) {
        for key in std::mem::take(&mut self.held_up) {
            let room = self.rooms.get(key);
            if room.is_some_and(|room| room.rule.slow == Slow::DropOldest && room.latest.is_none())
            {
                self.late_drops += self.drop_oldest(key);
            }
        }
    }

    /// Returns how many messages were dropped by reports since the last call.
    pub(in crate::switchboard) fn take_late_drops(&mut self) -> usize {
        std::mem::take(&mut self.late_drops)
    }

    /// Drops the oldest messages as long as a member's lag is over the limit and the history does
    /// not have them any more; returns how many were lost, counted for each member.
    pub(super) fn drop_forgotten(&mut self, key: u32) -> usize {
        let mut lost = 0;
        loop {
            let room = &self.rooms[key];
            let index = room.passed;
            let kept = room.history.as_ref().is_some_and(|it| it.first() <= index);
            if kept || !room.is_over(index, 1) || room.ring[index].flight > 0 {
                break;
            }
            lost += self.drop_at(key, index);
        }
        lost
    }

    /// Drops the entry at an index, before which none has cursors, and all before it. Returns the
    /// number of members that lose it.
    pub(super) fn drop_at(&mut self, key: u32, index: usize) -> usize {
        let room = &mut self.rooms[key];
        let entry = &mut room.ring[index];
        let (cursors, blocked) = (entry.cursors, entry.blocked);
        entry.cursors = 0;
        entry.blocked = NONE;
        let mut lost = cursors as usize;
        let room = &self.rooms[key];
        let entry = &room.ring[index];
        // A volatile one was never for those who had been before it.
        let volatile = entry.is_volatile();
        for &slot in entry.excluded() {
            let at = self.connections[slot as usize].membership(key);
            let stands = at.is_some_and(|at| {
                let member = self.connections[slot as usize].rooms[at].index;
                let cursor = room.members[member as usize].cursor;
                let recovery = self.recovery(slot, key);
                room.index_of(member) <= index
                    && !(volatile && cursor < room.base)
                    && !room.is_for(index, cursor, slot, recovery.as_ref())
            });
            lost -= usize::from(stands);
        }
        let presence = entry.is_presence();
        if entry.is_dead() {
            lost = 0;
        } else if volatile {
            lost -= room.jumped as usize;
        }
        let room = &mut self.rooms[key];
        if cursors > 0 {
            // What was at positions that have gone already had no number either.
            let numbered = u64::from(room.ring[index].seq().is_some());
            let from = room.position(index) + numbered;
            let to = room.position(index + 1);
            if from < to {
                let lost = room.lost.get_or_insert_default();
                if lost.len() >= LOST {
                    lost.pop_front();
                }
                lost.push_back((from, to));
            }
        }
        // All who stood here are before the front now, and those who were already.
        room.jumped = cursors;
        match room.ring.get_mut(index + 1) {
            Some(next) => next.cursors += cursors,
            None => room.at_end += cursors,
        }
        self.splice(key, index + 1, blocked);
        for _ in 0..=index {
            self.pop(key);
        }
        let room = &mut self.rooms[key];
        if presence {
            room.lost_presence = room.base;
        }
        self.settle(key);
        lost
    }

    /// Removes the front of a room's log.
    fn pop(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        let kept = |room: &Room| {
            let history = room.history.as_ref();
            history.map_or((0, 0), |it| (it.messages(), it.bytes()))
        };
        let (before, idle) = (kept(room), room.idle);
        self.held -= room.pop();
        self.idle -= idle - room.idle;
        let after = kept(room);
        self.kept.0 -= before.0 - after.0;
        self.kept.1 -= before.1 - after.1;
    }
}

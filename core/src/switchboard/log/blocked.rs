//! The blocked members at each position, in groups: joining those of two positions takes one step, and
//! so does finding all of a group too slow.
//!
//! ```text
//!   entry ─▶ group ⇄ group, over the limit     a circle
//!              │        │
//!             lag ⇄    lag ⇄ lag ⇄             a circle in each group: a membership of a connection
//! ```

use super::Log;
use super::connection::{Group, Lag, Writer};
use super::entry::Entry;
use super::limits::Slow;
use crate::ConnectionId;
use crate::switchboard::arena::NONE;

impl Log {
    /// Notes that a socket takes no bytes. Volatile messages of which it has taken none are dropped;
    /// returns how many. A connection whose own frames are over their limits is to be closed.
    pub(super) fn block(&mut self, slot: u32) -> u32 {
        let connection = &mut self.connections[slot as usize];
        connection.writer = Writer::Blocked;
        connection.stalled = true;
        let mut dropped = 0;
        for membership in 0..self.connections[slot as usize].rooms.len() {
            dropped += u32::from(self.pass_volatile(slot, membership));
            self.link(slot, membership);
        }
        self.weigh_connection(slot);
        if self.is_over_own(slot) {
            self.condemn(slot);
        }
        dropped
    }

    /// Moves a member on from a volatile message that is for it. Returns whether it was at one.
    fn pass_volatile(&mut self, slot: u32, membership: usize) -> bool {
        let found = self.connections[slot as usize].rooms[membership];
        let room = &self.rooms[found.room];
        let cursor = room.members[found.index as usize].cursor;
        let index = room.locate(cursor);
        let waits = room.ring.get(index).is_some_and(Entry::is_volatile)
            && self.recovery(slot, found.room).is_none()
            && room.is_for(index, cursor, slot, None);
        if waits {
            #[cfg(test)]
            self.missed.push((slot, found.room, cursor));
            self.advance(found.room, found.index, cursor + 1);
        }
        waits
    }

    /// Notes that a socket takes bytes again, or that it is gone.
    pub(super) fn unblock(&mut self, slot: u32) {
        for membership in 0..self.connections[slot as usize].rooms.len() {
            self.unlink(slot, membership);
        }
        self.connections[slot as usize].writer = Writer::Idle;
        self.weigh_connection(slot);
    }

    /// Adds a membership to the blocked ones at its position. A member over its limit is to be
    /// closed, unless the rule spares it.
    pub(super) fn link(&mut self, slot: u32, membership: usize) {
        let found = self.connections[slot as usize].rooms[membership];
        let recovers = self.recovery(slot, found.room).is_some();
        let room = &mut self.rooms[found.room];
        let index = room.index_of(found.index);
        let over = room.is_beyond(index);
        let (position, end) = (room.position(index), room.end());
        if let Some(latest) = &mut room.latest {
            latest.blocked(slot, position, end);
            if !over {
                // Such a lag becomes shorter when a removal is overwritten, so that others at its
                // position may be over the limit already.
                room.over = room.over.min(position);
            }
        }
        let group = self.group_at(found.room, index, over);
        let lag = self.lags.insert(Lag {
            slot,
            previous: NONE,
            next: NONE,
            group,
        });
        let first = self.groups[group].first;
        let (previous, next) = if first == NONE {
            (lag, lag)
        } else {
            (self.lags[first].previous, first)
        };
        (self.lags[lag].previous, self.lags[lag].next) = (previous, next);
        self.lags[previous].next = lag;
        self.lags[next].previous = lag;
        self.connections[slot as usize].rooms[membership].lag = lag;
        let group = &mut self.groups[group];
        group.first = lag;
        group.count += 1;
        group.recovering += u32::from(recovers);
        let head = *self.blocked_at(found.room, index);
        self.groups[head].all += 1;
        let room = &mut self.rooms[found.room];
        room.blocked += 1;
        self.spared += usize::from(over && !recovers && room.rule.slow == Slow::CatchUp);
        self.weigh_room(found.room);
    }

    /// Returns the first group at an index, where that is for those over the limit, or for others;
    /// otherwise adds one.
    fn group_at(&mut self, key: u32, index: usize, over: bool) -> u32 {
        let head = *self.blocked_at(key, index);
        if let Some(group) = self.groups.get(head)
            && group.over == over
        {
            return head;
        }
        let group = self.groups.insert_with(|group| Group {
            first: NONE,
            count: 0,
            recovering: 0,
            over,
            previous: group,
            next: group,
            all: 0,
        });
        self.splice(key, index, group);
        if over && self.rooms[key].rule.slow != Slow::CatchUp {
            self.condemned_groups.push_back(group);
        }
        group
    }

    /// Removes a membership from the blocked ones. One that was found to be over the limit is to be
    /// closed all the same.
    pub(super) fn unlink(&mut self, slot: u32, membership: usize) {
        let found = self.connections[slot as usize].rooms[membership];
        if found.lag == NONE {
            return;
        }
        self.connections[slot as usize].rooms[membership].lag = NONE;
        let Some(lag) = self.lags.remove(found.lag) else {
            return;
        };
        let recovers = self.recovery(slot, found.room).is_some();
        let room = &mut self.rooms[found.room];
        room.blocked -= 1;
        let spares = room.rule.slow == Slow::CatchUp;
        let index = room.index_of(found.index);
        let head = *self.blocked_at(found.room, index);
        self.groups[head].all -= 1;
        let group = &mut self.groups[lag.group];
        group.count -= 1;
        group.recovering -= u32::from(recovers);
        let (over, is_empty) = (group.over, group.count == 0);
        if is_empty {
            group.first = NONE;
            self.remove_group(found.room, index, lag.group);
        } else {
            if group.first == found.lag {
                group.first = lag.next;
            }
            self.lags[lag.previous].next = lag.next;
            self.lags[lag.next].previous = lag.previous;
        }
        if over && spares {
            self.spared -= usize::from(!recovers);
        } else if over {
            self.condemn(slot);
            self.forget_condemned();
        }
        self.weigh_room(found.room);
    }

    /// Takes an empty group out of the circle at an index.
    fn remove_group(&mut self, key: u32, index: usize, group: u32) {
        let Group {
            previous,
            next,
            all,
            over,
            ..
        } = self.groups[group];
        let after = if next == group { NONE } else { next };
        let head = self.blocked_at(key, index);
        if *head == group {
            *head = after;
            if after != NONE {
                self.groups[after].all = all;
            }
        }
        if after != NONE {
            self.groups[previous].next = next;
            self.groups[next].previous = previous;
        }
        // Otherwise it is in the list of those that are condemned.
        if !over || self.rooms[key].rule.slow == Slow::CatchUp {
            self.groups.remove(group);
        }
    }

    /// Adds a circle of groups to the one at an index.
    pub(super) fn splice(&mut self, room: u32, index: usize, circle: u32) {
        if circle == NONE {
            return;
        }
        let first = std::mem::replace(self.blocked_at(room, index), circle);
        if first != NONE {
            self.groups[circle].all += self.groups[first].all;
            let (old_end, new_end) = (self.groups[first].previous, self.groups[circle].previous);
            self.groups[old_end].next = circle;
            self.groups[circle].previous = old_end;
            self.groups[new_end].next = first;
            self.groups[first].previous = new_end;
        }
    }

    /// Returns the head of the circle of groups at an index.
    fn blocked_at(&mut self, key: u32, index: usize) -> &mut u32 {
        let room = &mut self.rooms[key];
        match room.ring.get_mut(index) {
            Some(entry) => &mut entry.blocked,
            None => &mut room.end_blocked,
        }
    }

    /// Calls for each group of a circle.
    pub(super) fn each_group(&mut self, head: u32, mut call: impl FnMut(&mut Self, u32)) {
        let mut at = head;
        while at != NONE {
            let next = self.groups[at].next;
            call(self, at);
            at = if next == head { NONE } else { next };
        }
    }

    /// Returns the next connection that is over a limit, for the caller to close (4101).
    pub(in crate::switchboard) fn next_condemned(&mut self) -> Option<ConnectionId> {
        while let Some(id) = self.condemned.pop_front() {
            if self.connection(id).is_some_and(|found| found.condemned) {
                return Some(id);
            }
        }
        let group = *self.condemned_groups.front()?;
        let group = &mut self.groups[group];
        let Lag { slot, next, .. } = self.lags[group.first];
        group.first = next;
        self.connections[slot as usize].condemned = true;
        Some(self.id(slot))
    }

    /// Returns whether there may be another one.
    #[inline]
    pub(in crate::switchboard) fn has_condemned(&self) -> bool {
        !self.condemned.is_empty() || !self.condemned_groups.is_empty()
    }

    /// Forgets the groups at the front of the list of those that are condemned of whom nobody is
    /// left.
    fn forget_condemned(&mut self) {
        while let Some(&group) = self.condemned_groups.front()
            && self.groups[group].count == 0
        {
            self.groups.remove(group);
            self.condemned_groups.pop_front();
        }
    }

    /// Records a connection that is over its limit, once.
    pub(super) fn condemn(&mut self, slot: u32) {
        let connection = &mut self.connections[slot as usize];
        if !std::mem::replace(&mut connection.condemned, true) {
            let id = self.id(slot);
            self.condemned.push_back(id);
        }
    }
}

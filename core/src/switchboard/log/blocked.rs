//! The blocked members at each position, as circular lists: joining two takes one step.

use super::Log;
use super::connection::{Lag, Writer};
use super::entry::Entry;
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
    /// closed.
    pub(super) fn link(&mut self, slot: u32, membership: usize) {
        let found = self.connections[slot as usize].rooms[membership];
        let room = &self.rooms[found.room];
        let index = room.index_of(found.index);
        let over = room.closes(index);
        let (position, end) = (room.position(index), room.end());
        if let Some(latest) = &mut self.rooms[found.room].latest {
            latest.blocked(slot, position, end);
        }
        let lag = self.lags.insert(Lag {
            slot,
            previous: NONE,
            next: NONE,
            count: 1,
        });
        self.lags[lag].previous = lag;
        self.lags[lag].next = lag;
        self.connections[slot as usize].rooms[membership].lag = lag;
        self.splice(found.room, index, lag);
        self.rooms[found.room].blocked += 1;
        self.weigh_room(found.room);
        if over {
            self.condemn(slot);
        }
    }

    /// Removes a membership from the blocked ones.
    pub(super) fn unlink(&mut self, slot: u32, membership: usize) {
        let found = self.connections[slot as usize].rooms[membership];
        if found.lag == NONE {
            return;
        }
        self.connections[slot as usize].rooms[membership].lag = NONE;
        let Some(lag) = self.lags.remove(found.lag) else {
            return;
        };
        let room = &mut self.rooms[found.room];
        let index = room.index_of(found.index);
        let head = match room.ring.get_mut(index) {
            Some(entry) => &mut entry.blocked,
            None => &mut room.end_blocked,
        };
        if lag.next == found.lag {
            *head = NONE;
        } else {
            if *head == found.lag {
                *head = lag.next;
                self.lags[lag.next].count = lag.count;
            }
            self.lags[*head].count -= 1;
            self.lags[lag.previous].next = lag.next;
            self.lags[lag.next].previous = lag.previous;
        }
        self.rooms[found.room].blocked -= 1;
        self.weigh_room(found.room);
    }

    /// Adds a list to the one at an index.
    pub(super) fn splice(&mut self, room: u32, index: usize, list: u32) {
        if list == NONE {
            return;
        }
        let room = &mut self.rooms[room];
        let head = match room.ring.get_mut(index) {
            Some(entry) => &mut entry.blocked,
            None => &mut room.end_blocked,
        };
        let first = std::mem::replace(head, list);
        if first != NONE {
            self.lags[list].count += self.lags[first].count;
            let (old_end, new_end) = (self.lags[first].previous, self.lags[list].previous);
            self.lags[old_end].next = list;
            self.lags[list].previous = old_end;
            self.lags[new_end].next = first;
            self.lags[first].previous = new_end;
        }
    }

    /// Returns the next connection that is over a limit, for the caller to close (4101).
    pub(in crate::switchboard) fn next_condemned(&mut self) -> Option<ConnectionId> {
        while let Some(id) = self.condemned.pop_front() {
            if self.connection(id).is_some_and(|found| found.condemned) {
                return Some(id);
            }
        }
        None
    }

    /// Returns whether there may be another one.
    #[inline]
    pub(in crate::switchboard) fn has_condemned(&self) -> bool {
        !self.condemned.is_empty()
    }

    /// Records a connection that is over its limit, once.
    pub(super) fn condemn(&mut self, slot: u32) -> bool {
        let connection = &mut self.connections[slot as usize];
        if std::mem::replace(&mut connection.condemned, true) {
            return false;
        }
        let id = self.id(slot);
        self.condemned.push_back(id);
        true
    }
}

//! Connections come and go, and enter and leave rooms.

use super::Log;
use super::arena::NONE;
use super::connection::{Connection, Membership, Writer};
use super::room::Member;
use super::take::is_for;
use crate::ConnectionId;

/// Where a new member begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum From {
    /// It gets what is published from now on.
    End,
}

impl Log {
    /// Adds a connection, which is in no room and has nothing to write.
    pub(in crate::switchboard) fn open(&mut self, id: ConnectionId) {
        while self.connections.len() <= id.slot as usize {
            self.connections.push(Connection::gone());
        }
        let connection = &mut self.connections[id.slot as usize];
        *connection = Connection {
            generation: id.generation,
            writer: Writer::Idle,
            // Its place in the list may still be taken by its predecessor.
            dirty: connection.dirty,
            ..Connection::gone()
        };
    }

    /// Forgets a connection and all that it has not written. Returns the number of messages among
    /// that.
    pub(in crate::switchboard) fn drop_connection(&mut self, id: ConnectionId) -> u64 {
        if self.connection(id).is_none() {
            return 0;
        }
        let dropped = self.leave_all(id) + self.clear_own(id.slot);
        self.unblock(id.slot);
        let connection = &mut self.connections[id.slot as usize];
        connection.writer = Writer::Gone;
        connection.rooms = smallvec::SmallVec::new();
        dropped
    }

    /// Makes a connection a member of a room in which it is not. Returns the last number used.
    pub(in crate::switchboard) fn join(&mut self, id: ConnectionId, key: u32, from: From) -> u64 {
        let From::End = from;
        let slot = id.slot;
        let connection = &mut self.connections[slot as usize];
        let membership = connection.rooms.len();
        let room = &mut self.rooms[key];
        let index = room.members.len() as u32;
        connection.rooms.push(Membership {
            room: key,
            index,
            lag: NONE,
        });
        let cursor = room.end();
        room.members.push(Member {
            slot,
            membership: membership as u16,
            special: false,
            flying: false,
            cursor,
        });
        room.at_end += 1;
        // The circle goes around the end of the list, so it comes to the new member.
        if room.walk + room.left > index {
            room.left += 1;
        }
        let blocked = connection.writer == Writer::Blocked;
        let seq = room.seq;
        if blocked {
            self.link(slot, membership);
        }
        seq
    }

    /// Removes a connection from a room. Returns the number of messages that it has not got,
    /// or `None` if it is not a member.
    pub(in crate::switchboard) fn leave(&mut self, id: ConnectionId, key: u32) -> Option<u64> {
        let membership = self.connection(id)?.membership(key)?;
        Some(self.leave_at(id.slot, membership))
    }

    /// Removes a connection from all rooms. Returns the number of messages that it has not got.
    pub(super) fn leave_all(&mut self, id: ConnectionId) -> u64 {
        let mut dropped = 0;
        while let Some(last) = self.connections[id.slot as usize]
            .rooms
            .len()
            .checked_sub(1)
        {
            dropped += self.leave_at(id.slot, last);
        }
        dropped
    }

    fn leave_at(&mut self, slot: u32, membership: usize) -> u64 {
        let lag = self.waiting(slot, membership);
        self.unlink(slot, membership);
        let connection = &mut self.connections[slot as usize];
        let left = connection.rooms.swap_remove(membership);
        if let Some(moved) = connection.rooms.get(membership) {
            self.rooms[moved.room].members[moved.index as usize].membership = membership as u16;
        }
        let key = left.room;
        let room = &mut self.rooms[key];
        let index = room.index_of(left.index);
        room.depart(index);
        let member = room.members.swap_remove(left.index as usize);
        if let Some(member) = member {
            room.jumped -= u32::from(member.cursor < room.base);
            if member.flying
                && let Some(entry) = room.ring.get_mut(index)
            {
                entry.flight -= 1;
            }
        }
        let moved = room
            .members
            .get(left.index as usize)
            .map(|moved| moved.slot);
        self.shrink_circle(key);
        if let Some(moved) = moved {
            // The circle may have come past the place from which it moved.
            let found = self.connections[moved as usize].membership(key);
            if let Some(found) = found {
                self.connections[moved as usize].rooms[found].index = left.index;
            }
            self.touch_if_behind(moved);
        }
        self.settle(key);
        lag
    }

    /// Keeps the circle within the list of members, which has shrunk.
    fn shrink_circle(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        let len = room.members.len() as u32;
        if room.walk >= len {
            room.walk = 0;
        }
        room.left = room.left.min(len);
        room.lap = room.lap.min(len).max(1);
    }

    /// Returns the number of messages of a room that wait for a member.
    fn waiting(&self, slot: u32, membership: usize) -> u64 {
        let found = self.connections[slot as usize].rooms[membership];
        let room = &self.rooms[found.room];
        let index = room.index_of(found.index);
        if !room.members[found.index as usize].special && room.volatiles == 0 {
            return room.lag(index).0;
        }
        let cursor = room.members[found.index as usize].cursor;
        let entries = (index..room.ring.len()).filter(|&at| {
            let position = room.base + at as u64;
            is_for(&room.ring[at], position, cursor, slot)
        });
        entries.count() as u64
    }
}

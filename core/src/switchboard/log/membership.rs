//! Connections come and go, and enter and leave rooms.

use std::ops::Range;

use smallvec::SmallVec;

use super::Log;
use super::connection::{Connection, Membership, Writer};
use super::limits::Slow;
use super::recovery::{Identity, Joined, Recovery, StartAt};
use super::room::Member;
use crate::ConnectionId;
use crate::switchboard::arena::NONE;
use crate::wire::frame::{Place, Window};

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

    /// Makes a connection an event stream: from now on its frames are written as events.
    pub(in crate::switchboard) fn make_event_stream(&mut self, id: ConnectionId) {
        if self.connection(id).is_some() {
            self.connections[id.slot as usize].events = true;
        }
    }

    /// Reads a word of a connection, so that it is in the processor's cache.
    pub(in crate::switchboard) fn fetch(&self, id: ConnectionId) -> u64 {
        let connection = self.connections.get(id.slot as usize);
        connection.map_or(0, |found| u64::from(found.queue))
    }

    /// Returns whether a connection is an event stream.
    pub(in crate::switchboard) fn is_event_stream(&self, id: ConnectionId) -> bool {
        self.connection(id).is_some_and(|found| found.events)
    }

    /// Sets what a connection can inflate. It gets the compressed form of what is sent from now on, where
    /// that fits.
    pub(in crate::switchboard) fn set_window(&mut self, id: ConnectionId, window: Window) {
        if self.connection(id).is_some() {
            let connection = &mut self.connections[id.slot as usize];
            let before = std::mem::replace(&mut connection.window, window);
            if before.is_kept() != window.is_kept() {
                let rooms = connection.rooms.iter().map(|found| found.room);
                for key in rooms.collect::<SmallVec<[u32; 4]>>() {
                    if window.is_kept() {
                        self.follow(key, id.slot);
                    } else {
                        self.unfollow(key, id.slot);
                    }
                }
                self.set_place(id.slot, Place::NONE);
            }
            self.inflating += usize::from(!window.is_none());
            self.inflating -= usize::from(!before.is_none());
        }
    }

    /// Returns the number of connections that can inflate messages.
    pub(in crate::switchboard) const fn inflating(&self) -> usize {
        self.inflating
    }

    /// Forgets a connection and all that it has not written. Returns the number of messages among
    /// that.
    pub(in crate::switchboard) fn drop_connection(&mut self, id: ConnectionId) -> u64 {
        if self.connection(id).is_none() {
            return 0;
        }
        let dropped = self.leave_all(id) + self.clear_own(id.slot);
        self.set_window(id, Window::NONE);
        self.unblock(id.slot);
        let connection = &mut self.connections[id.slot as usize];
        let dropped = dropped + u64::from(std::mem::take(&mut connection.adrift));
        self.queues.settle(connection);
        connection.writer = Writer::Gone;
        connection.rooms = SmallVec::new();
        dropped
    }

    /// Makes a connection a member of a room in which it is not.
    ///
    /// What it is told (`subscribed`, presence) is to be queued before anything else is done: it
    /// goes out before the messages that it gets.
    pub(in crate::switchboard) fn join(
        &mut self,
        id: ConnectionId,
        key: u32,
        from: StartAt,
        identity: Identity,
    ) -> Joined {
        let (begins, joined) = self.begin(key, from);
        let slot = id.slot;
        if self.rooms[key].members.is_empty() {
            self.end_lingering(key);
        }
        let connection = &mut self.connections[slot as usize];
        let membership = connection.rooms.len();
        let room = &mut self.rooms[key];
        let index = room.members.len() as u32;
        connection.rooms.push(Membership {
            room: key,
            index,
            lag: NONE,
            taken: 0,
        });
        let end = room.end();
        let snapshot = room.snapshot(from, &joined);
        let behind = begins < room.ring.len() || snapshot.is_some();
        room.members.push(Member {
            slot,
            membership: membership as u16,
            special: behind,
            in_flight: false,
            cursor: room.position(begins),
        });
        let idle = room.idle;
        room.arrive(begins);
        self.idle -= idle - room.idle;
        // Where members have become full, there is no history any more.
        debug_assert!(
            room.rule.slow != Slow::DropNewest || room.members[index as usize].cursor >= room.over
        );
        if let Some(latest) = &mut room.latest {
            latest.joined(slot, snapshot.is_some());
        }
        // The circle goes around the end of the list, so it comes to the new member.
        if room.walk + room.left > index {
            room.left += 1;
        }
        let blocked = connection.writer == Writer::Blocked;
        if behind {
            let recovery = Recovery {
                identity,
                until: end,
                stamp: self.published,
                snapshot,
            };
            self.recoveries.insert((slot, key), recovery);
            self.touch(slot);
            self.weigh_room(key);
        }
        if blocked {
            self.link(slot, membership);
        }
        if self.connections[slot as usize].window.is_kept() {
            self.follow(key, slot);
        }
        joined
    }

    /// Returns the members of a room at these places of their list. A member that leaves gives its place to the
    /// last one.
    pub(in crate::switchboard) fn members(
        &self,
        key: u32,
        places: Range<usize>,
    ) -> impl Iterator<Item = ConnectionId> {
        let room = &self.rooms[key];
        let end = places.end.min(room.members.len());
        (places.start..end).map(|at| self.id(room.members[at].slot))
    }

    /// Removes a connection from a room. Returns the number of messages that it does not get, or
    /// `None` if it is not a member. What a writer has taken may still be written; if not, its
    /// report counts it.
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

    pub(super) fn leave_at(&mut self, slot: u32, membership: usize) -> u64 {
        let lag = self.untaken(slot, membership);
        self.unlink(slot, membership);
        let connection = &mut self.connections[slot as usize];
        let left = connection.rooms.swap_remove(membership);
        connection.adrift += left.taken;
        if let Some(moved) = connection.rooms.get(membership) {
            self.rooms[moved.room].members[moved.index as usize].membership = membership as u16;
        }
        let key = left.room;
        if connection.window.is_kept() {
            // What is still written moves it again, to where it is then.
            self.set_place(slot, Place::NONE);
            self.unfollow(key, slot);
        }
        let room = &mut self.rooms[key];
        let index = room.index_of(left.index);
        let freed = room.depart(index);
        let member = room.members.swap_remove(left.index as usize);
        if let Some(latest) = &mut room.latest {
            latest.left(slot, left.index);
        }
        if let Some(member) = member {
            room.drain(&member, None);
            room.caught_up(member.cursor);
            if member.in_flight {
                room.note_reported(index);
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
        self.held -= freed;
        self.recoveries.remove(&(slot, key));
        self.settle(key);
        if self.rooms[key].members.is_empty() {
            self.linger(key);
        }
        lag
    }

    /// Returns the number of a room's messages that a writer has taken for a member.
    #[cfg(test)]
    pub(super) fn taken(&self, id: ConnectionId, key: u32) -> usize {
        let taken = |found: &Connection| Some(found.rooms[found.membership(key)?].taken as usize);
        self.connection(id).and_then(taken).unwrap_or(0)
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
    pub(super) fn waiting(&self, slot: u32, membership: usize) -> u64 {
        let found = self.connections[slot as usize].rooms[membership];
        let room = &self.rooms[found.room];
        let member = room.members[found.index as usize];
        let index = room.next_of(&member, self.recovery(slot, found.room).as_ref());
        if !member.special && room.volatiles == 0 && room.sparse.is_none() {
            return room.lag(index).0;
        }
        self.waiting_from(slot, found, index)
    }

    /// Returns the number of messages of a room that wait for a member, from an index on.
    fn waiting_from(&self, slot: u32, found: Membership, index: usize) -> u64 {
        let room = &self.rooms[found.room];
        let member = room.members[found.index as usize];
        let recovery = self.recovery(slot, found.room);
        let entries = (index..room.stop_index(&member))
            .filter(|&at| room.is_for(at, member.cursor, slot, recovery.as_ref()));
        entries.count() as u64
    }

    /// Returns the number of messages of a room that wait for a member and that no writer has taken.
    fn untaken(&self, slot: u32, membership: usize) -> u64 {
        let found = self.connections[slot as usize].rooms[membership];
        let room = &self.rooms[found.room];
        match &room.latest {
            // What a writer has taken may have been overwritten since.
            Some(latest) if room.members[found.index as usize].in_flight => {
                let index = room.locate(latest.taken_to(found.index));
                self.waiting_from(slot, found, index)
            }
            _ => {
                let waiting = self.waiting(slot, membership);
                waiting.saturating_sub(u64::from(found.taken))
            }
        }
    }
}

//! Recounts what is held, and where members stand.

use std::collections::BTreeMap;

use super::Log;
use super::connection::Writer;
use crate::switchboard::arena::NONE;
use crate::switchboard::audit::{Inconsistency, same};

impl Log {
    /// Recounts what is held, what waits for each connection, and where the members of each room
    /// stand. `connections` is the number of connections, `memberships` that of their rooms.
    pub(in crate::switchboard) fn audit(
        &self,
        connections: usize,
        memberships: usize,
    ) -> Result<(), Inconsistency> {
        let frames = self.removed.iter().flat_map(|room| room.ring.iter());
        let mut held = frames.map(|entry| entry.frame.footprint()).sum::<usize>();
        let mut members = 0;
        for (key, room) in self.rooms.iter() {
            let frames = room.ring.iter().map(|entry| entry.frame.footprint());
            held += frames.sum::<usize>();
            members += room.members.len();
            self.audit_room(key)?;
        }
        let mut found = (0, 0);
        for connection in self.connections.iter() {
            if connection.writer != Writer::Gone {
                found.0 += 1;
                found.1 += connection.rooms.len();
            }
            held += self.audit_own(connection)?;
        }
        held += self.shared.iter().map(|(_, it)| it.bytes()).sum::<usize>();
        same("bytes held", self.held, held)?;
        same("connections that are written to", found.0, connections)?;
        same("memberships of connections", found.1, memberships)?;
        same("members of rooms", members, memberships)
    }

    /// Recounts a connection's own frames; returns the bytes that it does not share.
    fn audit_own(
        &self,
        connection: &super::connection::Connection,
    ) -> Result<usize, Inconsistency> {
        let queue = self.queues.of(connection);
        let (mut bytes, mut messages, mut alone) = (0, 0, 0);
        for list in [queue.urgent, queue.own] {
            let mut at = list.head;
            while let Some(item) = self.items.get(at) {
                bytes += item.frame.len();
                messages += u32::from(item.class.is_message());
                alone += if item.is_shared() {
                    0
                } else {
                    item.frame.footprint()
                };
                at = item.next;
            }
        }
        if let Some(rest) = &queue.rest {
            bytes += rest.bytes().len();
            alone += if rest.shared == NONE {
                rest.bytes().len()
            } else {
                0
            };
            messages += u32::from(rest.message);
        }
        same("bytes of own frames", queue.bytes, bytes)?;
        same("messages among own frames", queue.messages, messages)?;
        Ok(alone)
    }

    /// Recounts where the members of a room stand, and checks that none is forgotten.
    fn audit_room(&self, key: u32) -> Result<(), Inconsistency> {
        let room = &self.rooms[key];
        let mut stand: BTreeMap<usize, u32> = BTreeMap::new();
        let mut blocked = 0;
        for (index, member) in room.members.iter().enumerate() {
            let at = room.index_of(index as u32);
            *stand.entry(at).or_default() += 1;
            let connection = &self.connections[member.slot as usize];
            let found = connection.rooms.get(member.membership as usize);
            let found = found.map(|found| (found.room, found.index));
            same("a membership", found, Some((key, index as u32)))?;
            blocked += u32::from(connection.writer == Writer::Blocked);
            let ahead = room.ring.iter().skip(at).any(|entry| !entry.is_dead());
            let visited = room.listed && room.is_in_circle(index as u32);
            let forgotten = connection.writer == Writer::Idle
                && !connection.dirty
                && ((ahead && !visited) || room.is_newcomer(index as u32));
            same("a member that is behind is visited", forgotten, false)?;
        }
        for (at, entry) in room.ring.iter().enumerate() {
            let counted = stand.get(&at).copied().unwrap_or(0);
            same("members at a message", entry.cursors, counted)?;
        }
        let at_end = stand.get(&room.ring.len()).copied().unwrap_or(0);
        same("members at the end of a log", room.at_end, at_end)?;
        same("blocked members", room.blocked, blocked)?;
        let lags = room.ring.iter().filter(|entry| entry.blocked != NONE);
        let lists = lags.count() + usize::from(room.end_blocked != NONE);
        same("lists of blocked members", lists <= blocked as usize, true)
    }
}

//! Recounts what is held, and where members stand.

use std::collections::BTreeMap;

use super::Log;
use super::connection::Writer;
use crate::switchboard::arena::NONE;
use crate::switchboard::audit::{Inconsistency, same};

/// The largest room of which the members are looked at one by one where not everything is: its members and
/// messages.
const LARGEST: usize = 1_024;

impl Log {
    /// Returns whether there are at most about `most` rooms, members and messages.
    pub(in crate::switchboard) fn is_small(&self, most: usize) -> bool {
        let mut size = 0;
        self.rooms.keys() <= most
            && self.rooms.iter().all(|(_, room)| {
                size += room.members.len() + room.ring.len();
                size <= most
            })
    }

    /// Recounts what waits for the connection in a slot, and checks that the rooms it is in know it. `rooms`
    /// is their number, `None` if there is no connection.
    pub(in crate::switchboard) fn audit_connection(
        &self,
        slot: u32,
        rooms: Option<usize>,
    ) -> Result<(), Inconsistency> {
        let found = self.connections.get(slot as usize);
        let found = found.filter(|found| found.writer != Writer::Gone);
        let memberships = found.map(|found| found.rooms.len());
        same("memberships of a connection", memberships, rooms)?;
        let Some(connection) = found else {
            return Ok(());
        };
        for (at, found) in connection.rooms.iter().enumerate() {
            let room = self.rooms.get(found.room);
            let member = room.and_then(|room| room.members.get(found.index as usize));
            let member = member.map(|member| (member.slot, usize::from(member.membership)));
            same("a member of its room", member, Some((slot, at)))?;
        }
        self.audit_own(connection)?;
        Ok(())
    }

    /// Returns the number of members of a room.
    pub(in crate::switchboard) fn members_in(&self, key: u32) -> Option<usize> {
        self.rooms.get(key).map(|room| room.members.len())
    }

    /// Recounts where the members of some rooms stand, from a key on: of about `most` members and messages.
    /// In larger rooms it adds up those at all messages. Returns the key of the next room.
    pub(in crate::switchboard) fn audit_rooms(
        &self,
        mut key: u32,
        most: usize,
    ) -> Result<Option<u32>, Inconsistency> {
        let mut looks = 0;
        while (key as usize) < self.rooms.keys() {
            if looks >= most {
                return Ok(Some(key));
            }
            looks += 1;
            if let Some(room) = self.rooms.get(key) {
                let size = room.members.len() + room.ring.len();
                looks += size.min(most);
                if size <= most.max(LARGEST) {
                    self.audit_room(key)?;
                } else if room.ring.len() <= 16 * LARGEST {
                    let entries = room.ring.iter().map(|entry| entry.cursors as usize);
                    let members = room.at_end as usize + entries.sum::<usize>();
                    same("members at all messages", members, room.members.len())?;
                }
            }
            key += 1;
        }
        Ok(None)
    }

    /// Recounts the bytes that are held.
    pub(in crate::switchboard) fn audit_held(&self) -> Result<(), Inconsistency> {
        let rooms = self.rooms.iter().map(|(_, room)| room);
        let entries = rooms.chain(&self.removed).flat_map(|room| room.ring.iter());
        let mut held = entries.map(|entry| entry.frame.footprint()).sum::<usize>();
        for connection in self.connections.iter() {
            held += self.audit_own(connection)?;
        }
        held += self.shared.iter().map(|(_, it)| it.bytes()).sum::<usize>();
        same("bytes held", self.held, held)
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

//! Publishing: one entry, whatever the number of members.

use smallvec::SmallVec;

use super::Log;
use super::connection::Connection;
use super::entry::{Busy, Entry, Kind, Published};
use super::history::Origin;
use super::latest::Latest;
use super::limits::Slow;
use crate::{ConnectionId, Frame};

impl Log {
    /// Returns the number that the next numbered message of a room gets.
    pub(in crate::switchboard) fn next_seq(&self, key: u32) -> u64 {
        self.rooms[key].seq + 1
    }

    /// Publishes a message to a room. Costs one entry and a look at each excluded connection.
    ///
    /// A numbered message spends [`next_seq`](Self::next_seq), also in a room without members.
    pub(in crate::switchboard) fn publish(
        &mut self,
        key: u32,
        frame: Frame,
        kind: Kind,
        excluded: &[u32],
        origin: Origin,
    ) -> Result<Published, Busy> {
        if self.rooms[key].is_full(kind) {
            // What is volatile is of no use later.
            return match kind {
                Kind::Volatile => Ok(self.miss(key, excluded)),
                _ => Err(Busy),
            };
        }
        let published = self.publish_entry(key, frame, kind, excluded, origin);
        self.sweep(key);
        Ok(published)
    }

    /// Publishes a message that has its number already, the room's next one, so that there is no way
    /// to refuse it.
    pub(in crate::switchboard) fn publish_numbered(
        &mut self,
        key: u32,
        frame: Frame,
        excluded: &[u32],
        origin: Origin,
    ) -> Published {
        self.publish_entry(key, frame, Kind::Numbered, excluded, origin)
    }

    /// Publishes what members are to know of a room's epoch or numbers. It is never refused.
    pub(in crate::switchboard) fn publish_told(
        &mut self,
        key: u32,
        frame: Frame,
        kind: Kind,
        excluded: &[u32],
    ) -> Published {
        debug_assert!(matches!(kind, Kind::Moved | Kind::Spent));
        let published = self.publish_entry(key, frame, kind, excluded, Origin::default());
        self.sweep(key);
        published
    }

    /// Appends a message to a room, which is not full.
    pub(super) fn publish_entry(
        &mut self,
        key: u32,
        frame: Frame,
        kind: Kind,
        excluded: &[u32],
        origin: Origin,
    ) -> Published {
        let members = self.rooms[key].members.len();
        self.published += 1;
        self.count(frame.len());
        let stamp = self.published;
        let room = &mut self.rooms[key];
        let seq = room.seq + u64::from(kind.is_numbered());
        room.seq = seq;
        if let Some(latest) = &mut room.latest
            && kind == Kind::Numbered
        {
            latest.forget(seq);
        }
        let is_kept = kind.is_kept() || (room.history.is_some() && kind == Kind::Numbered);
        if members == 0 && !is_kept {
            if room.ring.is_empty() {
                room.base += u64::from(room.sparse.is_none());
                room.popped = seq;
            }
            return Published::default();
        }
        let excluded = self.exclude(key, excluded);
        let full = self.count_full(key, (kind, frame.len()), &excluded);
        let mut published = Published {
            excluded: excluded.len(),
            accepted: members - excluded.len() - full,
            dropped: full,
            ..Published::default()
        };
        if kind == Kind::Volatile {
            let free = self.free_for_volatile(key);
            let room = &self.rooms[key];
            let end = room.end();
            let both = excluded.iter().filter(|&&slot| {
                let index = self.connections[slot as usize].membership(key);
                let index = index.map(|at| self.connections[slot as usize].rooms[at].index);
                index.is_some_and(|index| {
                    room.members[index as usize].cursor < end || room.is_newcomer(index)
                })
            });
            published.dropped = members - free - both.count();
            published.accepted -= published.dropped;
            if free == 0 {
                return published;
            }
            self.rooms[key].volatiles += 1;
            self.rooms[key].leave_holes();
        }
        let frame = match self.rooms[key].context {
            Some(_) if kind == Kind::Numbered => self.put_in_context(key, frame, &excluded),
            _ => frame,
        };
        let bytes = frame.footprint();
        let room = &mut self.rooms[key];
        room.ring.lend_buffer(|| self.spares.pop());
        room.append(Entry::new(frame, kind, seq, stamp, &excluded));
        if kind == Kind::Moved {
            room.moved = room.end() - 1;
        }
        self.held += bytes;
        self.keep(key, (kind == Kind::Numbered).then_some(bytes), origin);
        self.note_appended(key, kind, bytes);
        if members > 0 {
            self.list(key);
        }
        let room = &self.rooms[key];
        let counts = match kind {
            Kind::Volatile => false,
            _ => room.latest.is_none() || Latest::counts(kind),
        };
        match room.rule.slow {
            Slow::DropNewest => self.compact_if_due(key),
            _ if !counts => {}
            // A change of presence makes nobody slow: who is near the limit gets the list later.
            Slow::Disconnect if kind == Kind::Presence => {}
            Slow::Disconnect => {
                published.closed = self.condemn_over(key, &excluded);
                published.accepted -= published.closed;
            }
            Slow::DropOldest if room.latest.is_some() => {
                published.dropped_oldest = self.drop_unkept(key);
                published.closed = self.condemn_over(key, &excluded);
                published.accepted -= published.closed;
            }
            Slow::DropOldest => published.dropped_oldest = self.drop_oldest(key),
            Slow::CatchUp => {
                published.dropped_oldest = self.drop_forgotten(key);
                self.spare_over(key);
            }
        }
        self.weigh_room(key);
        published
    }

    /// Returns what becomes of a volatile message to a room that nobody gets.
    pub(in crate::switchboard) fn miss(&self, key: u32, excluded: &[u32]) -> Published {
        let excluded = self.members_among(key, excluded).len();
        Published {
            excluded,
            dropped: self.rooms[key].members.len() - excluded,
            ..Published::default()
        }
    }

    /// Returns the number of members for which nothing waits in a room.
    fn free_for_volatile(&self, key: u32) -> usize {
        let room = &self.rooms[key];
        let newcomers = room.latest.iter().flat_map(|latest| latest.newcomers());
        let standing = newcomers.filter(|&&slot| {
            let connection = &self.connections[slot as usize];
            let index = connection
                .membership(key)
                .map(|at| connection.rooms[at].index);
            index.is_some_and(|index| room.index_of(index) == room.ring.len())
        });
        room.at_end as usize - standing.count()
    }

    /// Returns whether the latest message of a room waits for a member.
    pub(in crate::switchboard) fn has_latest(&self, id: ConnectionId, key: u32) -> bool {
        let waits = |connection: &Connection| {
            let found = connection.rooms[connection.membership(key)?];
            let room = &self.rooms[key];
            let last = room.ring.len().checked_sub(1)?;
            let member = room.members[found.index as usize];
            let cursor = member.cursor;
            let recovery = self.recovery(id.slot, key);
            Some(
                (room.index_of(found.index)..room.stop_index(&member)).contains(&last)
                    && room.is_for(last, cursor, id.slot, recovery.as_ref()),
            )
        };
        self.connection(id).and_then(waits).unwrap_or(false)
    }

    /// Returns whether nothing more of a kind may be published to a room for now.
    pub(in crate::switchboard) fn is_full(&self, key: u32, kind: Kind) -> bool {
        self.rooms[key].is_full(kind)
    }

    /// Marks the members that do not get the next message; returns their slots, sorted.
    fn exclude(&mut self, key: u32, excluded: &[u32]) -> SmallVec<[u32; 4]> {
        let members = self.members_among(key, excluded);
        for &slot in &members {
            let connection = &self.connections[slot as usize];
            if let Some(at) = connection.membership(key) {
                let index = connection.rooms[at].index;
                self.rooms[key].members[index as usize].special = true;
            }
        }
        members
    }

    /// Returns those of these slots, sorted, whose connections are members of a room.
    fn members_among(&self, key: u32, slots: &[u32]) -> SmallVec<[u32; 4]> {
        let is_member = |slot: u32| {
            let connection = self.connections.get(slot as usize);
            connection.is_some_and(|found| found.membership(key).is_some())
        };
        let members = slots.iter().copied().filter(|&slot| is_member(slot));
        let mut members: SmallVec<_> = members.collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Puts a room on the list of those with something to write, and begins its circle anew.
    pub(super) fn list(&mut self, key: u32) {
        let totals = self.totals;
        let room = &mut self.rooms[key];
        room.left = room.members.len() as u32;
        if room.listed {
            let messages = totals.messages - room.since.messages;
            let bytes = totals.bytes - room.since.bytes;
            if !room.congested && (messages > room.rule.messages / 4 || bytes > room.rule.bytes / 4)
            {
                room.congested = true;
                self.congested += 1;
            }
        } else {
            room.listed = true;
            room.since = totals;
            room.lap = room.left;
            let serial = room.serial;
            self.pending.push_back((key, serial));
        }
    }
}

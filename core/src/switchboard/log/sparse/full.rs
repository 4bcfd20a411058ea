//! Members for which a message does not fit, and the log that is compacted for them.

use super::super::Log;
use super::super::entry::Kind;
use super::super::limits::Slow;
use super::super::room::{Member, Room};
use super::{LEAST, Sparse};

impl Room {
    /// Gives each entry a position of its own, so that those between may go.
    pub(in super::super) fn leave_holes(&mut self) {
        if self.sparse.is_some() {
            return;
        }
        let mut sparse = Sparse {
            end: self.base,
            ..Sparse::new()
        };
        for entry in self.ring.iter() {
            sparse.appended(!entry.is_volatile());
            sparse.dead += usize::from(entry.is_dead());
        }
        self.sparse = Some(Box::new(sparse));
    }

    /// Lets the positions of an empty log follow from its base again, where nothing needs more.
    pub(in super::super) fn close_holes(&mut self) {
        if self.sparse.is_some() && self.latest.is_none() && self.rule.slow != Slow::DropNewest {
            self.base = self.end();
            self.sparse = None;
        }
    }

    /// Returns where a full member is to stop.
    pub(in super::super) fn stop_of(&self, member: &Member) -> Option<u64> {
        let sparse = self.sparse.as_ref().filter(|it| it.full > 0)?;
        if let Some(&stop) = sparse.draining.get(&member.slot) {
            return Some(stop);
        }
        (member.cursor < self.over).then(|| sparse.places[self.locate(member.cursor)].stop)
    }

    /// Returns the index of the first entry that is not for a member, because it is full.
    pub(in super::super) fn stop_index(&self, member: &Member) -> usize {
        match self.stop_of(member) {
            Some(stop) => self.locate(stop),
            None => self.ring.len(),
        }
    }

    /// Moves a full member from one index to another, or from its log. One that has taken all that
    /// it had goes to the end and is not full any more. Returns the index to which it goes, and
    /// where it had to stop if it is not full any more.
    pub(in super::super) fn drain(
        &mut self,
        member: &Member,
        to: Option<usize>,
    ) -> (usize, Option<u64>) {
        let end = self.ring.len();
        let to_index = to.unwrap_or(end);
        let Some(stop) = self.stop_of(member) else {
            return (to_index, None);
        };
        let from = self.locate(member.cursor);
        let ends = to.is_none_or(|to| to >= self.locate(stop));
        let sparse = self.sparse.as_mut().expect("somebody is full");
        if sparse.draining.remove(&member.slot).is_some() {
            sparse.places[from].draining -= 1;
        }
        if ends {
            sparse.full -= 1;
            *sparse.stops_at(stop) -= 1;
            (end, Some(stop))
        } else {
            sparse.draining.insert(member.slot, stop);
            sparse.places[to_index].draining += 1;
            (to_index, None)
        }
    }

    /// Makes those full for whom a message of so many bytes does not fit. Each position is looked
    /// at once.
    fn fill(&mut self, bytes: u64) {
        loop {
            let index = self.locate(self.over).max(self.passed);
            let Some(entry) = self.ring.get(index) else {
                break;
            };
            let (waiting, lag) = self.lag(index);
            if waiting < self.rule.messages && lag + bytes <= self.rule.bytes {
                break;
            }
            let Some(sparse) = &mut self.sparse else {
                break;
            };
            let end = sparse.end;
            let place = &mut sparse.places[index];
            place.stop = end;
            let full = entry.cursors - place.draining;
            self.over = place.position + 1;
            sparse.full += full;
            sparse.stop_at_end += full;
        }
    }

    /// Removes the entries that are for no member any more and are no history; returns the bytes
    /// freed.
    fn compact(&mut self) -> usize {
        let Some(sparse) = &mut self.sparse else {
            return 0;
        };
        let kept_from = self.history.as_ref().map_or(usize::MAX, |it| it.first());
        let (entries, places) = (
            std::mem::take(&mut self.ring),
            std::mem::take(&mut sparse.places),
        );
        let (mut due, mut stops, mut freed) = (0, 0, 0);
        let mut removed = Vec::new();
        let mut entries = entries.into_iter().zip(places).enumerate().peekable();
        while let Some((index, (mut entry, mut place))) = entries.next() {
            let next = entries.peek().map(|(_, (next, _))| next.start);
            due = due + entry.cursors - place.stops;
            place.stops += stops;
            stops = 0;
            let is_nothing = entry.is_dead() && entry.is_volatile() && entry.cursors == 0;
            if is_nothing || (due == 0 && index < kept_from) {
                stops = place.stops;
                freed += entry.frame.footprint();
                self.volatiles -= u32::from(entry.is_volatile());
                removed.push(index);
            } else {
                // Its size for now, also if its frame has been released.
                entry.start = next.unwrap_or(self.bytes) - entry.start;
                self.ring.push_back(entry);
                sparse.places.push_back(place);
            }
        }
        sparse.stop_at_end += stops;
        self.base = sparse.position(0);
        if let Some(history) = &mut self.history {
            history.removed(&removed);
        }
        let passed = self.ring.iter().take_while(|it| it.cursors == 0);
        (self.passed, self.idle) = passed.fold((0, 0), |(count, bytes), entry| {
            (count + 1, bytes + entry.frame.footprint())
        });
        sparse.dead = self.ring.iter().filter(|entry| entry.is_dead()).count();
        let (mut start, mut before) = (self.bytes, sparse.counted);
        for index in (0..self.ring.len()).rev() {
            let entry = &mut self.ring[index];
            start -= entry.start;
            entry.start = start;
            before -= u64::from(!entry.is_volatile());
            sparse.places[index].before = before;
        }
        sparse.compact_above = (
            2 * self.ring.len() + LEAST.0,
            2 * (self.bytes - start) + LEAST.1,
        );
        freed
    }
}

impl Log {
    /// Makes those full for whom a message does not fit; returns how many members are full that are
    /// not in `excluded`.
    pub(in super::super) fn count_full(
        &mut self,
        key: u32,
        (kind, bytes): (Kind, usize),
        excluded: &[u32],
    ) -> usize {
        let room = &mut self.rooms[key];
        if room.rule.slow != Slow::DropNewest || kind == Kind::Volatile {
            return 0;
        }
        room.fill(bytes as u64);
        let end = room.end();
        let full = room.sparse.as_ref().map_or(0, |it| it.full) as usize;
        if full > 0 && kind == Kind::Presence {
            room.lost_presence = end + 1;
        }
        if full > 0 && kind == Kind::Moved {
            room.lost_move = end + 1;
        }
        let room = &self.rooms[key];
        let both = excluded.iter().filter(|&&slot| {
            let connection = &self.connections[slot as usize];
            let at = connection.membership(key);
            let member = at.map(|at| room.members[connection.rooms[at].index as usize]);
            member.is_some_and(|member| room.stop_of(&member).is_some())
        });
        full - both.count()
    }

    /// Compacts the log of a room if at least about half of it is for nobody.
    pub(in super::super) fn compact_if_due(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        let Some(sparse) = &room.sparse else {
            return;
        };
        let bytes = room.ring.front().map_or(0, |it| room.bytes - it.start);
        let (most, most_bytes) = sparse.compact_above;
        if room.ring.len() > most || bytes > most_bytes {
            let idle = room.idle;
            self.held -= room.compact();
            self.note_idle(key, idle);
            self.settle(key);
        }
    }
}

#[cfg(test)]
impl Room {
    /// Panics unless the counts of full members are what a recount finds.
    pub(in super::super) fn check_sparse(&self) {
        let Some(sparse) = &self.sparse else {
            return;
        };
        assert_eq!(sparse.places.len(), self.ring.len());
        let dead = self.ring.iter().filter(|entry| entry.is_dead());
        assert_eq!(sparse.dead, dead.count(), "dead entries");
        assert_eq!(self.base, sparse.position(0));
        let mut full = 0;
        let mut stops = vec![0; self.ring.len() + 1];
        let mut draining = vec![0; self.ring.len()];
        for member in self.members.iter() {
            let Some(stop) = self.stop_of(member) else {
                continue;
            };
            assert!(member.cursor < stop, "it has taken all that it had");
            full += 1;
            stops[self.locate(stop)] += 1;
            if sparse.draining.contains_key(&member.slot) {
                draining[self.locate(member.cursor)] += 1;
            }
        }
        assert_eq!(sparse.full, full, "full members");
        for (at, place) in sparse.places.iter().enumerate() {
            let found = (place.stops, place.draining);
            assert_eq!(found, (stops[at], draining[at]), "at {at}");
        }
        assert_eq!(sparse.stop_at_end, stops[self.ring.len()]);
        let above = sparse.compact_above;
        let compact = self.ring.len() <= above.0 + 1;
        let is_swept = self.rule.slow != Slow::DropNewest;
        assert!(compact || is_swept, "it is compacted");
        for at in (self.passed..self.ring.len()).filter(|_| self.latest.is_none()) {
            let rest = self.ring.iter().skip(at);
            let counted = rest.filter(|entry| !entry.is_volatile()).count() as u64;
            assert_eq!(sparse.counted_from(at), counted, "lag from {at}");
        }
    }
}

//! Publishing to rooms that keep the latest value of each key.

use super::Log;
use super::entry::{Kind, Published};
use super::history::{OVERHEAD, Origin};
use super::latest::{Kept, Latest, NotKept};
use super::room::Room;
use crate::Frame;

impl Log {
    /// Publishes the value of a key, or its removal, to a room that keeps the latest ones. Costs a
    /// search for the key, one entry, and a look at a few others.
    ///
    /// # Errors
    ///
    /// [`NotKept`]; nothing was published then. A removal is refused only if the room is busy.
    pub(in crate::switchboard) fn publish_key(
        &mut self,
        key: u32,
        name: &str,
        frame: Frame,
        kind: Kind,
        (excluded, origin): (&[u32], Origin),
    ) -> Result<Published, NotKept> {
        let cost = cost_of(name, &frame);
        self.check_keeps(key, name, kind, cost)?;
        Ok(self.publish_numbered_key(key, name, frame, kind, (excluded, origin)))
    }

    /// Publishes the value of a key, or its removal, that has its number already, the room's next one, so
    /// that there is no way to refuse it.
    pub(in crate::switchboard) fn publish_numbered_key(
        &mut self,
        key: u32,
        name: &str,
        frame: Frame,
        kind: Kind,
        (excluded, origin): (&[u32], Origin),
    ) -> Published {
        debug_assert!(kind.is_kept());
        let cost = cost_of(name, &frame);
        let kept = Kept {
            position: self.rooms[key].end(),
            cost,
            removal: kind == Kind::Removal,
        };
        self.with_latest(key, |room, latest| {
            let before = latest.take(name);
            latest.put(name, kept);
            let position = before?.position;
            let index = room.locate(position);
            let entry = &mut room.ring[index];
            entry.overwrite();
            latest.overwrite(entry.seq().unwrap_or(0));
            let saves = index >= room.passed && latest.saves(position);
            let too_much = latest.saves_too_much().map(|at| room.locate(at));
            if saves { too_much } else { Some(index) }
        });
        let published = self.publish_entry(key, frame, kind, excluded, Origin::default());
        let room = &mut self.rooms[key];
        let last = room.ring.len() - 1;
        if let Some(sparse) = &mut room.sparse
            && !origin.is_nobody()
        {
            sparse.note_origin(last, Some(Box::new(origin)));
        }
        self.settle(key);
        self.forget_removals(key);
        self.bound_histories();
        self.sweep(key);
        published
    }

    /// Checks whether a key may have a value in a room.
    ///
    /// # Errors
    ///
    /// [`NotKept::TooManyKeys`].
    pub(in crate::switchboard) fn has_place(&self, key: u32, name: &str) -> Result<(), NotKept> {
        let latest = self.rooms[key].latest.as_ref();
        latest.map_or(Ok(()), |latest| latest.has_place(name))
    }

    /// Returns the values that a room keeps by key, in the order of their numbers, and whom each is not
    /// for.
    pub(in crate::switchboard) fn values(
        &self,
        key: u32,
    ) -> impl Iterator<Item = (u64, &Frame, &[u64])> {
        let room = &self.rooms[key];
        let entries = room.ring.iter().enumerate();
        let values = entries.filter(|(_, entry)| entry.stays() && !entry.is_removal());
        values.filter_map(|(index, entry)| {
            let sparse = room.sparse.as_ref();
            let origin = sparse.and_then(|sparse| sparse.origin(index));
            let not_for = origin.and_then(|origin| origin.not_for.as_deref());
            Some((entry.seq()?, &entry.frame, not_for.map_or(&[][..], |it| it)))
        })
    }

    /// Forgets all that a room keeps by key. Members do not get what they have not got of it.
    pub(in crate::switchboard) fn clear_values(&mut self, key: u32) {
        let latest = self.rooms[key].latest.as_ref();
        let names = latest.map(|latest| latest.names());
        for name in names.unwrap_or_default() {
            self.with_latest(key, |room, latest| {
                let kept = latest.take(&name)?;
                Some(room.locate(kept.position))
            });
        }
        self.settle(key);
    }

    /// Notes that of what a room kept up to a number, nothing is known but its present values.
    pub(in crate::switchboard) fn begin_values(&mut self, key: u32, seq: u64) {
        if let Some(latest) = &mut self.rooms[key].latest {
            latest.begin(seq);
        }
    }

    /// Notes that what had numbers up to this one may be missing.
    pub(in crate::switchboard) fn forget_values_until(&mut self, key: u32, seq: u64) {
        if let Some(latest) = &mut self.rooms[key].latest {
            latest.forget(seq);
        }
    }

    /// Returns whether a room keeps the latest value of each key.
    pub(in crate::switchboard) fn keeps_latest(&self, key: u32) -> bool {
        self.rooms[key].latest.is_some()
    }

    /// Returns the number of values and removals that are kept by key, and the bytes that they take.
    pub(in crate::switchboard) const fn kept_by_key(&self) -> (usize, usize) {
        self.latest
    }

    fn check_keeps(&self, key: u32, name: &str, kind: Kind, cost: usize) -> Result<(), NotKept> {
        let room = &self.rooms[key];
        let Some(latest) = &room.latest else {
            return Err(NotKept::TooManyKeys(0));
        };
        if room.is_full(kind) {
            return Err(NotKept::Busy);
        }
        if kind == Kind::Removal {
            return Ok(());
        }
        latest.has_place(name)?;
        let (before, most) = (latest.cost(name), self.limits.history_bytes);
        if cost > before && self.latest.1 - before + cost > most {
            return Err(NotKept::TooManyBytes(most));
        }
        Ok(())
    }

    /// Applies a change to what a room keeps by key. The entry at the index that it returns is for
    /// nobody any more.
    fn with_latest(
        &mut self,
        key: u32,
        change: impl FnOnce(&mut Room, &mut Latest) -> Option<usize>,
    ) {
        let room = &mut self.rooms[key];
        let Some(mut latest) = room.latest.take() else {
            return;
        };
        let before = (latest.len(), latest.bytes());
        let dead = change(room, &mut latest);
        self.latest.0 = self.latest.0 + latest.len() - before.0;
        self.latest.1 = self.latest.1 + latest.bytes() - before.1;
        room.latest = Some(latest);
        if let Some(index) = dead {
            let idle = room.idle;
            self.held -= room.kill(index);
            self.idle -= idle - room.idle;
            if let Some(sparse) = &mut room.sparse {
                sparse.note_origin(index, None);
            }
        }
    }

    /// Forgets the oldest removals that no member is to get any more, as far as there are more than
    /// may be.
    fn forget_removals(&mut self, key: u32) {
        loop {
            let room = &self.rooms[key];
            let passed = room.position(room.passed);
            let Some(latest) = &room.latest else {
                return;
            };
            let Some(name) = latest.removal_to_forget(passed) else {
                return;
            };
            self.with_latest(key, |room, latest| {
                let kept = latest.take(&name)?;
                let index = room.locate(kept.position);
                latest.forget(room.ring[index].seq().unwrap_or(0));
                Some(index)
            });
            self.settle(key);
        }
    }

    /// Notes an entry that was appended to a room that keeps the latest value of each key.
    pub(super) fn note_appended(&mut self, key: u32, kind: Kind, bytes: usize) {
        let room = &mut self.rooms[key];
        let end = room.end();
        let Some(latest) = &mut room.latest else {
            return;
        };
        let position = end - 1;
        if Latest::counts(kind) {
            latest.count(position, kind == Kind::Removal, bytes);
        }
        if kind == Kind::Moved
            && let Some(before) = latest.note_move(position)
        {
            // Whoever has not got it is told the epoch after that.
            let index = room.locate(before);
            let entry = &room.ring[index];
            if room.position(index) == before && entry.is_moved() && !entry.is_dead() {
                self.held -= room.kill(index);
            }
            return;
        }
        if kind == Kind::Presence
            && let Some(before) = latest.note_presence(position)
        {
            // Whoever has not got it is due the list, so one is enough.
            let index = room.locate(before);
            let entry = &room.ring[index];
            if room.position(index) == before && entry.is_presence() && !entry.is_dead() {
                room.lost_presence = before + 1;
                self.held -= room.kill(index);
            }
        }
    }

    /// Drops the oldest messages without a key until no member's lag is over the limit. Returns how
    /// many were lost, counted for each member.
    pub(super) fn drop_unkept(&mut self, key: u32) -> usize {
        let mut lost = 0;
        loop {
            let room = &self.rooms[key];
            if !room.is_over(room.passed, 1) {
                return lost;
            }
            // The latest message stays: whoever is behind has something to get.
            let newest = room.end() - 1;
            let oldest = room.latest.as_ref().and_then(|it| it.oldest_unkept(newest));
            let Some(position) = oldest else {
                return lost;
            };
            let index = room.locate(position);
            let flies = |at: usize| room.ring[at].flight > 0;
            if (room.passed..=index).any(flies) {
                return lost;
            }
            lost += self.count_due(key, index);
            let room = &mut self.rooms[key];
            self.held -= room.kill(index);
            if let Some(latest) = &mut room.latest {
                latest.uncount(position);
            }
        }
    }

    /// Returns the number of members that are still to get a message without a key.
    fn count_due(&self, key: u32, index: usize) -> usize {
        let room = &self.rooms[key];
        let position = room.position(index);
        let stand = (room.passed..=index).map(|at| room.ring[at].cursors);
        let mut due = stand.sum::<u32>() as usize;
        let is_before = |slot: u32| {
            let connection = &self.connections[slot as usize];
            let found = connection.membership(key).map(|at| connection.rooms[at]);
            found.is_some_and(|found| room.index_of(found.index) <= index)
        };
        let came_later = |slot: u32| {
            let recovery = self.recovery(slot, key);
            recovery.is_some_and(|it| position < it.until)
        };
        for &slot in room.ring[index].excluded() {
            due -= usize::from(is_before(slot) && !came_later(slot));
        }
        let recovering = self
            .recoveries
            .iter()
            .filter(|&(&(_, room), _)| room == key);
        for (&(slot, _), recovery) in recovering {
            due -= usize::from(position < recovery.until && is_before(slot));
        }
        due
    }
}

/// Returns the bytes that a value or a removal takes.
fn cost_of(name: &str, frame: &Frame) -> usize {
    frame.footprint() + OVERHEAD + name.len()
}

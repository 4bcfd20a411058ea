//! Rooms that keep the latest value of each key.
//!
//! ```text
//!   ring [ a1+ b2  a3+ c4  b-5 a6 ]    + dead: overwritten    - a removal
//!              ▲ a newcomer gets b2 no more, but c4 and a6; who comes back from 3, b-5 as well
//! ```
//! Values and removals stay in the log when all members have passed them, until their keys have
//! others. What is overwritten dies where it stands, whoever has not got it. When more is dead than
//! alive, the log is swept, a few entries with each message: members that stand at what goes move on
//! to what comes next.
//!
//! A key that changes all the time would always be behind all others. So when a member that reads is
//! blocked again and again, what is the latest then is saved for it, even if it is overwritten: it gets
//! each key at least once while it reads as much as all keys take. As many values are saved as there
//! may be keys.
//!
//! Values do not make a member slow, as there is one for each key. What cannot be overwritten counts:
//! removals, and messages without a key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod check;
mod present;

use super::entry::Kind;
use super::limits::KeepLatest;
use crate::switchboard::chunks::Chunks;

/// Why a value was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum NotKept {
    /// The room's log is at twice its limit, because nobody had a turn to read.
    Busy,
    /// So many keys have a value, and this would be another one.
    TooManyKeys(usize),
    /// So many bytes may be kept over all rooms, and this would be more.
    TooManyBytes(usize),
}

/// What a room keeps by key.
#[derive(Debug)]
pub(super) struct Latest {
    keep: KeepLatest,
    keys: BTreeMap<Arc<str>, Kept>,
    /// Keys that have a value.
    values: usize,
    bytes: usize,
    /// The removals among them, the oldest first.
    removals: VecDeque<(u64, Arc<str>)>,
    /// What counts for the lag of members, the oldest first.
    counted: VecDeque<Counted>,
    /// Bytes of all messages so far that count.
    counted_bytes: u64,
    /// What was published before this position is saved for those who have not got it.
    save_before: u64,
    /// The positions of what is overwritten and saved.
    saved: BTreeSet<u64>,
    /// Members that were blocked, and have not got everything since.
    slow: BTreeSet<u32>,
    /// The latest change of presence.
    presence: Option<u64>,
    /// What tells of the latest epoch.
    moved: Option<u64>,
    /// The last number of what is not kept any more, though nothing has overwritten it.
    forgotten: u64,
    /// The last number that was overwritten.
    overwritten: u64,
    /// For each member, the position after what a writer has taken.
    taken_to: Chunks<u64>,
    /// Members that have not got all present values.
    newcomers: BTreeSet<u32>,
}

/// A value or a removal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) position: u64,
    /// The bytes that it takes.
    pub(super) cost: usize,
    pub(super) removal: bool,
}

/// A message that cannot be overwritten, or a removal.
#[derive(Clone, Copy, Debug)]
struct Counted {
    position: u64,
    /// Bytes before it. The difference to those of all messages is what counts from here on.
    start: u64,
    removal: bool,
}

impl Latest {
    pub(super) fn new(keep: KeepLatest) -> Self {
        Self {
            keep,
            keys: BTreeMap::new(),
            values: 0,
            bytes: 0,
            removals: VecDeque::new(),
            counted: VecDeque::new(),
            counted_bytes: 0,
            save_before: 0,
            saved: BTreeSet::new(),
            slow: BTreeSet::new(),
            presence: None,
            moved: None,
            forgotten: 0,
            overwritten: 0,
            taken_to: Chunks::default(),
            newcomers: BTreeSet::new(),
        }
    }

    /// Returns how long it is kept without members.
    pub(super) const fn linger(&self) -> Duration {
        self.keep.linger
    }

    /// Returns the number of values and removals.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns the bytes that these take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number from which on nothing is missing but what was overwritten.
    pub(super) const fn first(&self) -> u64 {
        self.forgotten + 1
    }

    /// Notes that a message is not kept.
    pub(super) fn forget(&mut self, seq: u64) {
        self.forgotten = self.forgotten.max(seq);
    }

    /// Notes that what was kept up to a number is not known, but for the values that there are.
    pub(super) fn begin(&mut self, seq: u64) {
        (self.forgotten, self.overwritten) = (seq, seq);
    }

    /// Returns the keys for which something is kept.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.keys.keys().cloned().collect()
    }

    /// Returns the last number that was overwritten.
    pub(super) const fn overwritten(&self) -> u64 {
        self.overwritten
    }

    /// Returns whether a member that has not got a message lags behind for it.
    pub(super) const fn counts(kind: Kind) -> bool {
        matches!(kind, Kind::Numbered | Kind::Raw | Kind::Removal)
    }

    /// Returns the messages that count from a position on, and their bytes.
    pub(super) fn lag(&self, position: u64) -> (u64, u64) {
        let at = self.counted.partition_point(|it| it.position < position);
        let bytes = self.counted.get(at);
        let bytes = bytes.map_or(0, |it| self.counted_bytes - it.start);
        ((self.counted.len() - at) as u64, bytes)
    }

    /// Returns the removals from a position on.
    pub(super) fn removals_from(&self, position: u64) -> u64 {
        let at = self.removals.partition_point(|&(it, _)| it < position);
        (self.removals.len() - at) as u64
    }

    /// Notes that all members have passed what is before a position.
    pub(super) fn passed(&mut self, position: u64) {
        while self
            .counted
            .front()
            .is_some_and(|it| it.position < position)
        {
            self.counted.pop_front();
        }
        while self.saved.first().is_some_and(|&saved| saved < position) {
            self.saved.pop_first();
        }
    }

    /// Notes that a member at a position is blocked. If it was before, and has not got everything
    /// since, what was published before `end` is saved for it, unless something is saved already.
    pub(super) fn blocked(&mut self, slot: u32, position: u64, end: u64) {
        if position < end && !self.slow.insert(slot) && position >= self.save_before {
            self.save_before = end;
        }
    }

    /// Notes that a member has got everything.
    pub(super) fn up_to_date(&mut self, slot: u32) {
        self.slow.remove(&slot);
    }

    /// Decides whether what is overwritten at a position is saved.
    pub(super) fn saves(&mut self, position: u64) -> bool {
        position < self.save_before && self.saved.insert(position)
    }

    /// Returns the position of what is to be saved no longer, if more is saved than may be.
    pub(super) fn saves_too_much(&mut self) -> Option<u64> {
        let over = self.saved.len() > self.keep.keys;
        over.then(|| self.saved.pop_first()).flatten()
    }

    /// Returns the members that have not got all present values.
    pub(super) const fn newcomers(&self) -> &BTreeSet<u32> {
        &self.newcomers
    }

    pub(super) fn joined(&mut self, slot: u32, is_newcomer: bool) {
        self.taken_to.push(0);
        if is_newcomer {
            self.newcomers.insert(slot);
        }
    }

    /// Notes that a member has got all values that were present when it joined.
    pub(super) fn settled(&mut self, slot: u32) {
        self.newcomers.remove(&slot);
    }

    /// Notes that a member has left, and that the last one has its place.
    pub(super) fn left(&mut self, slot: u32, member: u32) {
        self.newcomers.remove(&slot);
        self.slow.remove(&slot);
        self.taken_to.swap_remove(member as usize);
    }

    /// Notes up to which position a writer has taken what is for a member.
    pub(super) fn take_to(&mut self, member: u32, position: u64) {
        self.taken_to[member as usize] = position;
    }

    pub(super) fn taken_to(&self, member: u32) -> u64 {
        self.taken_to[member as usize]
    }

    /// Notes a message that counts for the lag of members.
    pub(super) fn count(&mut self, position: u64, removal: bool, bytes: usize) {
        self.counted.push_back(Counted {
            position,
            start: self.counted_bytes,
            removal,
        });
        // A removal may be overwritten, and the others count as before.
        self.counted_bytes += if removal { 0 } else { bytes as u64 };
    }

    /// Returns the position of the oldest message without a key that counts and is before a position.
    pub(super) fn oldest_unkept(&self, before: u64) -> Option<u64> {
        let older = self.counted.iter().filter(|it| !it.removal);
        older.map(|it| it.position).next().filter(|&at| at < before)
    }

    /// Returns the key of the oldest removal, if there are more than are kept and it is before a
    /// position.
    pub(super) fn removal_to_forget(&self, before: u64) -> Option<Arc<str>> {
        let (position, name) = self.removals.front()?;
        let over = self.removals.len() > self.keep.keys;
        (over && *position < before).then(|| name.clone())
    }

    /// Notes the latest change of presence. Returns where the one before stands.
    pub(super) fn note_presence(&mut self, position: u64) -> Option<u64> {
        self.presence.replace(position)
    }

    /// Notes what tells of the latest epoch. Returns where the one before stands.
    pub(super) fn note_move(&mut self, position: u64) -> Option<u64> {
        self.moved.replace(position)
    }

    /// Notes that a number was overwritten.
    pub(super) fn overwrite(&mut self, seq: u64) {
        self.overwritten = self.overwritten.max(seq);
    }

    /// Removes what counts at a position.
    pub(super) fn uncount(&mut self, position: u64) {
        let found = self
            .counted
            .binary_search_by_key(&position, |it| it.position);
        if let Ok(at) = found
            && let Some(gone) = self.counted.remove(at)
            && !gone.removal
        {
            // It was the oldest message without a key, so that only removals are before it.
            let next = self.counted.get(at);
            let start = next.map_or(self.counted_bytes, |it| it.start);
            for removal in self.counted.range_mut(..at) {
                removal.start = start;
            }
        }
    }

    /// Checks whether a key may have a value.
    pub(super) fn has_place(&self, name: &str) -> Result<(), NotKept> {
        let has_value = self.keys.get(name).is_some_and(|kept| !kept.removal);
        if has_value || self.values < self.keep.keys {
            Ok(())
        } else {
            Err(NotKept::TooManyKeys(self.keep.keys))
        }
    }

    /// Returns the bytes that what is kept for a key takes.
    pub(super) fn cost(&self, name: &str) -> usize {
        self.keys.get(name).map_or(0, |kept| kept.cost)
    }

    /// Forgets what is kept for a key. Returns where it stands.
    pub(super) fn take(&mut self, name: &str) -> Option<Kept> {
        let kept = self.keys.remove(name)?;
        self.bytes -= kept.cost;
        self.values -= usize::from(!kept.removal);
        if kept.removal {
            let found = self
                .removals
                .binary_search_by_key(&kept.position, |&(position, _)| position);
            if let Ok(at) = found {
                self.removals.remove(at);
            }
            self.uncount(kept.position);
        }
        Some(kept)
    }

    /// Frees any key, because the room was removed. Returns whether there was one.
    pub(super) fn free_one(&mut self) -> bool {
        self.keys.pop_first().is_some()
            || self.removals.pop_front().is_some()
            || self.saved.pop_first().is_some()
    }

    /// Keeps a value or a removal for a key, for which nothing is kept.
    pub(super) fn put(&mut self, name: &str, kept: Kept) {
        let name: Arc<str> = name.into();
        self.bytes += kept.cost;
        self.values += usize::from(!kept.removal);
        if kept.removal {
            self.removals.push_back((kept.position, name.clone()));
        }
        self.keys.insert(name, kept);
    }
}

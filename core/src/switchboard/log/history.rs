//! What a room keeps of its numbered messages after all its members have passed them.
//!
//! ```text
//!   ring  [ e  e │ e  e  e  e  e  e ]
//!          outside ▲ history          what leaves a bound goes from the old end
//! ```
//! So the history is always a contiguous suffix of the room's numbers.

use std::collections::BTreeSet;

use super::Log;
use super::limits::{Keep, Slow};
use super::ring::Ring;
use super::room::Room;
use crate::Time;

/// Bytes that an entry takes beside its frame.
pub(super) const OVERHEAD: usize = 112;
/// Rooms that are looked at for the one to give something up.
const LOOKS: usize = 64;

/// Who published a message and who was not to get it, for those who recover it later. Sessions,
/// users and requests are keyed hashes; 0 is none.
#[derive(Clone, Debug, Default)]
pub(in crate::switchboard) struct Origin {
    /// The session of a sender that does not get its own message.
    pub(in crate::switchboard) session: u64,
    /// The session and the request.
    pub(in crate::switchboard) request: u64,
    /// Sessions and users that were excluded.
    pub(in crate::switchboard) not_for: Option<Box<[u64]>>,
}

impl Origin {
    /// Returns whether it names nobody and nothing.
    pub(super) const fn is_nobody(&self) -> bool {
        self.session == 0 && self.request == 0 && self.not_for.is_none()
    }
}

/// What the history notes of an entry of the log.
#[derive(Debug)]
pub(super) struct Note {
    at: Time,
    /// 0 for an entry without a number, which is no history.
    cost: usize,
    pub(super) origin: Origin,
}

/// The history of a room: a note for each entry of its log.
#[derive(Debug)]
pub(super) struct History {
    pub(super) keep: Keep,
    notes: Ring<Note>,
    /// Leading entries of the log that are no history any more.
    outside: usize,
    messages: usize,
    bytes: usize,
}

impl History {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            keep,
            notes: Ring::default(),
            outside: 0,
            messages: 0,
            bytes: 0,
        }
    }

    /// Returns whether the front of the log is history.
    pub(super) const fn keeps_front(&self) -> bool {
        self.outside == 0
    }

    /// Returns the index in the log at which the history begins.
    pub(super) const fn first(&self) -> usize {
        self.outside
    }

    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn note(&self, index: usize) -> &Note {
        &self.notes[index]
    }

    /// Notes that an entry was appended; returns whether it is too large to be kept.
    pub(super) fn appended(&mut self, now: Time, frame: Option<usize>, origin: Origin) {
        let cost = frame.map_or(0, |bytes| bytes + OVERHEAD);
        self.notes.push_back(Note {
            at: now,
            cost,
            origin,
        });
        self.messages += usize::from(cost > 0);
        self.bytes += cost;
        while self.messages > self.keep.messages || self.bytes > self.keep.bytes {
            self.evict();
        }
    }

    /// Notes that the front of the log has gone.
    pub(super) fn popped(&mut self) {
        if self.outside == 0 {
            self.evict();
        }
        self.notes.pop_front();
        self.outside = self.outside.saturating_sub(1);
    }

    /// Notes that entries have gone from before the history, or that have no number; `indices` are in
    /// order.
    pub(super) fn removed(&mut self, indices: &[usize]) {
        let mut gone = indices.iter().peekable();
        for (index, note) in std::mem::take(&mut self.notes).into_iter().enumerate() {
            if gone.next_if_eq(&&index).is_none() {
                self.notes.push_back(note);
            }
        }
        self.outside -= indices.partition_point(|&index| index < self.outside);
    }

    /// Begins to look at all notes, as the log does at its entries.
    pub(super) fn begin_sweep(&mut self) {
        self.notes.begin_sweep();
    }

    /// Goes on with that. What does not stay is before the history, or has no number.
    pub(super) fn sweep(&mut self, stays: bool) {
        let index = self.notes.swept();
        if self.notes.sweep(stays).is_some() && index < self.outside {
            self.outside -= 1;
        }
    }

    /// Gives up the oldest entry.
    pub(super) fn evict(&mut self) {
        if let Some(note) = self.notes.get(self.outside) {
            self.messages -= usize::from(note.cost > 0);
            self.bytes -= note.cost;
            self.outside += 1;
        }
    }

    /// Gives up what is too old.
    pub(super) fn age(&mut self, now: Time) {
        while self.expiry().is_some_and(|at| at <= now) {
            self.evict();
        }
    }

    /// Returns when the oldest entry is too old.
    pub(super) fn expiry(&self) -> Option<Time> {
        let note = self.notes.get(self.outside)?;
        Some(note.at + self.keep.age)
    }
}

impl Room {
    /// Returns when its history is to be looked at. What it was armed for may have gone since.
    fn due(&self) -> Option<Time> {
        self.history.as_ref()?.expiry()
    }

    fn reaches_too_far(&self) -> bool {
        let history = self.history.as_ref();
        self.rule.slow != Slow::CatchUp
            && history.is_some_and(|history| self.is_over(history.first(), 1))
    }
}

impl Log {
    /// Applies a change to the history of a room, and frees what it gave up.
    pub(super) fn with_history(&mut self, key: u32, change: impl FnOnce(&mut History)) {
        let Some(history) = &mut self.rooms[key].history else {
            return;
        };
        let before = (history.messages, history.bytes);
        change(history);
        let after = (history.messages, history.bytes);
        self.kept.0 = self.kept.0 + after.0 - before.0;
        self.kept.1 = self.kept.1 + after.1 - before.1;
        self.settle(key);
    }

    /// Notes an entry that was appended to a room, with the size of its frame if it has a number.
    ///
    /// The history never reaches back further than a member may lag, so that whoever recovers is
    /// not slow from the beginning; but with the rule `CatchUp` nobody is slow for that.
    pub(super) fn keep(&mut self, key: u32, bytes: Option<usize>, origin: Origin) {
        let now = self.now;
        self.with_history(key, |history| history.appended(now, bytes, origin));
        if self.rooms[key].history.is_some() {
            while self.rooms[key].reaches_too_far() {
                self.with_history(key, History::evict);
            }
            self.arm_expiry(key);
            self.bound_histories();
        }
        if self.rooms[key].members.is_empty() {
            self.linger(key);
        }
    }

    /// Makes the numbers of a room go on after `seq`, whatever they were. What it kept is kept no
    /// more, but members get what they have not got of it.
    pub(in crate::switchboard) fn renumber(&mut self, key: u32, seq: u64) {
        self.with_history(key, |history| {
            while history.expiry().is_some() {
                history.evict();
            }
        });
        let room = &mut self.rooms[key];
        room.seq = seq;
        if room.ring.is_empty() {
            room.popped = seq;
        }
    }

    /// Returns the numbers of what a room still has for those who come back: the first, and the
    /// last one used. Without anything kept, the first is the next number.
    ///
    /// Where the latest value of each key is kept, it is the number from which on nothing is missing
    /// but what was overwritten.
    pub(in crate::switchboard) fn range(&mut self, key: u32) -> (u64, u64) {
        let now = self.now;
        self.with_history(key, |history| history.age(now));
        let room = &self.rooms[key];
        if let Some(latest) = &room.latest {
            return (latest.first(), room.seq);
        }
        let kept = room.history.as_ref().map_or(0, |it| it.messages()) as u64;
        (room.seq - kept + 1, room.seq)
    }

    /// Returns the bytes of memory of frames that wait for somebody, and are not only history.
    pub(in crate::switchboard) const fn waiting_bytes(&self) -> usize {
        self.held - self.idle
    }

    /// Notes that the bytes that all members of a room have passed were `before`.
    pub(super) fn note_idle(&mut self, key: u32, before: usize) {
        self.idle = self.idle + self.rooms[key].idle - before;
    }

    /// Returns the number of messages and bytes in the histories of all rooms.
    pub(in crate::switchboard) const fn kept(&self) -> (usize, usize) {
        self.kept
    }

    /// Sees to it that a room's history is looked at when it has become too old.
    pub(super) fn arm_expiry(&mut self, key: u32) {
        let room = &mut self.rooms[key];
        if let Some(at) = room.due()
            && room.armed.is_none_or(|armed| at < armed)
        {
            if let Some(armed) = room.armed.replace(at) {
                self.expiries.remove(&(armed, key));
            }
            self.expiries.insert((at, key));
        }
    }

    /// Returns when [`expire`](Self::expire) is to be called.
    pub(in crate::switchboard) fn next_deadline(&self) -> Option<Time> {
        let first = [&self.expiries, &self.dormant].map(BTreeSet::first);
        first.into_iter().flatten().map(|&(at, _)| at).min()
    }

    /// Frees what has become too old, at most `most` rooms of it. Returns the keys of rooms without
    /// members that are to be removed, as nothing keeps them any more.
    pub(in crate::switchboard) fn expire(&mut self, now: Time, most: usize) -> Vec<u32> {
        self.now = now;
        for _ in 0..most {
            let Some(&(at, key)) = self.expiries.first() else {
                break;
            };
            if at > now {
                break;
            }
            self.expiries.pop_first();
            self.rooms[key].armed = None;
            self.with_history(key, |history| history.age(now));
            self.arm_expiry(key);
        }
        let due = self.dormant.iter().take_while(|&&(at, _)| at <= now);
        due.map(|&(_, key)| key).take(most).collect()
    }

    /// Keeps the bound over all histories: what would expire first goes first.
    pub(super) fn bound_histories(&mut self) {
        while self.kept.1 + self.latest.1 > self.limits.history_bytes && self.give_up_history() {}
    }

    /// Gives up what would expire first of all histories; returns whether there was any.
    pub(super) fn give_up_history(&mut self) -> bool {
        loop {
            let mut oldest = self.expiries.iter().take(LOOKS).map(|&(_, key)| key);
            let Some(key) = oldest.find(|&key| {
                let history = self.rooms[key].history.as_ref();
                history.is_some_and(|history| history.bytes() > 0)
            }) else {
                return false;
            };
            let room = &self.rooms[key];
            let current = room.armed == room.due();
            if current {
                self.with_history(key, History::evict);
            }
            if let Some(armed) = self.rooms[key].armed.take() {
                self.expiries.remove(&(armed, key));
            }
            self.arm_expiry(key);
            if current {
                return true;
            }
        }
    }

    /// Returns a room without members to be removed, as there are more than may be.
    pub(in crate::switchboard) fn next_over_dormant(&self) -> Option<u32> {
        let over = self.dormant.len() > self.limits.dormant_rooms;
        self.dormant.first().map(|&(_, key)| key).filter(|_| over)
    }

    /// Notes that a room has no members from now on, or had none and was published to.
    pub(super) fn linger(&mut self, key: u32) {
        let now = self.now;
        let room = &mut self.rooms[key];
        if let Some(linger) = room.linger() {
            let ends = now + linger;
            if let Some(before) = room.ends.replace(ends) {
                self.dormant.remove(&(before, key));
            }
            self.dormant.insert((ends, key));
        }
    }

    /// Notes that a room has members, or is removed.
    pub(super) fn end_lingering(&mut self, key: u32) {
        if let Some(ends) = self.rooms[key].ends.take() {
            self.dormant.remove(&(ends, key));
        }
    }
}

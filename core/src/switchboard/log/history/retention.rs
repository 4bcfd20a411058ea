//! When histories are given up: by age, by the bound of a room and of the node, and with a room that has
//! had no members for long.

use std::collections::BTreeSet;

use super::super::Log;
use super::super::limits::Slow;
use super::super::removed::AT_ONCE;
use super::super::room::Room;
use super::{History, Origin};
use crate::Time;

/// Rooms that are looked at for the one to give something up.
const LOOKS: usize = 64;

/// As how many messages a room counts of which something is to go.
const ROOM: usize = 16;

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
    pub(in super::super) fn with_history(&mut self, key: u32, change: impl FnOnce(&mut History)) {
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
    pub(in super::super) fn keep(&mut self, key: u32, bytes: Option<usize>, origin: Origin) {
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
        self.with_history(key, |history| {
            history.age(now, usize::MAX);
        });
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
    pub(in super::super) fn note_idle(&mut self, key: u32, before: usize) {
        self.idle = self.idle + self.rooms[key].idle - before;
    }

    /// Returns the number of messages and bytes in the histories of all rooms.
    pub(in crate::switchboard) const fn kept(&self) -> (usize, usize) {
        self.kept
    }

    /// Sees to it that a room's history is looked at when it has become too old.
    pub(in super::super) fn arm_expiry(&mut self, key: u32) {
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

    /// Returns when [`expire`](Self::expire), [`next_to_end`](Self::next_to_end) and
    /// [`free_removed`](Self::free_removed) are to be called.
    pub(in crate::switchboard) fn next_deadline(&self) -> Option<Time> {
        if self.has_too_many_dormant() || !self.removed.is_empty() {
            return Some(self.now);
        }
        let first = [&self.expiries, &self.dormant].map(BTreeSet::first);
        first.into_iter().flatten().map(|&(at, _)| at).min()
    }

    /// Frees messages that have become too old, about as many as `share` says, which it lowers. Looking at
    /// a room counts as [some](ROOM). More is due at once.
    pub(in crate::switchboard) fn expire(&mut self, now: Time, share: &mut usize) {
        self.now = now;
        while *share > 0
            && let Some(&(at, key)) = self.expiries.first()
            && at <= now
        {
            self.expiries.pop_first();
            self.rooms[key].armed = None;
            let mut aged = 0;
            self.with_history(key, |history| aged = history.age(now, *share));
            *share = share.saturating_sub(aged + ROOM);
            self.arm_expiry(key);
        }
    }

    /// Returns the key of a room without members that is to be removed, as nothing keeps it any more, or
    /// there are more than may be. Lowers the share, like [`expire`](Self::expire).
    pub(in crate::switchboard) fn next_to_end(
        &mut self,
        now: Time,
        share: &mut usize,
    ) -> Option<u32> {
        let &(at, key) = self.dormant.first()?;
        if (at > now && !self.has_too_many_dormant()) || *share == 0 {
            return None;
        }
        let messages = self.rooms[key].ring.len().min(AT_ONCE);
        *share = share.saturating_sub(messages + ROOM);
        Some(key)
    }

    /// Keeps the bound over all histories: what would expire first goes first.
    pub(in super::super) fn bound_histories(&mut self) {
        while self.kept.1 + self.latest.1 > self.limits.history_bytes && self.give_up_history() {}
    }

    /// Gives up what would expire first of all histories; returns whether there was any.
    pub(in super::super) fn give_up_history(&mut self) -> bool {
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

    /// Returns whether there are more rooms without members than may be.
    #[inline]
    pub(in crate::switchboard) fn has_too_many_dormant(&self) -> bool {
        self.dormant.len() > self.limits.dormant_rooms
    }

    /// Notes that a room has no members from now on, or had none and was published to.
    pub(in super::super) fn linger(&mut self, key: u32) {
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
    pub(in super::super) fn end_lingering(&mut self, key: u32) {
        if let Some(ends) = self.rooms[key].ends.take() {
            self.dormant.remove(&(ends, key));
        }
    }
}

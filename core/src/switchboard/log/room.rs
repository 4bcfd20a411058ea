//! One room: its log, and how many members stand at each position.
//!
//! ```text
//!            passed            entries that members have to get
//!   ring [ e  e  e  e  │  e3  e  e2  e  e ]  end: 12 members
//!          ▲ front     ▲ the first with cursors      ▲ who publishes next, appends here
//! ```
//! The entries that all members have passed go, unless they are history, or the latest of a key.

use std::time::Duration;

use super::contexts::RoomContext;
use super::entry::{Entry, Kind};
use super::history::History;
use super::latest::Latest;
use super::limits::{LagRule, Rule, Slow};
use super::recovery::Recovery;
use super::ring::Ring;
use super::sparse::Sparse;
use super::turn::Mark;
use crate::Time;
use crate::switchboard::arena::NONE;
use crate::switchboard::chunks::Chunks;

/// A connection in a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) slot: u32,
    /// The index in the connection's list of rooms.
    pub(super) membership: u16,
    /// Whether not every message ahead is for it, so that each must be looked at.
    pub(super) special: bool,
    /// Whether a writer that has not reported has taken messages of this membership.
    pub(super) in_flight: bool,
    /// The position of the message that it gets next. Where that has gone, the room's front.
    pub(super) cursor: u64,
}

/// A room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) rule: LagRule,
    /// Distinguishes successive rooms under one key.
    pub(super) serial: u64,
    pub(super) ring: Ring<Entry>,
    /// The positions of the entries, where they do not follow from `base`.
    pub(super) sparse: Option<Box<Sparse>>,
    /// The position of the front.
    pub(super) base: u64,
    /// Bytes of all messages so far.
    pub(super) bytes: u64,
    /// The last number used.
    pub(super) seq: u64,
    /// Members that stand at the end.
    pub(super) at_end: u32,
    /// The blocked ones of them.
    pub(super) end_blocked: u32,
    /// Those of them whose writer has not reported.
    pub(super) end_flight: u32,
    /// The leading entries that all members have passed, and the bytes of their frames.
    pub(super) passed: usize,
    pub(super) idle: usize,
    pub(super) members: Chunks<Member>,
    /// The circle: the member that is visited next, and how many are still to be visited.
    pub(super) walk: u32,
    pub(super) left: u32,
    /// Whether it is in the list of rooms with something to write.
    pub(super) listed: bool,
    /// The visits that remain of the current lap, and what had been published when it began.
    pub(super) lap: u32,
    pub(super) since: Mark,
    pub(super) congested: bool,
    /// Up to this position, members have been looked at for their lag.
    pub(super) over: u64,
    /// Members whose cursor is before the front.
    pub(super) jumped: u32,
    /// Positions without a number that were lost while there were such members: from one up to
    /// another, which is not among them.
    pub(super) lost: Option<Box<Ring<(u64, u64)>>>,
    /// Positions among these at which numbers were told that there is no message for, and how many.
    pub(super) spent: Vec<(u64, u64)>,
    /// The last number that is not in the log any more.
    pub(super) popped: u64,
    /// The position after the last presence entry that was dropped.
    pub(super) lost_presence: u64,
    /// The position of the last entry that told of another epoch, and the one after the last of these that
    /// was dropped.
    pub(super) moved: u64,
    pub(super) lost_move: u64,
    pub(super) history: Option<Box<History>>,
    pub(super) latest: Option<Box<Latest>>,
    /// Without members: when it ends, though it keeps messages.
    pub(super) ends: Option<Time>,
    /// When its history is looked at next.
    pub(super) armed: Option<Time>,
    /// Volatile entries.
    pub(super) volatiles: u32,
    /// Blocked members.
    pub(super) blocked: u32,
    /// The bytes that it holds back, as it is listed.
    pub(super) weight: u64,
    /// Whether its messages may be compressed one after another.
    pub(super) has_contexts: bool,
    /// How far they are, while a member keeps its window.
    pub(super) context: Option<Box<RoomContext>>,
}

impl Room {
    pub(super) fn new(given: Rule, serial: u64) -> Self {
        let latest = given.latest.map(|keep| Box::new(Latest::new(keep)));
        let mut rule = given.lag;
        if latest.is_some() && rule.slow != Slow::Disconnect {
            // What is not overwritten has to be dropped in order.
            rule.slow = Slow::DropOldest;
        }
        let sparse = latest.is_some() || rule.slow == Slow::DropNewest;
        Self {
            history: given.history.map(|keep| Box::new(History::new(keep))),
            latest,
            ends: None,
            sparse: sparse.then(|| Box::new(Sparse::new())),
            rule,
            serial,
            ring: Ring::default(),
            base: 0,
            bytes: 0,
            seq: 0,
            at_end: 0,
            end_blocked: NONE,
            end_flight: 0,
            passed: 0,
            idle: 0,
            members: Chunks::default(),
            walk: 0,
            left: 0,
            listed: false,
            lap: 0,
            since: Mark::default(),
            congested: false,
            over: 0,
            jumped: 0,
            lost: None,
            popped: 0,
            lost_presence: 0,
            moved: 0,
            lost_move: 0,
            spent: Vec::new(),
            armed: None,
            volatiles: 0,
            blocked: 0,
            weight: 0,
            has_contexts: given.contexts,
            context: None,
        }
    }

    /// Returns the position at which the next message will stand.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.position(self.ring.len())
    }

    /// Returns the position of the entry at an index; the end, if it is the ring's length.
    #[inline]
    pub(super) fn position(&self, index: usize) -> u64 {
        match &self.sparse {
            None => self.base + index as u64,
            Some(sparse) => sparse.position(index),
        }
    }

    /// Returns the index in the ring of the entry at a position; the ring's length if it is the
    /// end.
    #[inline]
    pub(super) fn locate(&self, position: u64) -> usize {
        match &self.sparse {
            None => position.saturating_sub(self.base) as usize,
            Some(sparse) => sparse.locate(position),
        }
    }

    /// Returns the index of the entry that a member gets next.
    #[inline]
    pub(super) fn index_of(&self, member: u32) -> usize {
        self.locate(self.members[member as usize].cursor)
    }

    /// Notes that a writer has taken what is for a member at an index.
    #[inline]
    pub(super) fn note_taken(&mut self, index: usize) {
        match self.ring.get_mut(index) {
            Some(entry) => entry.flight += 1,
            None => self.end_flight += 1,
        }
    }

    /// Notes that a writer has reported.
    #[inline]
    pub(super) fn note_reported(&mut self, index: usize) {
        match self.ring.get_mut(index) {
            Some(entry) => entry.flight -= 1,
            None => self.end_flight -= 1,
        }
    }

    /// Returns the number of messages from an index to the end, and their bytes. Volatile ones do not
    /// count.
    ///
    /// Where the latest value of each key is kept, values do not count.
    pub(super) fn lag(&self, index: usize) -> (u64, u64) {
        if let Some(latest) = &self.latest {
            return latest.lag(self.position(index));
        }
        let Some(entry) = self.ring.get(index) else {
            return (0, 0);
        };
        let messages = match &self.sparse {
            None => (self.ring.len() - index) as u64,
            Some(sparse) => sparse.counted_from(index),
        };
        (messages, self.bytes - entry.start)
    }

    /// Returns whether the lag from an index is over `times` the limit.
    pub(super) fn is_over(&self, index: usize, times: u64) -> bool {
        let (messages, bytes) = self.lag(index);
        messages > self.rule.messages * times || bytes > self.rule.bytes * times
    }

    #[inline]
    pub(super) fn arrive(&mut self, index: usize) {
        match self.ring.get_mut(index) {
            Some(entry) => entry.cursors += 1,
            None => self.at_end += 1,
        }
        while self.passed > index {
            self.passed -= 1;
            self.idle -= self.ring[self.passed].frame.footprint();
        }
    }

    /// Notes that a member moves on from an index; returns the bytes freed.
    #[inline]
    pub(super) fn depart(&mut self, index: usize) -> usize {
        let Some(entry) = self.ring.get_mut(index) else {
            self.at_end -= 1;
            return 0;
        };
        entry.cursors -= 1;
        // A volatile message is only for those who stood at it when it was published.
        if entry.cursors == 0 && entry.is_volatile() {
            return self.kill(index);
        }
        0
    }

    /// Appends an entry, at which all members stand from now on that stood at the end.
    pub(super) fn append(&mut self, mut entry: Entry) {
        entry.start = self.bytes;
        entry.cursors = std::mem::take(&mut self.at_end);
        entry.flight = std::mem::take(&mut self.end_flight);
        entry.blocked = std::mem::replace(&mut self.end_blocked, NONE);
        let counts = !entry.is_volatile();
        self.bytes += if counts { entry.frame.len() as u64 } else { 0 };
        self.ring.push_back(entry);
        if let Some(sparse) = &mut self.sparse {
            sparse.appended(counts);
        }
    }

    /// Frees what all members have passed, unless it is history; returns the number of bytes.
    #[inline]
    pub(super) fn settle(&mut self) -> usize {
        let mut freed = 0;
        while let Some(entry) = self.ring.get_mut(self.passed)
            && entry.cursors == 0
        {
            if !(entry.stays() || self.latest.is_none() && entry.seq().is_some()) {
                freed += self.kill(self.passed);
            }
            self.idle += self.ring[self.passed].frame.footprint();
            self.passed += 1;
        }
        while self.passed > 0 && !self.keeps_front() {
            freed += self.pop();
        }
        if self.latest.is_some() {
            let passed = self.position(self.passed);
            if let Some(latest) = &mut self.latest {
                latest.passed(passed);
            }
        }
        freed
    }

    fn keeps_front(&self) -> bool {
        if self.latest.is_some() {
            return self.ring.front().is_some_and(Entry::stays);
        }
        self.history
            .as_ref()
            .is_some_and(|history| history.keeps_front())
    }

    /// Returns how long it is kept without members, if it is.
    pub(super) fn linger(&self) -> Option<Duration> {
        let history = self.history.as_ref().map(|history| history.keep.linger);
        history.or_else(|| Some(self.latest.as_ref()?.linger()))
    }

    /// Releases the frame of an entry, which is for nobody any more; returns its size.
    pub(super) fn kill(&mut self, index: usize) -> usize {
        let freed = self.ring[index].kill();
        self.idle -= if index < self.passed { freed } else { 0 };
        if freed > 0
            && let Some(sparse) = &mut self.sparse
        {
            sparse.dead += 1;
        }
        freed
    }

    /// Removes the front; returns the bytes freed. Its cursors are the caller's business.
    pub(super) fn pop(&mut self) -> usize {
        let Some(entry) = self.ring.pop_front() else {
            return 0;
        };
        self.base = match &mut self.sparse {
            None => self.base + 1,
            Some(sparse) => sparse.popped(entry.is_dead()),
        };
        self.popped = entry.comes_to().unwrap_or(self.popped);
        if self.passed > 0 {
            self.passed -= 1;
            self.idle -= entry.frame.footprint();
        }
        if let Some(history) = &mut self.history {
            history.popped();
        }
        self.volatiles -= u32::from(entry.is_volatile());
        entry.frame.footprint()
    }

    /// Returns the first position from `index` on that a member gets to that has passed the entry
    /// before: volatile entries are only for those who stood at them.
    #[inline]
    pub(super) fn landing(&self, index: usize) -> usize {
        let mut at = index;
        if self.volatiles == 0 {
            return at;
        }
        while self.ring.get(at).is_some_and(Entry::is_volatile) {
            at += 1;
        }
        at
    }

    /// Returns the index of the next entry after one that is for somebody.
    pub(super) fn after_dead(&self, index: usize) -> usize {
        let mut at = index + 1;
        while self.ring.get(at).is_some_and(Entry::is_dead) {
            at += 1;
        }
        at
    }

    /// Returns whether an entry is for a member in this slot whose cursor is at `cursor`.
    #[inline]
    pub(super) fn is_for(
        &self,
        index: usize,
        cursor: u64,
        slot: u32,
        recovery: Option<&Recovery>,
    ) -> bool {
        let entry = &self.ring[index];
        let position = self.position(index);
        if let Some(recovery) = recovery
            && position < recovery.until
        {
            return self.is_recovered(index, recovery);
        }
        // Present values wait for a newcomer, so it misses what is volatile.
        let free = position == cursor && recovery.is_none_or(|it| it.snapshot.is_none());
        !(entry.is_dead() || (entry.is_volatile() && !free) || entry.excludes(slot))
    }

    /// Returns whether nothing more of a kind may be published, as nobody has had a turn to read.
    pub(super) fn is_full(&self, kind: Kind) -> bool {
        if self.latest.is_some() && !Latest::counts(kind) {
            return false;
        }
        let kept = self
            .history
            .as_ref()
            .is_some_and(|history| history.first() <= self.passed);
        let catches_up = self.rule.slow == Slow::CatchUp && kept;
        let drops = self.rule.slow == Slow::DropNewest;
        !drops && !self.members.is_empty() && !catches_up && self.is_over(self.passed, 2)
    }

    /// Returns whether a member is before the front, because messages were dropped.
    #[inline]
    pub(super) fn is_before_front(&self, cursor: u64) -> bool {
        // Where the latest value of each key is kept, a cursor may stand where nothing is.
        cursor < self.base && self.latest.is_none()
    }

    /// Returns the number in the present epoch that a member has come to with the entry at an index, of which
    /// an event stream is told.
    pub(super) fn position_after(&self, index: usize) -> Option<u64> {
        let entry = &self.ring[index];
        let told = || entry.comes_to().filter(|_| self.latest.is_none());
        // After where a room goes on, values may follow with any number.
        let seq = entry.seq().or_else(told);
        seq.filter(|_| self.position(index) >= self.moved)
    }

    /// Returns whether a member has lost what told where the room goes on, in another epoch.
    pub(super) fn misses_move(&self, cursor: u64) -> bool {
        self.is_before_front(cursor) && cursor < self.lost_move
    }

    /// Notes that one fewer member is before the front.
    #[inline]
    pub(super) fn caught_up(&mut self, cursor: u64) {
        if self.is_before_front(cursor) {
            self.jumped -= 1;
            if self.jumped == 0 {
                self.lost = None;
                self.spent = Vec::new();
            }
        }
    }

    /// Returns whether the circle is going to come to a member.
    pub(super) fn is_in_circle(&self, member: u32) -> bool {
        let len = self.members.len() as u32;
        let ahead = if member >= self.walk {
            member - self.walk
        } else {
            member + len - self.walk
        };
        ahead < self.left
    }
}

//! The history of a room: numbered messages that are kept after all members have passed them.
//!
//! ```text
//!   ring  [ e  e │ e  e  e  e  e  e ]
//!          outside ▲ history          what leaves a bound goes from the old end
//! ```
//! It is always a contiguous suffix of the room's numbers.

mod retention;

use smallvec::SmallVec;

use super::limits::Keep;
use super::recovery::Identity;
use super::ring::Ring;
use crate::Time;

/// Bytes that an entry takes beside its frame.
pub(super) const OVERHEAD: usize = 112;

/// The publisher of a message and its exclusions, for later recoveries. Sessions, users and requests
/// are keyed hashes; 0 is none.
#[derive(Clone, Debug, Default)]
pub(in crate::switchboard) struct Origin {
    /// The session of a sender that does not get its own message.
    pub(in crate::switchboard) session: u64,
    /// The session and the request.
    pub(in crate::switchboard) request: u64,
    /// Sessions and users that were excluded, if there are any.
    pub(in crate::switchboard) not_for: Option<Box<Excluded>>,
}

/// Sessions and users.
pub(in crate::switchboard) type Excluded = SmallVec<[u64; 2]>;

impl Origin {
    /// Returns whether somebody has sent the message and does not get it.
    pub(in crate::switchboard) const fn is_own(&self, who: &Identity) -> bool {
        who.session != 0 && self.session == who.session
    }

    /// Returns whether somebody was excluded.
    pub(in crate::switchboard) fn excludes(&self, who: &Identity) -> bool {
        let mut listed = self.not_for.iter().flat_map(|list| list.iter());
        listed.any(|&hash| hash != 0 && (hash == who.session || hash == who.user))
    }

    /// Returns whether it names nobody and nothing.
    pub(super) const fn is_nobody(&self) -> bool {
        self.session == 0 && self.request == 0 && self.not_for.is_none()
    }
}

/// What the history notes of an entry of the log.
#[derive(Debug)]
pub(super) struct Note {
    at: Time,
    pub(super) origin: Origin,
    /// 0 for an entry without a number, which is no history. No frame is larger than this can tell.
    cost: u32,
}

// There is one for each message that is kept.
const _: () = assert!(size_of::<Note>() <= 40);

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
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        self.notes.push_back(Note {
            at: now,
            origin,
            cost,
        });
        self.messages += usize::from(cost > 0);
        self.bytes += cost as usize;
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
            self.bytes -= note.cost as usize;
            self.outside += 1;
        }
    }

    /// Gives up what is too old, at most `most` entries. Returns how many.
    pub(super) fn age(&mut self, now: Time, most: usize) -> usize {
        let mut aged = 0;
        while aged < most && self.expiry().is_some_and(|at| at <= now) {
            self.evict();
            aged += 1;
        }
        aged
    }

    /// Returns when the oldest entry is too old.
    pub(super) fn expiry(&self) -> Option<Time> {
        let note = self.notes.get(self.outside)?;
        Some(note.at + self.keep.age)
    }
}

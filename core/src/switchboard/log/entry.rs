//! What a room's log holds.

use smallvec::SmallVec;

use crate::Frame;
use crate::switchboard::arena::NONE;

/// The kind of a message to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum Kind {
    /// Has the room's next number, and enters its history.
    Numbered,
    /// Has no number.
    Raw,
    /// A change of presence, without a number. A member that misses it is due the complete list.
    Presence,
    /// Has no number; only for members for which nothing waits in the room.
    Volatile,
    /// The value of a key, which has a number: kept until the key has another one.
    Value,
    /// The removal of a key, which has a number.
    Removal,
    /// Tells where the room goes on, in another epoch. It has no number, but tells the last one used. A member
    /// that loses it is told before it gets what comes later.
    Moved,
    /// Tells of numbers that there is no message for, up to the last one used. It has no number.
    Spent,
}

impl Kind {
    pub(super) const fn is_numbered(self) -> bool {
        matches!(self, Self::Numbered | Self::Value | Self::Removal)
    }

    /// Returns whether it is kept by its key.
    pub(super) const fn is_kept(self) -> bool {
        matches!(self, Self::Value | Self::Removal)
    }
}

/// A message in a room's log.
#[derive(Debug)]
pub(super) struct Entry {
    /// Empty once no member is to get it any more.
    pub(super) frame: Frame,
    /// Bytes of the room's messages before it.
    pub(super) start: u64,
    /// Its place among all that this node published.
    pub(super) stamp: u64,
    /// Its number with flags, or one of the constants below.
    number: u64,
    /// Members that stand at it.
    pub(super) cursors: u32,
    /// Members that stand at it and whose writer has not reported.
    pub(super) flight: u32,
    /// The blocked members that stand at it, a circle of [`Group`](super::connection::Group)s.
    pub(super) blocked: u32,
    /// The slot of a connection that does not get it.
    excluded: u32,
    /// Where more than one does not get it, their slots, in order.
    // A pointer to a list, and not a list, so that an entry is as large as a cache line.
    more: Option<Box<SmallVec<[u32; 4]>>>,
}

const _: () = assert!(size_of::<Entry>() <= 64);

const RAW: u64 = 0;
const PRESENCE: u64 = u64::MAX;
const VOLATILE: u64 = u64::MAX - 1;
// Other numbers have flags.
/// A flag: it is kept by its key.
const KEPT: u64 = 1 << 62;
/// A flag: it is kept, and removes its key.
const REMOVAL: u64 = 1 << 61;
/// A flag: its key has another value or removal.
const OVERWRITTEN: u64 = 1 << 60;
/// Flags: it has no number, but tells this one.
const MOVED: u64 = 1 << 59;
const SPENT: u64 = 1 << 58;
/// The number without flags.
const NUMBER: u64 = SPENT - 1;

impl Entry {
    /// Creates an entry. `excluded` is sorted.
    pub(super) fn new(frame: Frame, kind: Kind, seq: u64, stamp: u64, excluded: &[u32]) -> Self {
        let number = match kind {
            Kind::Numbered => seq,
            Kind::Raw => RAW,
            Kind::Presence => PRESENCE,
            Kind::Volatile => VOLATILE,
            Kind::Value => seq | KEPT,
            Kind::Removal => seq | KEPT | REMOVAL,
            Kind::Moved => seq | MOVED,
            Kind::Spent => seq | SPENT,
        };
        let (one, more) = match excluded {
            [] => (NONE, None),
            &[one] => (one, None),
            more => (NONE, Some(Box::new(more.into()))),
        };
        Self {
            frame,
            start: 0,
            stamp,
            number,
            cursors: 0,
            flight: 0,
            blocked: NONE,
            excluded: one,
            more,
        }
    }

    /// Returns its number, if it has one.
    pub(super) const fn seq(&self) -> Option<u64> {
        match self.number {
            RAW | PRESENCE | VOLATILE => None,
            told if told & (MOVED | SPENT) != 0 => None,
            seq => Some(seq & NUMBER),
        }
    }

    /// Returns the number that a member has come to with it, if it has one or tells one.
    pub(super) const fn comes_to(&self) -> Option<u64> {
        match self.number {
            RAW | PRESENCE | VOLATILE => None,
            number => Some(number & NUMBER),
        }
    }

    /// Returns whether it is kept by its key: a value or a removal.
    pub(super) const fn is_kept(&self) -> bool {
        self.number < VOLATILE && self.number & KEPT != 0
    }

    pub(super) const fn is_removal(&self) -> bool {
        self.is_kept() && self.number & REMOVAL != 0
    }

    pub(super) const fn is_presence(&self) -> bool {
        self.number == PRESENCE
    }

    /// Returns whether it tells that the room goes on in another epoch.
    pub(super) const fn is_moved(&self) -> bool {
        self.number < VOLATILE && self.number & MOVED != 0
    }

    /// Returns whether it tells of numbers that there is no message for.
    pub(super) const fn is_spent(&self) -> bool {
        self.number < VOLATILE && self.number & SPENT != 0
    }

    pub(super) const fn is_volatile(&self) -> bool {
        self.number == VOLATILE
    }

    /// Returns whether it stays in the log after all members have passed it, by its key.
    pub(super) fn stays(&self) -> bool {
        self.is_kept() && self.number & OVERWRITTEN == 0 && !self.is_dead()
    }

    /// Notes that its key has another value or removal.
    pub(super) const fn overwrite(&mut self) {
        self.number |= OVERWRITTEN;
    }

    /// Returns whether no member is to get it any more.
    pub(super) fn is_dead(&self) -> bool {
        self.frame.is_empty()
    }

    /// Releases the frame; returns the bytes that it held.
    pub(super) fn kill(&mut self) -> usize {
        let bytes = self.frame.footprint();
        if bytes > 0 {
            self.frame = Frame::raw([]);
        }
        bytes
    }

    /// Returns whether the connection in this slot does not get it.
    #[inline]
    pub(super) fn excludes(&self, slot: u32) -> bool {
        self.excluded == slot || self.excluded().binary_search(&slot).is_ok()
    }

    /// Returns the slots of the connections that do not get it.
    pub(super) fn excluded(&self) -> &[u32] {
        match &self.more {
            Some(more) => more,
            None if self.excluded == NONE => &[],
            None => std::slice::from_ref(&self.excluded),
        }
    }
}

/// What became of a message for the members of its room, when the call returned.
///
/// `accepted + excluded + dropped + closed` is the number of members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::switchboard) struct Published {
    /// Members that are going to get it.
    pub(in crate::switchboard) accepted: usize,
    /// Members that were excluded by the caller.
    pub(in crate::switchboard) excluded: usize,
    /// Members for which it was dropped itself, as more waits for them.
    pub(in crate::switchboard) dropped: usize,
    /// Older messages that were dropped for it, for each member that loses one.
    pub(in crate::switchboard) dropped_oldest: usize,
    /// Members that are to be closed, as their lag is over the limit because of it.
    pub(in crate::switchboard) closed: usize,
}

/// The room's log is at twice its limit, because nobody had a turn to read. Nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Busy;

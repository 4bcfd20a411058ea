//! Those who come back, and those who want the last messages: their cursor begins in the history.
//!
//! Until such a member has reached the place at which it joined, it is looked at entry by entry: it
//! gets numbered messages only, and the numbers that were not for its session or user are told as
//! skipped.

mod begin;
mod search;

use crate::Frame;

/// Where a new member begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum StartAt {
    /// It gets what is published from now on.
    End,
    /// It gets the present value of each key, where these are kept, with numbers from this one on; then
    /// what is published.
    Present(u64),
    /// It gets the last messages that are kept, at most so many, then the live ones.
    Last(usize),
    /// It gets exactly the messages after this number, if they are all kept; else it begins at the
    /// end.
    After(u64),
}

/// The identity of a member in the history: keyed hashes, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::switchboard) struct Identity {
    pub(in crate::switchboard) session: u64,
    pub(in crate::switchboard) user: u64,
}

/// What a new member is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Joined {
    /// The last number used.
    pub(in crate::switchboard) seq: u64,
    /// The first number that is kept; `seq + 1` if none is.
    pub(in crate::switchboard) first: u64,
    /// Whether it gets all that it missed, where it said what that is.
    pub(in crate::switchboard) recovered: Option<bool>,
}

/// A member that has not reached the place at which it joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    pub(super) identity: Identity,
    /// The position at which it joined.
    pub(super) until: u64,
    /// The count of published messages at that time.
    pub(super) stamp: u64,
    /// The position of what it gets next of the present values. Its cursor stands where it joined.
    pub(super) snapshot: Option<u64>,
}

/// What the resend of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum Resent {
    /// The room has it, under this number.
    Duplicate(u64),
    /// The room does not have it.
    New,
    /// What was published then is not kept any more.
    Unrecoverable,
}

/// Makes the frames that tell a client about numbers that it does not get.
pub(in crate::switchboard) trait Markers {
    /// These numbers were not for the client.
    fn skip(&mut self, room: u32, from: u64, to: u64) -> Option<Frame>;
    /// These numbers are not kept any more.
    fn gap(&mut self, room: u32, from: u64, to: u64) -> Option<Frame>;

    /// The room has gone on in another epoch, after this number.
    fn moved(&mut self, room: u32, seq: u64) -> Option<Frame> {
        let _ = (room, seq);
        None
    }

    /// Returns the position after a message, where an event stream is told of it.
    fn position(&mut self, slot: u32, room: u32, seq: u64) -> Option<String> {
        let _ = (slot, room, seq);
        None
    }
}

/// Tells no numbers.
#[derive(Debug)]
pub(in crate::switchboard) struct NoMarkers;

impl Markers for NoMarkers {
    fn skip(&mut self, _: u32, _: u64, _: u64) -> Option<Frame> {
        None
    }

    fn gap(&mut self, _: u32, _: u64, _: u64) -> Option<Frame> {
        None
    }
}

/// Returns the place of a message among a connection's own frames: what a member recovers comes
/// after all that it was told when it joined.
pub(super) fn place(stamp: u64, recovery: Option<&Recovery>) -> u64 {
    recovery.map_or(stamp, |recovery| stamp.max(recovery.stamp + 1))
}

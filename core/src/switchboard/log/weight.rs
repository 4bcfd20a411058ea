//! Candidates to be closed for the bound of the node. They are listed by the power of two of the bytes
//! that they hold back, so that the heaviest is found within a factor of two, and a list changes only
//! when the power does.

/// A room with blocked members, or a blocked connection with frames of its own, by the power of two
/// of the bytes that it holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight {
    pub(super) power: u8,
    pub(super) candidate: Candidate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Candidate {
    Room(u32),
    Connection(u32),
}

pub(super) fn power(bytes: u64) -> Option<u8> {
    bytes.checked_ilog2().map(|power| power as u8)
}

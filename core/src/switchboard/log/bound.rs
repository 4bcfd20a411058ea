//! The bound of the node: who holds back the most memory.

use super::Log;

/// A room with blocked members, or a blocked connection, by the power of two of the bytes that it
/// holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight {
    power: u8,
    room: bool,
    key: u32,
}

impl Log {
    pub(super) fn weigh_room(&mut self, _key: u32) {}
    pub(super) fn unweigh_room(&mut self, _key: u32) {}
    pub(super) fn weigh_connection(&mut self, _slot: u32) {}
}

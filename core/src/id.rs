//! Names of connections.

use std::fmt;

/// Names one connection for ever: a slot and the generation of what lives in it.
///
/// An id is never given out twice in a process; one whose connection has gone is *stale*, and
/// every operation answers it with a typed error or does nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl ConnectionId {
    /// The place of the connection in the driver's own table; shared over time, never at once.
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// Which of the connections that lived in this slot.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.slot, self.generation)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

/// The connection that was named has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleId(pub ConnectionId);

impl fmt::Display for StaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} has gone", self.0)
    }
}

impl std::error::Error for StaleId {}

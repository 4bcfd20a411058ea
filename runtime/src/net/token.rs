//! The names that an event loop and its sockets have for each other.

/// A task's place in its event loop, with a generation that distinguishes successive tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketToken {
    pub(crate) place: u32,
    pub(crate) generation: u32,
}

impl SocketToken {
    /// The token of a task without a place.
    pub(crate) const NOWHERE: Self = Self {
        place: u32::MAX,
        generation: u32::MAX,
    };

    pub(crate) const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.place as u64
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self {
            place: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// A change of a socket's readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness(pub(crate) u8);

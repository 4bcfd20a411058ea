//! One form of a frame, and what a connection can inflate.

use std::fmt;
use std::iter;
use std::sync::Arc;

use super::header::{FIN, HEADER_MAX, RSV1, write_header};

/// A form of a frame: header and payload as sent on the wire, plain or compressed.
///
/// Cloning shares the bytes.
// The bytes are stored next to their reference count, so a form costs one allocation of its exact
// size. The price is one copy of a payload that was encoded elsewhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Form(Arc<[u8]>);

/// What a connection can inflate: nothing, or messages of a length up to a window. No distance in a
/// message can be longer than the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window(u8);

impl Window {
    /// No compression.
    pub(crate) const NONE: Self = Self(0);
    /// As large as that of any compressor (RFC 1951, section 2).
    const BITS_MAX: u8 = 15;
    /// A flag: it is kept from message to message.
    const KEPT: u8 = 0x10;

    /// Creates a window of so many bits, or of any size.
    pub(crate) fn of_bits(bits: Option<u8>) -> Self {
        Self(bits.unwrap_or(Self::BITS_MAX))
    }

    /// Returns the same window, which the client keeps from message to message.
    pub(crate) const fn kept(self) -> Self {
        Self(self.0 | Self::KEPT)
    }

    /// Returns whether the client keeps it from message to message.
    #[inline]
    pub(crate) const fn is_kept(self) -> bool {
        self.0 & Self::KEPT != 0
    }

    /// Returns the window for independently compressed messages that are sent in any order: none, if
    /// they would move a window that the client keeps.
    pub(crate) const fn by_itself(self) -> Self {
        if self.is_kept() { Self::NONE } else { self }
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn takes(self, payload: usize) -> bool {
        match self.0 & !Self::KEPT {
            0 => false,
            Self::BITS_MAX.. => true,
            bits => payload <= 1 << bits,
        }
    }
}

impl Form {
    pub(crate) fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes to send.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the size on the wire, header and payload, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether it is a compressed message.
    pub(crate) fn is_deflated(&self) -> bool {
        self.0
            .first()
            .is_some_and(|first| first & (FIN | RSV1) == FIN | RSV1)
    }

    /// Returns whether both share their bytes in memory.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Encodes a frame whose header begins with `first`, and whose payload is in parts.
    pub(super) fn encode<const N: usize>(first: u8, payload: [&[u8]; N]) -> Self {
        let mut room = [0; HEADER_MAX];
        let len = payload.iter().map(|part| part.len()).sum();
        let header = write_header(&mut room, first, len);
        // An exact-size iterator allocates once. Zeroing first is cheaper than chaining header and
        // payload byte by byte, or copying from a vector.
        let mut bytes: Arc<[u8]> = iter::repeat_n(0, header.len() + len).collect();
        let (head, mut rest) = Arc::make_mut(&mut bytes).split_at_mut(header.len());
        head.copy_from_slice(header);
        for part in payload {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} bytes)", self.len())
    }
}

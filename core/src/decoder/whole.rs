//! Where the payload of a complete message is.

use super::error::ProtocolError;
use super::incoming::Incoming;
use crate::frame::Opcode;

/// A complete message or control frame, and the location of its payload.
pub(super) struct Whole {
    pub(super) opcode: Opcode,
    pub(super) place: Place,
}

pub(super) enum Place {
    /// In the input, from this index to the end of the consumed part.
    Input(usize),
    /// In the buffer, from this index to its end.
    Buffer(usize),
}

impl Whole {
    /// Interprets the payload, which is at the place.
    pub(super) fn with<'a>(&self, payload: &'a [u8]) -> Result<Incoming<'a>, ProtocolError> {
        Incoming::new(self.opcode, payload)
    }
}

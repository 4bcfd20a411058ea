//! Where the payload of a complete message is.

use super::error::ProtocolError;
use super::incoming::{Deflated, Incoming};
use crate::wire::frame::Opcode;

/// A complete message or control frame, and the location of its payload.
pub(super) struct Whole {
    pub(super) opcode: Opcode,
    /// The number of fragments, if it is a compressed message.
    pub(super) deflated: Option<u32>,
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
        match self.deflated {
            None => Incoming::new(self.opcode, payload),
            Some(fragments) => Ok(Incoming::Deflated(Deflated {
                payload,
                text: self.opcode == Opcode::Text,
                fragments,
            })),
        }
    }
}

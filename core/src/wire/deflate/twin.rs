//! The compressed form of a message whose number is not known yet.

use std::fmt;

use crate::Frame;

/// The longest end of a message: the digits of a number, and a brace.
const END_MAX: usize = 20 + 1;
/// The length of a stored block's header.
const HEADER: usize = 5;

/// A message to a room, compressed up to its number.
///
/// The number follows as a stored block (RFC 1951, section 3.2.4), which is a copy of about ten bytes.
/// Nothing is therefore compressed while the lock of a node is held.
#[derive(Clone, PartialEq, Eq)]
pub struct Twin {
    deflated: Box<[u8]>,
    /// The length of the uncompressed data.
    len: usize,
}

impl Twin {
    /// Takes the first `len` bytes of a message, compressed up to the end of a flush.
    pub(super) fn new(deflated: &[u8], len: usize) -> Self {
        Self {
            deflated: deflated.into(),
            len,
        }
    }

    /// Returns the frame of a message that begins with this compressed data.
    pub(crate) fn frame(&self, message: &str) -> Frame {
        match message.as_bytes().get(self.len..) {
            Some(end) if end.len() <= END_MAX => {
                // The message ends with the header of another block, whose remainder is omitted.
                let mut block = [0; HEADER + END_MAX + 1];
                let len = end.len() as u16;
                block[1..3].copy_from_slice(&len.to_le_bytes());
                block[3..HEADER].copy_from_slice(&(!len).to_le_bytes());
                block[HEADER..HEADER + end.len()].copy_from_slice(end);
                let block = &block[..=HEADER + end.len()];
                Frame::text_in_both_forms(message, [&self.deflated, block])
            }
            _ => Frame::text(message),
        }
    }
}

/// Prints the size, never content.
impl fmt::Debug for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Twin({} bytes of {})", self.deflated.len(), self.len)
    }
}

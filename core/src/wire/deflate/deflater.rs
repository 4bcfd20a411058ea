//! Compresses messages, each by itself.

use std::fmt;

use zlib_rs::{Deflate, DeflateFlush};

use super::TAIL;
use super::twin::Twin;
use crate::Frame;

/// The largest window. Clients with a smaller one can inflate the output, too, if the message is not
/// longer than their window.
const WINDOW_BITS: u8 = 15;
/// The largest buffers that are kept for the next message, in bytes.
const BUFFER_KEPT: usize = 64 << 10;

/// Compresses messages (RFC 7692, section 7.2.1), one at a time.
///
/// The output is the same for all connections, so that a message is compressed once, whatever the
/// number of its recipients. It holds about 400 KiB, and buffers for a message, of which 64 KiB each
/// are kept.
///
/// ```
/// use switchboard_core::{Deflater, Frame};
///
/// let mut deflater = Deflater::new(2);
/// let frame = deflater.frame(Frame::text(&"many words ".repeat(100)));
/// assert!(frame.deflated_len().is_some_and(|bytes| bytes < 60));
/// ```
pub struct Deflater {
    stream: Deflate,
    plain: Vec<u8>,
    output: Vec<u8>,
}

impl Deflater {
    /// Creates one with a level from 1 (fast) to 9. Takes some 25 µs, so keep it for further messages.
    pub fn new(level: u8) -> Self {
        Self {
            stream: Deflate::new(level.into(), false, WINDOW_BITS),
            plain: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Compresses a text or binary message. Returns the frame with both forms, or as it was if the
    /// compressed one is not smaller.
    pub fn frame(&mut self, frame: Frame) -> Frame {
        let deflated = Self::deflate(&mut self.stream, &mut self.output, frame.payload());
        let deflated = deflated.and_then(|bytes| bytes.strip_suffix(&TAIL));
        let frame = match deflated {
            Some(deflated) => frame.with_deflated([deflated, &[]]),
            None => frame,
        };
        self.give_back();
        frame
    }

    /// Compresses the beginning of a message, which `write` appends, about `len` bytes. The end, such as a
    /// number that is not known yet, follows it uncompressed. Returns `None` where that does not make it
    /// smaller.
    pub(crate) fn beginning(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Twin> {
        self.plain.clear();
        self.plain.reserve(len);
        write(&mut self.plain);
        let deflated = Self::deflate(&mut self.stream, &mut self.output, &self.plain);
        let twin = deflated.map(|deflated| Twin::new(deflated, self.plain.len()));
        self.give_back();
        twin
    }

    /// Compresses up to a flush. Returns `None` if the result is not smaller.
    fn deflate<'a>(
        stream: &mut Deflate,
        output: &'a mut Vec<u8>,
        content: &[u8],
    ) -> Option<&'a [u8]> {
        stream.reset();
        output.resize(content.len(), 0);
        let result = stream.compress(content, output, DeflateFlush::SyncFlush);
        let written = stream.total_out() as usize;
        // Where the output is full, more of it may be due.
        let smaller = result.is_ok() && written < output.len();
        smaller.then(|| &output[..written])
    }

    fn give_back(&mut self) {
        for buffer in [&mut self.plain, &mut self.output] {
            if buffer.capacity() > BUFFER_KEPT {
                *buffer = Vec::new();
            }
        }
    }
}

/// Prints sizes, never content.
impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("buffers", &(self.plain.capacity() + self.output.capacity()))
            .finish_non_exhaustive()
    }
}

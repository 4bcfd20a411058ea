//! Inflates compressed messages within bounds on their length and on the work that they cause.

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use crate::wire::decoder::{Deflated, Incoming, ProtocolError};
use crate::wire::frame::Opcode;

/// The largest window (RFC 1951, section 2), which can inflate data compressed with any window.
const WINDOW_BITS: u8 = 15;
/// What a sender leaves out at the end of each message (RFC 7692, section 7.2.1), and an empty last
/// block. The latter ends the data, unless a block ends within a byte or does not end.
const TAIL: [u8; WHOLE_TAIL] = [0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF];
const WHOLE_TAIL: usize = 9;
/// The length of the empty last block.
const LAST_BLOCK: usize = 5;

/// The smallest output buffer, in bytes.
const BUFFER_MIN: usize = 1 << 10;
/// The largest output buffer that is kept for the next message, in bytes: that of a message as long as
/// the default limit.
const BUFFER_KEPT: usize = (64 << 10) + 1;

/// Blocks that any message may have, and more for each fragment: its data and the end of a flush.
const BLOCKS: usize = 64;
const BLOCKS_PER_FRAGMENT: usize = 2;
/// Bytes of content that explain a further block.
const BYTES_PER_BLOCK: usize = 64;
/// Blocks that a message has at most, unless the limit of its length allows for more of this size.
const BLOCKS_MAX: usize = 4096;
const BLOCK_BYTES: usize = 1 << 10;

/// Blocks that cost nothing beside their content, and what a further one costs, in bytes.
const FREE_BLOCKS: usize = 4;
const BLOCK_COST: usize = 512;

/// Inflates compressed messages (RFC 7692, section 7.2.2), one at a time.
///
/// Messages are independent of each other, so that one inflater serves all connections of a thread. It
/// holds about 48 KiB from its first message on, and a buffer for the content, of which at most 64 KiB
/// are kept for the next message.
///
/// ```
/// use switchboard_core::{Deflated, Incoming, Inflater};
///
/// let message = Deflated { payload: b"\xf2\x48\xcd\xc9\xc9\x07\0", text: true, fragments: 1 };
/// let mut inflater = Inflater::default();
/// let inflated = inflater.inflate(message, 65_536)?;
/// assert_eq!(inflated.incoming, Incoming::Text("Hello"));
/// # Ok::<(), switchboard_core::ProtocolError>(())
/// ```
#[derive(Default)]
pub struct Inflater {
    stream: Option<Inflate>,
    output: Vec<u8>,
}

/// A message that was inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated<'a> {
    /// The message: [`Incoming::Text`] or [`Incoming::Binary`].
    pub incoming: Incoming<'a>,
    /// What it costs, in bytes: its length, and 512 for each block beyond those that an ordinary sender
    /// makes. Blocks without content take time too.
    pub cost: usize,
}

impl Inflater {
    /// Inflates a message that may have at most `message_bytes`.
    ///
    /// Costs time in proportion to the length of the result, plus some microseconds for each block. The
    /// number of blocks is limited to what that length explains.
    ///
    /// # Errors
    /// - [`ProtocolError::TooBig`] if the result would be longer; not more than that is inflated.
    /// - [`ProtocolError::BadDeflate`] for malformed data: an illegal code, a distance to before the
    ///   beginning of the message, an end within a block, anything but a `00` behind a block that is
    ///   marked as the last.
    /// - [`ProtocolError::TooManyBlocks`] if there are more blocks than 64, 2 for each fragment and one
    ///   for every 64 bytes of content, or more than 4 096 and than there are KiB in `message_bytes`.
    /// - [`ProtocolError::InvalidUtf8`] for text that is not UTF-8.
    pub fn inflate(
        &mut self,
        message: Deflated<'_>,
        message_bytes: usize,
    ) -> Result<Inflated<'_>, ProtocolError> {
        self.give_back();
        let stream = self
            .stream
            .get_or_insert_with(|| Inflate::new(false, WINDOW_BITS));
        stream.reset(false);
        let free = BLOCKS_PER_FRAGMENT.saturating_mul(message.fragments as usize);
        let mut run = Run {
            stream,
            output: &mut self.output,
            // One more, to see that there is more.
            most: message_bytes.saturating_add(1),
            written: 0,
            blocks: 0,
        };
        let blocks_max = BLOCKS_MAX.max(message_bytes / BLOCK_BYTES);
        let allowed = |written: usize| (BLOCKS + free + written / BYTES_PER_BLOCK).min(blocks_max);
        run.inflate(message.payload, allowed)?;
        let (written, blocks) = (run.written, run.blocks);
        let opcode = if message.text {
            Opcode::Text
        } else {
            Opcode::Binary
        };
        let further = blocks.saturating_sub(FREE_BLOCKS + free);
        Ok(Inflated {
            incoming: Incoming::new(opcode, &self.output[..written])?,
            cost: written.saturating_add(further * BLOCK_COST),
        })
    }

    /// Frees the buffer of a large message.
    pub fn give_back(&mut self) {
        if self.output.len() > BUFFER_KEPT {
            self.output = Vec::new();
        }
    }
}

/// Prints sizes, never content.
impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("buffer", &self.output.len())
            .finish_non_exhaustive()
    }
}

/// One message being inflated.
struct Run<'a> {
    stream: &'a mut Inflate,
    /// Initialised memory, of which the first `written` bytes are content.
    output: &'a mut Vec<u8>,
    most: usize,
    written: usize,
    blocks: usize,
}

/// Why inflating has stopped.
enum Stop {
    /// All input is used, and no last block has ended.
    Input,
    /// A block has ended.
    Block,
    /// The last block has ended.
    Last,
}

impl Run<'_> {
    /// Inflates a whole message, which has at most `allowed(length)` blocks.
    fn inflate(
        &mut self,
        payload: &[u8],
        allowed: impl Fn(usize) -> usize,
    ) -> Result<(), ProtocolError> {
        self.make_room(payload.len().saturating_mul(4).max(BUFFER_MIN));
        let mut rest = payload;
        loop {
            match self.step(&mut rest, InflateFlush::Block)? {
                Stop::Input => break,
                Stop::Block => self.blocks += 1,
                Stop::Last if matches!(rest, [] | [0]) => return Ok(()),
                Stop::Last => return Err(ProtocolError::BadDeflate),
            }
            if self.blocks > allowed(self.written) {
                return Err(ProtocolError::TooManyBlocks);
            }
        }
        self.end()
    }

    /// Checks that the message ends with a block. The few blocks in here are not counted.
    fn end(&mut self) -> Result<(), ProtocolError> {
        let mut rest = &TAIL[..];
        while rest.len() > LAST_BLOCK {
            match self.step(&mut rest, InflateFlush::Block)? {
                Stop::Block => {}
                // The message ended with a last block, or with the header of one.
                Stop::Last if matches!(rest.len(), LAST_BLOCK | WHOLE_TAIL) => return Ok(()),
                Stop::Input | Stop::Last => return Err(ProtocolError::BadDeflate),
            }
        }
        if rest.len() == LAST_BLOCK
            && matches!(self.step(&mut rest, InflateFlush::SyncFlush)?, Stop::Last)
            // The block that ended with the tail was a last one, or the empty one is.
            && matches!(rest.len(), LAST_BLOCK | 0)
        {
            return Ok(());
        }
        Err(ProtocolError::BadDeflate)
    }

    /// Inflates up to the end of a block or of the input, and advances `rest` past the consumed bytes.
    fn step(&mut self, rest: &mut &[u8], flush: InflateFlush) -> Result<Stop, ProtocolError> {
        loop {
            let end = self.output.len().min(self.most);
            let used = self.stream.total_in();
            let status = self
                .stream
                .decompress(rest, &mut self.output[self.written..end], flush)
                .map_err(|_| ProtocolError::BadDeflate)?;
            *rest = &rest[(self.stream.total_in() - used) as usize..];
            self.written = self.stream.total_out() as usize;
            return Ok(match status {
                _ if self.written == self.most => return Err(ProtocolError::TooBig),
                Status::StreamEnd => Stop::Last,
                _ if self.written == end => {
                    self.make_room(2 * end);
                    continue;
                }
                _ if rest.is_empty() => Stop::Input,
                _ => Stop::Block,
            });
        }
    }

    /// Sees to it that the output has this size, or that of the longest message.
    fn make_room(&mut self, size: usize) {
        let size = size.min(self.most);
        if self.output.len() < size {
            self.output.reserve_exact(size - self.output.len());
            self.output.resize(size, 0);
        }
    }
}

//! Decodes the byte stream of one client into messages (RFC 6455, sections 5 and 8.1).
//!
//! ```text
//!             header in                  payload in, frame ends
//!   Header ───────────────▶ Payload ──┬──▶ Header    a fragment; a ping, pong or message: returned
//!     ▲                               └──▶ Over      a Close: returned
//!     └── at rest: no message has begun       ▲
//!                     any broken rule ────────┘      all further input is discarded
//! ```

mod error;
mod header;
mod incoming;
mod limits;
mod mask;
#[cfg(test)]
mod tests;
mod utf8;
mod whole;

use std::fmt;

pub use self::error::ProtocolError;
use self::header::{Context, FrameHead, PartialHeader, Progress};
pub use self::incoming::{Deflated, Incoming};
pub use self::limits::DecoderLimits;
use self::limits::{payload_max, saturated};
use self::whole::{Place, Whole};
use crate::wire::frame::{CONTROL_PAYLOAD_MAX, Opcode};

/// The initial capacity of a buffer, so that single bytes do not cost an allocation each.
const CAPACITY_MIN: usize = 64;

/// A decoder of one client's byte stream, split in any way.
///
/// A message that is complete in the input is returned as a slice of it. Only an unfinished one is
/// copied into a buffer, whose capacity is at most twice the bytes received (or 64), whatever
/// length a header declares. The buffer is freed by the call after the one that returned the
/// message, so a decoder whose [`buffered`](Self::buffered) is zero owns no heap memory.
///
/// ```
/// use switchboard_core::{Decoder, DecoderLimits, Incoming};
///
/// let mut decoder = Decoder::new(DecoderLimits { message_bytes: 65_536, fragments: 1_024 });
/// let mut input = *b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0";
/// let (mut at, mut seen) = (0, Vec::new());
/// loop {
///     let step = decoder.decode(&mut input[at..])?;
///     at += step.consumed;
///     let Some(incoming) = step.incoming else { break };
///     seen.push(format!("{incoming:?}"));
/// }
/// assert_eq!(seen, ["Text(\"hi\")", "Ping([])"]);
/// # Ok::<(), switchboard_core::ProtocolError>(())
/// ```
pub struct Decoder {
    /// The received part of an unfinished message, then that of a control frame inside it. While no
    /// payload is awaited, everything behind the message's part has been returned by the last call.
    buffer: Vec<u8>,
    bytes_max: u32,
    fragments_max: u32,
    /// Whether compressed messages are accepted.
    deflate: bool,
    message: Message,
    stage: Stage,
    /// Iterations, and bytes inspected, copied or moved; the tests check that this is linear.
    #[cfg(test)]
    work: usize,
}

/// The message in progress: fragmented, or with payload still to come.
#[derive(Clone, Copy)]
struct Message {
    /// `None` if no message is in progress.
    opcode: Option<Opcode>,
    fragments: u32,
    /// The number of bytes in the buffer that are its payload.
    len: u32,
    /// The number of bytes at its end that form an incomplete character.
    open_end: u8,
    /// Whether it is compressed.
    deflated: bool,
}

impl Message {
    const NONE: Self = Self {
        opcode: None,
        fragments: 0,
        len: 0,
        open_end: 0,
        deflated: false,
    };
}

#[derive(Clone, Copy)]
enum Stage {
    Header(PartialHeader),
    Payload(FrameHead),
    Over,
}

// Decoders are moved often, so keep them small.
#[cfg(not(test))]
const _: () = assert!(size_of::<Decoder>() <= 64);

/// The result of one [`Decoder::decode`].
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The number of input bytes consumed.
    pub consumed: usize,
    /// The completed message or control frame; `None` once all of the input is consumed.
    pub incoming: Option<Incoming<'a>>,
}

impl Decoder {
    /// Creates a decoder for the start of a stream.
    pub const fn new(limits: DecoderLimits) -> Self {
        Self {
            buffer: Vec::new(),
            bytes_max: saturated(limits.message_bytes),
            fragments_max: saturated(limits.fragments),
            deflate: false,
            message: Message::NONE,
            stage: Stage::Header(PartialHeader::EMPTY),
            #[cfg(test)]
            work: 0,
        }
    }

    /// Accepts compressed messages too (RFC 7692, section 7.2.2), where that was agreed on.
    ///
    /// They are not inflated. Received, they may have a 64th and 64 bytes more than the limit.
    #[must_use]
    pub const fn accepting_deflate(mut self, accept: bool) -> Self {
        self.deflate = accept;
        self
    }

    /// Decodes `input` up to the end of the first message or control frame, unmasking in place.
    ///
    /// Call this until `incoming` is `None`; that call, even with an empty input, frees the buffer
    /// of the previous message. After an error or a Close frame, all further input is discarded.
    ///
    /// # Errors
    /// Returns the first broken rule at the first byte that breaks it: before the payload of an
    /// illegal frame, or inside an invalid character. Afterwards the decoder owns no buffer.
    /// [`ProtocolError::close`] is the reason to close with.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Decoded<'a>, ProtocolError> {
        self.give_back();
        let (consumed, whole) = match self.advance(input) {
            Ok(step) => step,
            Err(error) => return Err(self.fail(error)),
        };
        #[cfg(test)]
        {
            self.work += match &whole {
                None => 0,
                Some(Whole {
                    place: Place::Input(start),
                    ..
                }) => consumed - start,
                Some(Whole {
                    place: Place::Buffer(start),
                    ..
                }) => self.buffer.len() - start,
            };
        }
        let incoming = match whole {
            None => None,
            Some(whole) => match whole.place {
                Place::Input(start) => match whole.with(&input[start..consumed]) {
                    Ok(incoming) => Some(incoming),
                    Err(error) => return Err(self.fail(error)),
                },
                // Checked already when it was buffered; this only restores the type.
                Place::Buffer(start) => Some(whole.with(&self.buffer[start..])?),
            },
        };
        Ok(Decoded { consumed, incoming })
    }

    /// Returns the number of bytes held for an unfinished message or control frame, or for one that
    /// the last call returned from the buffer. Zero means that no heap memory is owned.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Returns whether a message or a frame's header is incomplete.
    pub fn in_message(&self) -> bool {
        match self.stage {
            Stage::Header(partial) => !partial.is_empty() || self.message.opcode.is_some(),
            Stage::Payload(_) => true,
            Stage::Over => false,
        }
    }

    /// Returns whether the decoder is in its initial state: nothing is in progress or buffered, and
    /// no rule has been broken. A decoder at rest can be dropped and recreated later.
    pub fn is_at_rest(&self) -> bool {
        let over = matches!(self.stage, Stage::Over);
        !over && !self.in_message() && self.buffer.is_empty()
    }

    /// Frees what the last call returned from the buffer, as the next one would.
    pub(crate) fn give_back(&mut self) {
        if matches!(self.stage, Stage::Payload(_)) {
            return;
        }
        if self.message.len == 0 {
            self.buffer = Vec::new();
        } else {
            self.buffer.truncate(self.message.len as usize);
        }
    }

    /// Discards all further input.
    pub(crate) fn stop(&mut self) {
        self.stage = Stage::Over;
        self.message = Message::NONE;
        self.buffer = Vec::new();
    }

    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.stop();
        error
    }

    /// Processes the input up to the end of a message or control frame, or of the input.
    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Whole>), ProtocolError> {
        let mut at = 0;
        loop {
            #[cfg(test)]
            {
                self.work += 1;
            }
            let head = match &self.stage {
                Stage::Over => return Ok((input.len(), None)),
                Stage::Payload(head) => *head,
                Stage::Header(partial) => {
                    match partial.completed_by(&input[at..], self.context())? {
                        Progress::Partial(partial) => {
                            self.stage = Stage::Header(partial);
                            return Ok((input.len(), None));
                        }
                        Progress::Complete(head, taken) => {
                            at += taken;
                            self.begin(head);
                            head
                        }
                    }
                }
            };
            let start = at;
            at += (input.len() - start).min(head.left as usize);
            let chunk = &mut input[start..at];
            mask::unmask(chunk, head.mask);
            #[cfg(test)]
            {
                self.work += chunk.len();
            }
            if chunk.len() < head.left as usize {
                self.keep(head, chunk)?;
                self.stage = Stage::Payload(head.without(chunk.len()));
                return Ok((at, None));
            }
            if let Some(whole) = self.finish(head, chunk, start)? {
                return Ok((at, Some(whole)));
            }
        }
    }

    fn context(&self) -> Context {
        let deflated = self.message.deflated;
        Context {
            message: self.message.opcode.map(|opcode| (opcode, deflated)),
            fragment_left: self.message.fragments < self.fragments_max,
            len: self.message.len,
            bytes_max: self.bytes_max,
            deflate: self.deflate,
        }
    }

    /// Returns how long the payload of the message in progress may be.
    fn message_max(&self) -> usize {
        payload_max(self.bytes_max, self.message.deflated) as usize
    }

    fn begin(&mut self, head: FrameHead) {
        if !head.opcode.is_control() {
            self.message.opcode = Some(head.opcode);
            self.message.deflated = head.deflated;
            self.message.fragments += 1;
        }
    }

    /// Completes a frame with the rest of its payload, which starts at `start` in the input.
    fn finish(
        &mut self,
        head: FrameHead,
        chunk: &[u8],
        start: usize,
    ) -> Result<Option<Whole>, ProtocolError> {
        let opcode = head.opcode;
        let kept_from = if opcode.is_control() {
            self.message.len as usize
        } else {
            0
        };
        self.stage = Stage::Header(PartialHeader::EMPTY);
        let place = if head.fin && self.buffer.len() == kept_from {
            Place::Input(start)
        } else {
            self.keep(head, chunk)?;
            Place::Buffer(kept_from)
        };
        if !head.fin {
            return Ok(None);
        }
        if opcode == Opcode::Close {
            match place {
                Place::Buffer(from) => {
                    Incoming::new(opcode, &self.buffer[from..])?;
                }
                Place::Input(_) => self.buffer = Vec::new(),
            }
            self.stage = Stage::Over;
        }
        if !opcode.is_control() && self.message.open_end > 0 {
            return Err(ProtocolError::InvalidUtf8);
        }
        let deflated = head.deflated.then_some(self.message.fragments);
        if !opcode.is_control() || opcode == Opcode::Close {
            self.message = Message::NONE;
        }
        Ok(Some(Whole {
            opcode,
            deflated,
            place,
        }))
    }

    /// Appends payload to the buffer, validating text.
    fn keep(&mut self, head: FrameHead, chunk: &[u8]) -> Result<(), ProtocolError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let inside = head.opcode.is_control() && self.message.len > 0;
        let end = if inside {
            // The message continues in the same buffer, so reserve for both instead of reallocating
            // for each control frame.
            self.message_max().saturating_add(CONTROL_PAYLOAD_MAX)
        } else if head.fin {
            self.buffer.len() + head.left as usize
        } else {
            self.message_max()
        };
        self.make_room(chunk.len(), end);
        self.buffer.extend_from_slice(chunk);
        if head.opcode.is_control() {
            return Ok(());
        }
        if head.opcode == Opcode::Text && !head.deflated {
            let checked = self.message.len as usize - usize::from(self.message.open_end);
            self.message.open_end = utf8::open_end(&self.buffer[checked..])?;
            #[cfg(test)]
            {
                self.work += self.buffer.len() - checked;
            }
        }
        self.message.len += chunk.len() as u32;
        Ok(())
    }

    /// Reserves `more` bytes in a buffer that will hold at most `end`: doubles the capacity, so
    /// that bytes are moved once on average, but never beyond `end`.
    fn make_room(&mut self, more: usize, end: usize) {
        let needed = self.buffer.len() + more;
        let capacity = self.buffer.capacity();
        #[cfg(test)]
        {
            self.work += if needed > capacity { needed } else { more };
        }
        if needed > capacity {
            let wished = (2 * capacity).max(CAPACITY_MIN).min(end);
            self.buffer
                .reserve_exact(wished.max(needed) - self.buffer.len());
        }
    }
}

/// Prints the state, never the received data.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("buffered", &self.buffered())
            .field("in_message", &self.in_message())
            .field("fragments", &self.message.fragments)
            .finish_non_exhaustive()
    }
}

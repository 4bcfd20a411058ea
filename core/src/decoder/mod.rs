//! From the bytes of one connection to messages (RFC 6455, sections 5 and 8.1).
//!
//! ```text
//!             header in                  payload in, frame ends
//!   Header ───────────────▶ Payload ──┬──▶ Header    a fragment; a ping, pong or message: lent
//!     ▲                               └──▶ Over      a Close: lent
//!     └── at rest: no message has begun       ▲
//!                     any broken rule ────────┘      all input is used up without an effect
//! ```

mod error;
mod header;
mod incoming;
mod mask;
#[cfg(test)]
mod tests;
mod utf8;

use std::fmt;

pub use self::error::ProtocolError;
use self::header::{Context, FrameHead, PartialHeader, Progress};
pub use self::incoming::Incoming;
use crate::frame::{CONTROL_PAYLOAD_MAX, Opcode};

/// The first capacity of a buffer, where so much is to come: bytes that trickle in one by one do
/// not cost an allocation each.
const CAPACITY_MIN: usize = 64;

/// What a decoder takes. Either limit counts as 2³² − 1 where it is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// The largest message, in bytes of payload over all its fragments.
    pub message_bytes: usize,
    /// The most fragments of one message; an unfragmented one counts as one.
    pub fragments: usize,
}

/// Turns the bytes of one client into messages, in any split, in bounded steps.
///
/// A message that lies whole in the input is lent from there; only an unfinished one is copied
/// into a buffer, which grows with the bytes received (at most twice those, or 64 bytes, whatever
/// a header declares) and is given back by the call after the one that lent it: at rest, when
/// [`buffered`](Self::buffered) is zero, a decoder owns no heap.
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
    /// What is in of a message that is not complete, then what is in of a control frame inside it.
    /// Beyond the message it is empty, or lent, whenever no frame's payload is awaited.
    buffer: Vec<u8>,
    bytes_max: u32,
    fragments_max: u32,
    message: Message,
    stage: Stage,
    /// Turns, and bytes that were looked at, copied or moved, for the proof that it is a few times each.
    #[cfg(test)]
    work: usize,
}

/// A fragmented message that has begun, or any whose payload is not all in.
#[derive(Clone, Copy)]
struct Message {
    /// `None` when none has begun.
    opcode: Option<Opcode>,
    fragments: u32,
    /// How many of the buffer's bytes are its payload.
    len: u32,
    /// How many of its last bytes wait for the rest of their character.
    open_end: u8,
}

impl Message {
    const NONE: Self = Self {
        opcode: None,
        fragments: 0,
        len: 0,
        open_end: 0,
    };
}

#[derive(Clone, Copy)]
enum Stage {
    Header(PartialHeader),
    Payload(FrameHead),
    Over,
}

// One is moved wherever a message is read.
#[cfg(not(test))]
const _: () = assert!(size_of::<Decoder>() <= 64);

/// One step of a decoder.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// How many bytes of the input the step used up.
    pub consumed: usize,
    /// What they completed; `None` when all of the input is used up.
    pub incoming: Option<Incoming<'a>>,
}

/// A message or a control frame that is complete, and where its payload lies.
struct Whole {
    opcode: Opcode,
    place: Place,
}

enum Place {
    /// In the input, from here to the end of what is used up.
    Input(usize),
    /// In the buffer, from here to its end.
    Buffer(usize),
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new(limits: DecoderLimits) -> Self {
        Self {
            buffer: Vec::new(),
            bytes_max: saturated(limits.message_bytes),
            fragments_max: saturated(limits.fragments),
            message: Message::NONE,
            stage: Stage::Header(PartialHeader::EMPTY),
            #[cfg(test)]
            work: 0,
        }
    }

    /// Takes bytes up to the end of the first message or control frame in `input`, unmasking in
    /// place.
    ///
    /// Whoever holds a decoder calls this until `incoming` is `None`: that call, and one with an
    /// empty input too, gives back the buffer a message was lent from. After an error, or after a
    /// Close frame, all further input is used up without an effect.
    ///
    /// # Errors
    /// The first rule that the bytes break, at the first byte that breaks it: before the payload
    /// of a frame that must not come, or inside a character that can not become valid. Nothing is
    /// held after it. [`ProtocolError::close`] is the answer.
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
            Some(Whole {
                opcode,
                place: Place::Input(start),
            }) => match Incoming::new(opcode, &input[start..consumed]) {
                Ok(incoming) => Some(incoming),
                Err(error) => return Err(self.fail(error)),
            },
            // It was checked on its way into the buffer; only its type has to be found again.
            Some(Whole {
                opcode,
                place: Place::Buffer(start),
            }) => Some(Incoming::new(opcode, &self.buffer[start..])?),
        };
        Ok(Decoded { consumed, incoming })
    }

    /// Bytes held: of a message or control frame that is not complete yet, or of one that the last
    /// call lent from the buffer. Zero means that no heap is owned.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether a message (or a frame's header) has begun and is not complete yet.
    pub fn in_message(&self) -> bool {
        match self.stage {
            Stage::Header(partial) => !partial.is_empty() || self.message.opcode.is_some(),
            Stage::Payload(_) => true,
            Stage::Over => false,
        }
    }

    /// Whether it is as if it were new: nothing has begun, nothing is lent, and no rule has been
    /// broken. Who keeps many connections need not keep a decoder that is at rest.
    pub fn is_at_rest(&self) -> bool {
        let over = matches!(self.stage, Stage::Over);
        !over && !self.in_message() && self.buffer.is_empty()
    }

    /// Drops what the last call lent from the buffer.
    fn give_back(&mut self) {
        if matches!(self.stage, Stage::Payload(_)) {
            return;
        }
        if self.message.len == 0 {
            self.buffer = Vec::new();
        } else {
            self.buffer.truncate(self.message.len as usize);
        }
    }

    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.stage = Stage::Over;
        self.message = Message::NONE;
        self.buffer = Vec::new();
        error
    }

    /// Goes through the input to the end of something whole, or of the input.
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
        Context {
            message: self.message.opcode,
            fragment_left: self.message.fragments < self.fragments_max,
            bytes_left: self.bytes_max - self.message.len,
        }
    }

    fn begin(&mut self, head: FrameHead) {
        if !head.opcode.is_control() {
            self.message.opcode = Some(head.opcode);
            self.message.fragments += 1;
        }
    }

    /// Ends a frame with the last of its payload, which lies in the input at `start`.
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
        if !opcode.is_control() || opcode == Opcode::Close {
            self.message = Message::NONE;
        }
        Ok(Some(Whole { opcode, place }))
    }

    /// Appends payload to the buffer, and checks it if it is text.
    fn keep(&mut self, head: FrameHead, chunk: &[u8]) -> Result<(), ProtocolError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let inside = head.opcode.is_control() && self.message.len > 0;
        let end = if inside {
            // The message goes on behind it: room for this frame alone would be made for each.
            (self.bytes_max as usize).saturating_add(CONTROL_PAYLOAD_MAX)
        } else if head.fin {
            self.buffer.len() + head.left as usize
        } else {
            self.bytes_max as usize
        };
        self.make_room(chunk.len(), end);
        self.buffer.extend_from_slice(chunk);
        if head.opcode.is_control() {
            return Ok(());
        }
        if head.opcode == Opcode::Text {
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

    /// Makes room for `more` bytes in a buffer that will have at most `end`: twice as much as
    /// before, so that bytes are moved once on average, but never more than there can be.
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

/// Shows where it stands, never what was received.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("buffered", &self.buffered())
            .field("in_message", &self.in_message())
            .field("fragments", &self.message.fragments)
            .finish_non_exhaustive()
    }
}

const fn saturated(limit: usize) -> u32 {
    if limit > u32::MAX as usize {
        u32::MAX
    } else {
        limit as u32
    }
}

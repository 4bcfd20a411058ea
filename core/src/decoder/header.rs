//! The header of a client's frame (RFC 6455, section 5.2).

use super::ProtocolError;
use super::mask::turned;
use crate::frame::{CONTROL_PAYLOAD_MAX, Opcode};

/// The longest header: two bytes, a 64-bit length and a mask.
const HEADER_MAX: usize = 14;

/// A frame whose header is in; it changes as payload arrives.
#[derive(Clone, Copy)]
pub(super) struct FrameHead {
    /// Payload that has not arrived.
    pub(super) left: u32,
    /// The mask, as the next byte of payload meets it.
    pub(super) mask: [u8; 4],
    /// What the frame is, or for a continuation what it continues.
    pub(super) opcode: Opcode,
    /// Whether a message ends with this frame.
    pub(super) fin: bool,
}

/// What decides, apart from its bytes, whether a header is legal.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// The fragmented message that has begun.
    pub(super) message: Option<Opcode>,
    /// Whether the message may have one fragment more.
    pub(super) fragment_left: bool,
    /// How many bytes of payload the message may still have.
    pub(super) bytes_left: u32,
}

impl FrameHead {
    /// Reads a header and its length in bytes; `None` when it is not complete.
    ///
    /// # Errors
    /// The first broken rule in the order of the bytes, whether or not the header is complete, so
    /// that the answer does not depend on how the bytes were split.
    fn parse(bytes: &[u8], context: Context) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let fin = first & 0x80 != 0;
        let opcode = opcode(first, fin, context)?;
        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        if second & 0x80 == 0 {
            return Err(ProtocolError::UnmaskedFrame);
        }
        let short = second & 0x7F;
        if opcode.is_control() && usize::from(short) > CONTROL_PAYLOAD_MAX {
            return Err(ProtocolError::ControlTooLong);
        }
        let Some((length, rest)) = length(short, rest)? else {
            return Ok(None);
        };
        let most = if opcode.is_control() {
            CONTROL_PAYLOAD_MAX as u32
        } else {
            context.bytes_left
        };
        let left = match u32::try_from(length) {
            Ok(left) if left <= most => left,
            _ => return Err(ProtocolError::TooBig),
        };
        let Some((&mask, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let head = Self {
            left,
            mask,
            opcode,
            fin,
        };
        Ok(Some((head, bytes.len() - rest.len())))
    }

    /// The frame after `taken` more bytes of its payload.
    pub(super) const fn without(self, taken: usize) -> Self {
        Self {
            left: self.left - taken as u32,
            mask: turned(self.mask, taken),
            ..self
        }
    }
}

/// Reads the first byte of a header.
fn opcode(first: u8, fin: bool, context: Context) -> Result<Opcode, ProtocolError> {
    if first & 0x70 != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    let opcode = match (first & 0x0F, context.message) {
        (0, Some(message)) => message,
        (0, None) => return Err(ProtocolError::UnexpectedContinuation),
        (bits, message) => match Opcode::from_bits(bits) {
            None => return Err(ProtocolError::ReservedOpcode),
            Some(opcode) if opcode.is_control() && !fin => {
                return Err(ProtocolError::FragmentedControl);
            }
            Some(opcode) if opcode.is_control() => return Ok(opcode),
            Some(_) if message.is_some() => return Err(ProtocolError::UnexpectedData),
            Some(opcode) => opcode,
        },
    };
    if !context.fragment_left {
        return Err(ProtocolError::TooManyFragments);
    }
    Ok(opcode)
}

/// Reads the length that `short` announces; gives it with what comes after it.
///
/// A length in a longer form than it needs is taken: the RFC forbids it, but the stream stays in
/// step and nothing else depends on it. Not so in a control frame, which was refused before this
/// at a `short` over 125.
fn length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    Ok(match short {
        126 => bytes
            .split_first_chunk()
            .map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest)),
        127 => {
            if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
                return Err(ProtocolError::LengthOverflow);
            }
            bytes
                .split_first_chunk()
                .map(|(length, rest)| (u64::from_be_bytes(*length), rest))
        }
        _ => Some((u64::from(short), bytes)),
    })
}

/// The bytes of a header that is not complete yet.
#[derive(Clone, Copy)]
pub(super) struct PartialHeader {
    bytes: [u8; HEADER_MAX],
    len: u8,
}

impl PartialHeader {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; HEADER_MAX],
        len: 0,
    };

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Goes on with the next bytes of the stream; see [`FrameHead::parse`].
    pub(super) fn completed_by(
        &self,
        more: &[u8],
        context: Context,
    ) -> Result<Progress, ProtocolError> {
        if self.is_empty()
            && let Some((head, len)) = FrameHead::parse(more, context)?
        {
            return Ok(Progress::Complete(head, len));
        }
        let gathered = self.followed_by(more);
        Ok(match FrameHead::parse(gathered.as_bytes(), context)? {
            Some((head, len)) => Progress::Complete(head, len - usize::from(self.len)),
            None => Progress::Partial(gathered),
        })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// These bytes and as many of `more` as the longest header has room for.
    fn followed_by(mut self, more: &[u8]) -> Self {
        let room = &mut self.bytes[usize::from(self.len)..];
        let taken = more.len().min(room.len());
        room[..taken].copy_from_slice(&more[..taken]);
        self.len += taken as u8;
        self
    }
}

/// How far a header is.
pub(super) enum Progress {
    /// It takes more than there is; all of that was taken.
    Partial(PartialHeader),
    /// It is complete, with so many of the bytes given.
    Complete(FrameHead, usize),
}

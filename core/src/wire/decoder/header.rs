//! Parses the headers of client frames (RFC 6455, section 5.2).

use super::error::ProtocolError;
use super::limits::payload_max;
use super::mask::turned;
use crate::wire::frame::{CONTROL_PAYLOAD_MAX, Opcode};

/// The longest header: two bytes, a 64-bit length and a mask.
const HEADER_MAX: usize = 14;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;

/// A frame whose header is complete; updated as payload arrives.
#[derive(Clone, Copy)]
pub(super) struct FrameHead {
    /// The number of payload bytes still to come.
    pub(super) left: u32,
    /// The mask, rotated so that it starts at the next payload byte.
    pub(super) mask: [u8; 4],
    /// The opcode of the frame, or for a continuation that of its message.
    pub(super) opcode: Opcode,
    /// Whether this is the last frame of its message.
    pub(super) fin: bool,
    /// Whether it belongs to a compressed message.
    pub(super) deflated: bool,
}

/// The state of the decoder that decides, with its bytes, whether a header is legal.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// The fragmented message in progress, and whether it is compressed.
    pub(super) message: Option<(Opcode, bool)>,
    /// Whether the message may have another fragment.
    pub(super) fragment_left: bool,
    /// The number of payload bytes that a message in progress has.
    pub(super) len: u32,
    /// The number of bytes of content that a message may have.
    pub(super) bytes_max: u32,
    /// Whether compressed messages are accepted.
    pub(super) deflate: bool,
}

impl Context {
    /// Returns the number of payload bytes that a message may still have.
    fn bytes_left(self, deflated: bool) -> u32 {
        payload_max(self.bytes_max, deflated) - self.len
    }
}

impl FrameHead {
    /// Parses a header and returns it with its length in bytes, or `None` if it is incomplete.
    ///
    /// # Errors
    /// Returns the first broken rule in the order of the bytes, even if the header is incomplete,
    /// so that the result does not depend on how the bytes were split.
    fn parse(bytes: &[u8], context: Context) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let fin = first & 0x80 != 0;
        let (opcode, deflated) = opcode(first, fin, context)?;
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
            context.bytes_left(deflated)
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
            deflated,
        };
        Ok(Some((head, bytes.len() - rest.len())))
    }

    /// Returns the frame after `taken` more bytes of its payload.
    pub(super) const fn without(self, taken: usize) -> Self {
        Self {
            left: self.left - taken as u32,
            mask: turned(self.mask, taken),
            ..self
        }
    }
}

/// Parses the first byte of a header. Returns also whether the message is compressed.
///
/// RSV1 says so on the first frame of a message, and has no meaning on others (RFC 7692, section 6).
fn opcode(first: u8, fin: bool, context: Context) -> Result<(Opcode, bool), ProtocolError> {
    let deflated = first & RSV1 != 0;
    if first & (RSV2 | RSV3) != 0 || (deflated && !context.deflate) {
        return Err(ProtocolError::ReservedBits);
    }
    let message = match (first & 0x0F, context.message) {
        (0, Some(_)) if deflated => return Err(ProtocolError::ReservedBits),
        (0, Some(message)) => message,
        (0, None) => return Err(ProtocolError::UnexpectedContinuation),
        (bits, message) => match Opcode::from_bits(bits) {
            None => return Err(ProtocolError::ReservedOpcode),
            Some(opcode) if opcode.is_control() && !fin => {
                return Err(ProtocolError::FragmentedControl);
            }
            Some(opcode) if opcode.is_control() && deflated => {
                return Err(ProtocolError::ReservedBits);
            }
            Some(opcode) if opcode.is_control() => return Ok((opcode, false)),
            Some(_) if message.is_some() => return Err(ProtocolError::UnexpectedData),
            Some(opcode) => (opcode, deflated),
        },
    };
    if !context.fragment_left {
        return Err(ProtocolError::TooManyFragments);
    }
    Ok(message)
}

/// Parses the length that `short` announces, and returns it with the bytes behind it.
///
/// A length in a longer form than necessary is accepted: RFC 6455 forbids it, but it is harmless.
/// Control frames with a `short` over 125 were refused before.
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

/// The bytes of an incomplete header.
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

    /// Continues with the next bytes of the stream; see [`FrameHead::parse`].
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

    /// Appends as many bytes of `more` as fit into the longest header.
    fn followed_by(mut self, more: &[u8]) -> Self {
        let room = &mut self.bytes[usize::from(self.len)..];
        let taken = more.len().min(room.len());
        room[..taken].copy_from_slice(&more[..taken]);
        self.len += taken as u8;
        self
    }
}

/// The result of [`PartialHeader::completed_by`].
pub(super) enum Progress {
    /// The header is still incomplete; all bytes were consumed.
    Partial(PartialHeader),
    /// The header is complete, after this many of the new bytes.
    Complete(FrameHead, usize),
}

//! Server frames, encoded once and shared between connections (RFC 6455, section 5.2).

mod form;
mod forms;
mod header;
mod in_step;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(crate) use self::form::{Form, Window};
use self::forms::Forms;
pub(crate) use self::header::{CONTROL_PAYLOAD_MAX, Opcode, may_be_received};
use self::header::{FIN, HEADER_MAX, may_be_sent};
pub(crate) use self::in_step::Place;
use crate::BadCloseCode;

/// A complete, unmasked, unfragmented server frame: header and payload as sent on the wire.
///
/// Cloning shares the bytes, so a broadcast allocates one frame for all members. `Debug` prints the
/// kind and the length, never the payload.
///
/// A frame may have a [compressed form](crate::Deflater::frame) too, which is for the connections that
/// can inflate it. Two frames are equal if they are without it.
#[derive(Clone)]
pub struct Frame(Forms);

/// The body of a Close frame (RFC 6455, section 5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The status code (RFC 6455, section 7.4).
    pub code: u16,
    /// A human-readable reason of at most 123 bytes.
    pub reason: &'a str,
}

impl Frame {
    /// Creates a text message (RFC 6455, section 5.6).
    pub fn text(payload: &str) -> Self {
        Self::encode(Opcode::Text, payload.as_bytes())
    }

    /// Creates a text message from what `write` appends to `scratch`, which is cleared first.
    ///
    /// Reusing `scratch` reduces the cost to one allocation and one copy per frame. Its capacity is
    /// not limited here. Invalid UTF-8 is replaced by U+FFFD, since a text message must be valid
    /// (RFC 6455, section 8.1).
    ///
    /// ```
    /// use std::io::Write;
    /// use switchboard_core::Frame;
    ///
    /// let mut scratch = Vec::new();
    /// let frame = Frame::text_with(&mut scratch, |out| {
    ///     write!(out, "{}", 6 * 7).expect("a vector takes everything");
    /// });
    /// assert_eq!(frame, Frame::text("42"));
    /// ```
    pub fn text_with(scratch: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        scratch.clear();
        write(scratch);
        // The lossy conversion is slow even for valid text, so validate first.
        match str::from_utf8(scratch) {
            Ok(payload) => Self::text(payload),
            Err(_) => Self::text(&String::from_utf8_lossy(scratch)),
        }
    }

    /// Creates a binary message (RFC 6455, section 5.6).
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(Opcode::Binary, payload)
    }

    /// Creates a ping; the payload is truncated to 125 bytes (RFC 6455, section 5.5.2).
    pub fn ping(payload: &[u8]) -> Self {
        Self::encode(Opcode::Ping, cut(payload))
    }

    /// Creates a pong; the payload is truncated to 125 bytes (RFC 6455, section 5.5.3).
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(Opcode::Pong, cut(payload))
    }

    /// Creates a Close frame; the reason is truncated to 123 bytes at a character boundary (RFC
    /// 6455, section 5.5.1).
    ///
    /// # Errors
    /// Returns [`BadCloseCode`] unless the code is in 1000–1003, 1007–1014 or 3000–4999: others are
    /// reserved, or denote ends without a Close frame (RFC 6455, section 7.4).
    pub fn close(code: u16, reason: &str) -> Result<Self, BadCloseCode> {
        if !may_be_sent(code) {
            return Err(BadCloseCode(code));
        }
        let mut body = [0; CONTROL_PAYLOAD_MAX];
        let (head, tail) = body.split_at_mut(2);
        head.copy_from_slice(&code.to_be_bytes());
        let reason = cut_text(reason, tail.len());
        tail[..reason.len()].copy_from_slice(reason.as_bytes());
        Ok(Self::encode(Opcode::Close, &body[..2 + reason.len()]))
    }

    /// Creates a Close frame without a body, which the receiver reports as 1005 (RFC 6455, section
    /// 7.1.5).
    pub fn close_empty() -> Self {
        Self::encode(Opcode::Close, &[])
    }

    /// Wraps bytes that are queued like a frame but are not one, such as an HTTP response or
    /// several frames.
    pub(crate) fn raw(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(Forms::Plain(Form::new(bytes)))
    }

    /// Returns the bytes to send, without compression.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.plain().as_bytes()
    }

    /// Returns the size on the wire, header and payload, in bytes, without compression.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.plain().len()
    }

    /// Returns whether there is nothing to send. No frame from the constructors above is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the payload.
    pub fn payload(&self) -> &[u8] {
        &self.as_bytes()[self.len() - self.payload_len()..]
    }

    /// Returns the size of the payload in bytes.
    pub fn payload_len(&self) -> usize {
        let header = match (self.opcode(), self.as_bytes().get(1)) {
            (None, _) | (_, None) => 0,
            (_, Some(126)) => 4,
            (_, Some(127)) => HEADER_MAX,
            _ => 2,
        };
        self.len() - header
    }

    /// Returns whether this is a Close, ping or pong (RFC 6455, section 5.5).
    pub fn is_control(&self) -> bool {
        self.opcode().is_some_and(Opcode::is_control)
    }

    /// Returns `None` for bytes that are not a frame: the top bit is never set in HTTP text.
    pub(crate) fn opcode(&self) -> Option<Opcode> {
        let first = self.as_bytes().first()?;
        Opcode::from_bits(first ^ FIN)
    }

    fn encode(opcode: Opcode, payload: &[u8]) -> Self {
        Form::encode(FIN | opcode as u8, [payload]).into()
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Frame {}

impl Hash for Frame {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.opcode() {
            Some(opcode) => write!(f, "Frame({opcode:?}, {} bytes)", self.payload_len()),
            None => write!(f, "Frame(raw, {} bytes)", self.len()),
        }
    }
}

fn cut(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_PAYLOAD_MAX)]
}

/// Returns the longest prefix of `text` that has at most `most` bytes and ends at a character
/// boundary.
fn cut_text(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_bytes_are_all_payload_and_no_control_frame() {
        let frame = Frame::raw(b"HTTP/1.1 426 Upgrade Required\r\n\r\n".to_vec());
        assert_eq!(frame.payload_len(), frame.len());
        assert!(!frame.is_control());
        assert_eq!(format!("{frame:?}"), "Frame(raw, 33 bytes)");
        assert!(Frame::raw(Vec::new()).is_empty());
    }
}

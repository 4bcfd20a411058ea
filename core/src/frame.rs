//! Frames for the wire, encoded once and shared (RFC 6455, section 5.2).

use std::fmt;
use std::iter;
use std::sync::Arc;

/// The most payload a control frame may carry (RFC 6455, section 5.5).
pub(crate) const CONTROL_PAYLOAD_MAX: usize = 125;
/// The longest header of a server's frame: two bytes and a 64-bit length.
const HEADER_MAX: usize = 10;
const FIN: u8 = 0x80;

/// One complete, unmasked, unfragmented server frame: header and payload as they go out.
///
/// Cloning shares the bytes; a broadcast makes one frame whatever the number of members. `Debug`
/// tells the kind and the length, never the payload.
// The bytes lie next to their reference count: a frame costs one allocation of its exact size, a
// queue slot points straight at what is written, and no spare capacity waits in a queue. The price
// is one copy of a payload that was encoded elsewhere (see `text_with`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Frame(Arc<[u8]>);

/// The body of a Close frame (RFC 6455, section 5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The status code (RFC 6455, section 7.4).
    pub code: u16,
    /// The reason: text for people, at most 123 bytes.
    pub reason: &'a str,
}

/// A code that must not stand in a Close frame (RFC 6455, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCloseCode(pub u16);

impl fmt::Display for BadCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must not stand in a Close frame", self.0)
    }
}

impl std::error::Error for BadCloseCode {}

impl Frame {
    /// A text message (RFC 6455, section 5.6).
    pub fn text(payload: &str) -> Self {
        Self::encode(Opcode::Text, payload.as_bytes())
    }

    /// A text message that `write` puts into `scratch`, which is empty when it gets it.
    ///
    /// A caller that keeps `scratch` for the next message pays one allocation and one copy per
    /// frame, however the payload is put together; its capacity is the caller's to bound. Bytes
    /// that are not UTF-8 go out as U+FFFD, so that no client is sent an illegal text
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
        // Checked first, since the lossy way goes byte by byte even through what is right.
        match str::from_utf8(scratch) {
            Ok(payload) => Self::text(payload),
            Err(_) => Self::text(&String::from_utf8_lossy(scratch)),
        }
    }

    /// A binary message (RFC 6455, section 5.6).
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(Opcode::Binary, payload)
    }

    /// A ping; the payload is cut at 125 bytes (RFC 6455, section 5.5.2).
    pub fn ping(payload: &[u8]) -> Self {
        Self::encode(Opcode::Ping, cut(payload))
    }

    /// A pong; the payload is cut at 125 bytes (RFC 6455, section 5.5.3).
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(Opcode::Pong, cut(payload))
    }

    /// A Close frame; the reason is cut at 123 bytes on a character's boundary
    /// (RFC 6455, section 5.5.1).
    ///
    /// # Errors
    /// [`BadCloseCode`] unless the code is one of 1000 to 1003, 1007 to 1014 and 3000 to 4999:
    /// the others are reserved, or stand for ends without a Close frame (section 7.4).
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

    /// A Close frame without a body, which its receiver reports as 1005
    /// (RFC 6455, section 7.1.5).
    pub fn close_empty() -> Self {
        Self::encode(Opcode::Close, &[])
    }

    /// Bytes that are not a frame but take the same way out: an HTTP response, several frames.
    pub(crate) fn raw(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes for the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes go over the wire: header and payload.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to send; no frame of the constructors above is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes of the frame are payload.
    pub fn payload_len(&self) -> usize {
        let header = match (self.opcode(), self.0.get(1)) {
            (None, _) | (_, None) => 0,
            (_, Some(126)) => 4,
            (_, Some(127)) => HEADER_MAX,
            _ => 2,
        };
        self.0.len() - header
    }

    /// Whether this is a Close, ping or pong (RFC 6455, section 5.5).
    pub fn is_control(&self) -> bool {
        self.opcode().is_some_and(Opcode::is_control)
    }

    /// `None` for bytes that are not a frame: text of HTTP never has the top bit set.
    fn opcode(&self) -> Option<Opcode> {
        let first = self.0.first()?;
        Opcode::from_bits(first ^ FIN)
    }

    fn encode(opcode: Opcode, payload: &[u8]) -> Self {
        let mut room = [0; HEADER_MAX];
        let header = write_header(&mut room, opcode, payload.len());
        // An iterator that knows its length makes the one allocation; zeroing it first costs less
        // than a byte-wise chain of header and payload, or than a vector that is copied again.
        let mut bytes: Arc<[u8]> = iter::repeat_n(0, header.len() + payload.len()).collect();
        let (head, tail) = Arc::make_mut(&mut bytes).split_at_mut(header.len());
        head.copy_from_slice(header);
        tail.copy_from_slice(payload);
        Self(bytes)
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

/// What a frame or a message is (RFC 6455, section 11.8). A continuation is part of one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    /// `None` for a continuation (zero) and for reserved opcodes.
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Whether a client may have put this code into a Close frame (RFC 6455, section 7.4).
///
/// 1012 and 1013 are registered with IANA and sent by real clients; 1014 is only ever sent by
/// gateways, so from a client it is as wrong as an unregistered code.
pub(crate) const fn may_be_received(code: u16) -> bool {
    may_be_sent(code) && code != 1014
}

const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn cut(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_PAYLOAD_MAX)]
}

/// The longest part of `text` that has at most `most` bytes and ends with a whole character.
fn cut_text(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Writes the header of a final, unmasked frame with the shortest form of its length.
fn write_header(room: &mut [u8; HEADER_MAX], opcode: Opcode, payload: usize) -> &[u8] {
    room[0] = FIN | opcode as u8;
    match payload {
        0..=125 => {
            room[1] = payload as u8;
            &room[..2]
        }
        126..=0xFFFF => {
            room[1] = 126;
            room[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            &room[..4]
        }
        _ => {
            room[1] = 127;
            room[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            room
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_more_than_32_bits_stands_whole_in_the_header() {
        let mut room = [0; HEADER_MAX];
        let header = write_header(&mut room, Opcode::Binary, 0x0001_0203_0405_0607);
        assert_eq!(header, [0x82, 127, 0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn raw_bytes_are_all_payload_and_no_control_frame() {
        let frame = Frame::raw(b"HTTP/1.1 426 Upgrade Required\r\n\r\n".to_vec());
        assert_eq!(frame.payload_len(), frame.len());
        assert!(!frame.is_control());
        assert_eq!(format!("{frame:?}"), "Frame(raw, 33 bytes)");
        assert!(Frame::raw(Vec::new()).is_empty());
    }
}

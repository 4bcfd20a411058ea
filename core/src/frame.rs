//! Frames for the wire, encoded once and shared (RFC 6455, section 5.2).

use std::sync::Arc;

/// One complete, unmasked, unfragmented server frame: header and payload as they go out.
///
/// Cloning shares the bytes; a broadcast makes one frame whatever the number of members.
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

impl Frame {
    /// A text message.
    pub fn text(payload: &str) -> Self {
        todo!("{payload}")
    }
    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        todo!("{payload:?}")
    }
    /// A ping; the payload is cut at 125 bytes.
    pub fn ping(payload: &[u8]) -> Self {
        todo!("{payload:?}")
    }
    /// A pong; the payload is cut at 125 bytes.
    pub fn pong(payload: &[u8]) -> Self {
        todo!("{payload:?}")
    }
    /// A Close frame; the reason is cut at 123 bytes on a character's boundary.
    pub fn close(code: u16, reason: &str) -> Result<Self, BadCloseCode> {
        todo!("{code}{reason}")
    }
    /// A Close frame without a body.
    pub fn close_empty() -> Self {
        todo!()
    }
    /// Bytes that are not a frame but take the same way out: an HTTP response.
    pub(crate) fn raw(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
    /// The bytes for the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

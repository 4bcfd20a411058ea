//! The output of a decoder.

use std::fmt;
use std::str;

use super::error::ProtocolError;
use crate::CloseFrame;
use crate::wire::frame::{Opcode, may_be_received};

/// A message or control frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A complete text message (RFC 6455, section 5.6).
    Text(&'a str),
    /// A complete binary message (RFC 6455, section 5.6).
    Binary(&'a [u8]),
    /// A complete compressed message (RFC 7692), which an [`Inflater`](crate::Inflater) turns into
    /// text or binary. Never returned unless the decoder [accepts](super::Decoder::accepting_deflate)
    /// such messages.
    Deflated(Deflated<'a>),
    /// A ping (RFC 6455, section 5.5.2).
    Ping(&'a [u8]),
    /// A pong (RFC 6455, section 5.5.3).
    Pong(&'a [u8]),
    /// A Close frame, which is always the last (RFC 6455, section 5.5.1).
    Close(Option<CloseFrame<'a>>),
}

/// A compressed message (RFC 7692, section 7.2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Deflated<'a> {
    /// The compressed payload of all fragments.
    pub payload: &'a [u8],
    /// Whether it is text, which is not checked before it is inflated.
    pub text: bool,
    /// The number of fragments.
    pub fragments: u32,
}

impl fmt::Debug for Deflated<'_> {
    /// Shows sizes only, never the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, fragments) = (self.payload.len(), self.fragments);
        write!(f, "Deflated({bytes} bytes, {fragments} fragments)")
    }
}

impl<'a> Incoming<'a> {
    /// Interprets the payload of a complete message or control frame.
    pub(crate) fn new(opcode: Opcode, payload: &'a [u8]) -> Result<Self, ProtocolError> {
        Ok(match opcode {
            Opcode::Text => Self::Text(text(payload)?),
            Opcode::Binary => Self::Binary(payload),
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            Opcode::Close => Self::Close(CloseFrame::parse(payload)?),
        })
    }
}

impl<'a> CloseFrame<'a> {
    fn parse(body: &'a [u8]) -> Result<Option<Self>, ProtocolError> {
        let Some((code, reason)) = body.split_first_chunk() else {
            return if body.is_empty() {
                Ok(None)
            } else {
                Err(ProtocolError::CloseTooShort)
            };
        };
        let code = u16::from_be_bytes(*code);
        if !may_be_received(code) {
            return Err(ProtocolError::CloseCode);
        }
        let reason = text(reason)?;
        Ok(Some(Self { code, reason }))
    }
}

fn text(payload: &[u8]) -> Result<&str, ProtocolError> {
    str::from_utf8(payload).map_err(|_| ProtocolError::InvalidUtf8)
}

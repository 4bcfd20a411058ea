//! From the bytes of one connection to messages (RFC 6455, sections 5 and 8.1).

use crate::{CloseFrame, CloseReason};

/// What a decoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// The largest message, in bytes of payload over all its fragments.
    pub message_bytes: usize,
    /// The most fragments of one message.
    pub fragments: usize,
}

/// Turns the bytes of one client into messages, in any split, in bounded steps.
///
/// A message that lies whole in the input is lent from there; only an unfinished one is copied
/// into a buffer, which grows with the bytes received and is given back when the message is done:
/// at rest a decoder owns no buffer.
#[derive(Debug)]
pub struct Decoder {}

/// One step of a decoder.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// How many bytes of the input the step used up.
    pub consumed: usize,
    /// What they completed; `None` when all of the input is used up.
    pub incoming: Option<Incoming<'a>>,
}

/// What a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping (RFC 6455, section 5.5.2).
    Ping(&'a [u8]),
    /// A pong (RFC 6455, section 5.5.3).
    Pong(&'a [u8]),
    /// A Close frame; nothing comes after it.
    Close(Option<CloseFrame<'a>>),
}

/// How a client broke the protocol.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolError {
    /// 1007
    InvalidUtf8,
    /// 1009
    TooBig,
    /// 1008
    TooManyFragments,
    // ... one variant per rule for 1002
}

impl ProtocolError {
    /// The close that answers it.
    pub const fn close(self) -> CloseReason {
        todo!()
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new(limits: DecoderLimits) -> Self {
        let _ = limits;
        todo!()
    }

    /// Takes bytes up to the end of the first message or control frame in `input`, unmasking in place.
    ///
    /// After an error, or after a Close frame, all further input is used up without an effect.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Decoded<'a>, ProtocolError> {
        let _ = input;
        todo!()
    }

    /// Bytes held for a message that is not complete yet.
    pub fn buffered(&self) -> usize {
        todo!()
    }

    /// Whether a message (or a frame's header) has begun and is not complete yet.
    pub fn in_message(&self) -> bool {
        todo!()
    }
}

//! Violations of the WebSocket protocol, and the close reason for each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::CloseReason;

/// How a client violated the protocol.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtocolError {
    /// 1002: a reserved bit is set that no extension gives a meaning here (RFC 6455, section 5.2; RFC
    /// 7692, section 6).
    ReservedBits,
    /// 1002: an opcode of 3 to 7 or 11 to 15 (RFC 6455, section 5.2).
    ReservedOpcode,
    /// 1002: a control frame without FIN (RFC 6455, section 5.5).
    FragmentedControl,
    /// 1002: a continuation where no message has begun (RFC 6455, section 5.4).
    UnexpectedContinuation,
    /// 1002: a new message inside a fragmented one (RFC 6455, section 5.4).
    UnexpectedData,
    /// 1002: a frame without a mask (RFC 6455, section 5.1).
    UnmaskedFrame,
    /// 1002: a control frame of more than 125 bytes (RFC 6455, section 5.5).
    ControlTooLong,
    /// 1002: a 64-bit length with the top bit set (RFC 6455, section 5.2).
    LengthOverflow,
    /// 1002: a Close body of one byte (RFC 6455, section 5.5.1).
    CloseTooShort,
    /// 1002: a code that must not be sent in a Close frame (RFC 6455, section 7.4).
    CloseCode,
    /// 1007: text, or the reason of a Close, that is not UTF-8 (RFC 6455, section 8.1).
    InvalidUtf8,
    /// 1009: a message over the limit (RFC 6455, section 10.4).
    TooBig,
    /// 1008: a message in more fragments than the limit.
    TooManyFragments,
    /// 1002: a compressed message that is not compressed data (RFC 1951), does not end where a block
    /// ends, or refers to an earlier message (RFC 7692, section 7.2.2).
    BadDeflate,
    /// 1008: a compressed message in more blocks than its length explains.
    TooManyBlocks,
}

impl ProtocolError {
    /// Returns the reason to close with (RFC 6455, section 7.4.1).
    pub const fn close(self) -> CloseReason {
        match self {
            Self::InvalidUtf8 => CloseReason::InvalidUtf8,
            Self::TooBig => CloseReason::TooBig,
            Self::TooManyFragments | Self::TooManyBlocks => CloseReason::Policy,
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::FragmentedControl
            | Self::UnexpectedContinuation
            | Self::UnexpectedData
            | Self::UnmaskedFrame
            | Self::ControlTooLong
            | Self::LengthOverflow
            | Self::CloseTooShort
            | Self::CloseCode
            | Self::BadDeflate => CloseReason::ProtocolError,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "a reserved bit is set",
            Self::ReservedOpcode => "the opcode is reserved",
            Self::FragmentedControl => "a control frame must not be fragmented",
            Self::UnexpectedContinuation => "a continuation without a message to continue",
            Self::UnexpectedData => "a new message inside a fragmented one",
            Self::UnmaskedFrame => "a client's frames must be masked",
            Self::ControlTooLong => "a control frame may have at most 125 bytes",
            Self::LengthOverflow => "the top bit of a frame's length is set",
            Self::CloseTooShort => "the body of a Close frame has one byte",
            Self::CloseCode => "the code must not be sent in a Close frame",
            Self::InvalidUtf8 => "the text is not UTF-8",
            Self::TooBig => "the message is over the limit",
            Self::TooManyFragments => "the message has too many fragments",
            Self::BadDeflate => "the compressed data is malformed",
            Self::TooManyBlocks => "the compressed message has too many blocks",
        })
    }
}

impl std::error::Error for ProtocolError {}

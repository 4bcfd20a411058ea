//! The WebSocket protocol: frames (RFC 6455) and their compression (RFC 7692).

pub(crate) mod decoder;
pub(crate) mod deflate;
pub(crate) mod frame;

pub use self::decoder::{Decoded, Decoder, DecoderLimits, Deflated, Incoming, ProtocolError};
pub use self::deflate::{Deflater, Inflated, Inflater, Twin};
pub use self::frame::{CloseFrame, Frame};

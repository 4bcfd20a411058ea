//! Compressed messages (RFC 7692, section 7.2).
//!
//! Without context takeover in either direction, each message is compressed independently: a connection
//! keeps nothing between two messages, one inflater and one deflater serve all connections of a thread,
//! and a compressed message is the same for all recipients.
//!
//! The short messages of a room may also be compressed one after another. The result is the same for
//! all connections that have received the messages before it.

mod context;
mod deflater;
mod inflater;
mod twin;

pub(crate) use self::context::{CONTEXT_BITS, CONTEXT_MESSAGE, ContextDeflater};
pub use self::deflater::Deflater;
pub use self::inflater::{Inflated, Inflater};
pub use self::twin::Twin;

/// What a flush ends with, and a sender leaves out at the end of a message (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

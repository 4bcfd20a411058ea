//! Compressed messages (RFC 7692, section 7.2).
//!
//! Without context takeover in either direction, each message is compressed by itself: a connection
//! keeps nothing between two messages, one inflater and one deflater serve all connections of a thread,
//! and what is compressed once is the same for all.

mod deflater;
mod inflater;
mod room_message;
mod twin;

pub use self::deflater::Deflater;
pub use self::inflater::{Inflated, Inflater};
pub use self::room_message::RoomMessage;
pub use self::twin::Twin;

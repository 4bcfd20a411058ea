//! Compressed messages (RFC 7692, section 7.2).
//!
//! Without context takeover in either direction, each message is compressed by itself: a connection
//! keeps nothing between two messages, and one inflater serves all connections of a thread.

mod inflater;

pub use self::inflater::{Inflated, Inflater};

//! Positions as the protocol has them.

use std::borrow::Cow;

use serde::Serialize;

/// A position in a room: a number in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Since<'a> {
    /// Identifies the life of the room.
    pub epoch: Cow<'a, str>,
    /// The number of the last message that was seen; 0 for none.
    pub seq: u64,
}

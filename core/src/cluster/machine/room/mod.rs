//! One room as this node knows it.

// Imports and calls point downwards:
//
//   catch_up           follows the log
//   state              the room
//   outbox, buffer     parts of it

mod buffer;
mod catch_up;
mod outbox;
mod state;

pub(super) use self::catch_up::Read;
pub(super) use self::state::{Room, Stage};

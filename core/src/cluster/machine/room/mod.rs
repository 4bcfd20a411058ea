//! One room as this node knows it.

// Imports and calls point downwards:
//
//   catch_up                       follows the log
//   state                          the room
//   outbox, occupants, seats, local, buffer, past, asks   parts of it
//   own                            a part of occupants
//   listed                         a part of both

mod asks;
mod buffer;
mod catch_up;
mod listed;
mod local;
mod occupants;
mod outbox;
mod own;
mod past;
mod seats;
mod state;

pub(super) use self::catch_up::Read;
pub(super) use self::listed::Change;
pub(super) use self::occupants::OccupantChanges;
pub(super) use self::seats::Decision;
pub(super) use self::state::{Room, Stage};

//! One server-side connection, sans-IO: takes bytes and the application's answers, and produces
//! calls of the application and events for the [`Switchboard`](crate::Switchboard).
//!
//! ```text
//!          receive                       next, reply
//! bytes ───────────▶ handshake, decoder ─────────────▶ Step::Call ──▶ application
//!                         │   ▲                            │
//!                         │   └── backlog, while a hook is busy
//!                         ▼                                │ reply
//!                   Node (the switchboard) ◀───────────────┘
//! ```
//! A session decides how its input is read, in which order the application is called, what is queued
//! behind a busy hook and for how long, and what is dropped when the connection ends. A driver reads,
//! writes, calls hooks, polls their futures and catches their panics.

mod admission;
mod admitted;
mod backlog;
mod call;
mod deferring;
mod deflating;
mod hooks;
mod inflating;
mod input;
mod node;
mod posting;
mod queue;
mod receive;
mod room_changes;
mod state;
mod update;

pub use self::admitted::{Admission, Data};
pub use self::call::{Call, Ended, Lobby, Login, Reply, Step};
pub use self::node::{Held, LocalNode, Node};
pub use self::receive::{Received, Turn};
pub use self::room_changes::RoomChanges;
pub use self::state::{BACKLOG, Session};
pub use crate::bucket::Meter;

//! All policy over all connections of a node, sans-IO.
//!
//! Events and commands go in, with the time at which they happened; actions are polled. Nothing
//! here reads a clock, a socket or a source of randomness.

mod action;
mod capacity;
mod connection;
mod devices;
mod effects;
mod encoding;
mod ips;
mod limits;
mod occupants;
mod owners;
mod pending;
mod pool;
mod queue;
mod timers;
mod wiring;

pub use self::action::{Action, Notice};
pub use self::pool::Chunk;
pub use self::wiring::{
    Denied, DrainReport, Event, Exclude, Identity, Inconsistency, JoinError, PingResult, Question,
    ReadMode, Receipt, RequestOutcome, SendError, Stats, Switchboard,
};

//! All policy over all connections of a node, sans-IO.
//!
//! Events and commands go in, with the time at which they happened; actions are polled. Nothing
//! here reads a clock, a socket or a source of randomness.
//!
//! The files of this module are sub-machines, each of which owns its state and is tested alone.
//! `wiring` holds the public type, which joins them (docs/architecture.md).

mod action;
mod arena;
mod audit;
mod capacity;
mod chunks;
mod clock;
mod connection;
mod counters;
mod deadlines;
mod devices;
mod drain;
mod effects;
mod encoding;
mod errors;
mod few;
mod fingerprints;
mod grouped;
mod held_seats;
mod histogram;
mod info_updates;
mod ips;
mod limits;
mod liveness;
mod log;
mod partials;
mod pending;
mod phase;
mod ping;
mod posts;
mod recipients;
mod recount;
mod relay;
mod rooms;
mod seats;
mod segmented_queue;
mod table;
mod timers;
mod to_all;
mod to_user;
mod users;
mod wiring;

pub use self::action::{Action, DrainReport, Notice, PingResult, UserReport};
pub use self::audit::Inconsistency;
pub use self::counters::Recoveries;
pub use self::errors::{JoinError, SendError};
pub use self::histogram::{Buckets, Quantiles};
pub use self::log::Turn as WriteTurn;
pub use self::posts::Posted;
pub use self::recipients::{Exclude, Receipt};
pub(crate) use self::relay::ClusterRequest;
pub use self::to_all::ToAll;
pub use self::to_user::ToUser;
pub(crate) use self::wiring::{Arrived, word_of};
pub use self::wiring::{
    Audit, ClusterReport, CompressedStats, ContextStats, Event, Excerpt, HistoryStats, Identity,
    InflatedStats, Publishing, Question, ReadMode, Replay, Replayed, RequestOutcome, Stats, Stored,
    Switchboard, Unlike,
};

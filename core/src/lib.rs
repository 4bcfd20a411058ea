//! The sans-IO core of Switchboard, a WebSocket connection manager.
//!
//! ```text
//!         bytes                     messages          commands, events    actions
//! socket ──────▶ Handshake, Decoder ───────▶ protocol ───────▶ Switchboard ───────▶ socket, application
//!                (per connection, no lock)                     (all connections, one lock, no I/O)
//! ```
//!
//! - [`Handshake`] and [`Decoder`] turn the bytes of one connection into a request and then into
//!   messages, in bounded steps and in any split.
//! - [`protocol`] reads and writes the JSON messages.
//! - [`Switchboard`] holds all policy: admission, users, rooms, queues, health, limits, presence
//!   and drain. Time comes in as an argument ([`Time`]), randomness as a seed.
//! - [`client`] makes the decisions of a client, such as when to reconnect.
//! - [`Frame`] is encoded once and shared by all its recipients.
//!
//! This crate has no socket, clock, thread, task, global or source of randomness.
//! `switchboard-tokio` and `switchboard-smol` drive it over real sockets.

// The order of a hash map is not deterministic; see also core/clippy.toml.
#![warn(clippy::iter_over_hash_type)]

mod address;
pub mod client;
#[doc(hidden)]
pub mod cluster;
mod config;
mod date;
mod decoder;
mod frame;
mod handshake;
mod hash;
mod id;
mod name;
mod origin;
pub mod protocol;
mod reason;
pub mod response;
pub mod session;
mod switchboard;
mod time;

pub use address::{IpKey, client_address};
pub use config::{
    Config, ConfigError, Direct, Health, HealthPing, Limits, Presence, Rate, Rates, Refusal,
    RoomRule, Rooms, SlowPolicy, Timeouts, Tokens, UserPolicy, Wire,
};
pub use decoder::{Decoded, Decoder, DecoderLimits, Incoming, ProtocolError};
pub use frame::{BadCloseCode, CloseFrame, Frame};
pub use handshake::{Endpoint, Handshake, HandshakeConfig, Request, Token};
pub use id::{ConnectionId, StaleId};
pub use name::{BadName, check_name, check_user};
pub use origin::{BadOrigin, Origins};
pub use reason::{ApplicationCode, BadRequest, CloseReason, Refused};
pub use switchboard::{
    Action, Chunk, Denied, DrainReport, Event, Exclude, Identity, Inconsistency, JoinError, Notice,
    PingResult, Question, ReadMode, Receipt, RequestOutcome, SendError, Stats, Switchboard,
};
pub use time::Time;

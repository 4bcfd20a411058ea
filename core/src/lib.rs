//! The pure heart of Switchboard: a WebSocket connection manager that does no I/O.
//!
//! ```text
//!         bytes                frames                    events                    actions
//! socket ───────▶ Handshake ──▶ Decoder ──▶ protocol ──▶ Switchboard ──▶ Send / Close / Evict / Notify ──▶ socket, application
//!                 (per connection, no lock)              (all connections, one lock, no I/O, no await)
//! ```
//!
//! - [`Handshake`] and [`Decoder`] turn the bytes of one connection into a request and then into
//!   messages, in bounded steps and in any split.
//! - [`protocol`] reads and writes the JSON messages.
//! - [`Switchboard`] holds all policy: admission, users, rooms, queues, health, limits, presence
//!   and drain. Time comes in as an argument ([`Time`]), randomness as a seed.
//! - [`client`] is the other end: what a client decides.
//! - [`Frame`] is encoded once and shared by everybody it goes to.
//!
//! This crate has no socket, clock, thread, task, global or random source. `switchboard-tokio` and
//! `switchboard-smol` drive it over real sockets.

// With core/clippy.toml: the order of a hash map is not deterministic.
#![warn(clippy::iter_over_hash_type)]

mod address;
pub mod client;
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
mod request;
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
pub use handshake::{Endpoint, Handshake, HandshakeConfig};
pub use id::{ConnectionId, StaleId};
pub use name::{BadName, check_name, check_user};
pub use origin::{BadOrigin, Origins};
pub use reason::{ApplicationCode, BadRequest, CloseReason, Refused};
pub use request::{Request, Token};
pub use switchboard::{
    Action, Chunk, Denied, DrainReport, Event, Exclude, Identity, Inconsistency, JoinError, Notice,
    PingResult, Question, ReadMode, Receipt, RequestOutcome, SendError, Stats, Switchboard,
};
pub use time::Time;

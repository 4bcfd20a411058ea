//! The sans-IO core of Switchboard, a WebSocket connection manager for servers.
//!
//! It decides who may connect, which rooms a connection is in, what is delivered to it, whether it is
//! still alive, whether it keeps up, and how it leaves. It does no I/O: bytes, commands and the time go
//! in, actions come out. Applications use `switchboard-tokio` or `switchboard-smol`, which drive it
//! over real sockets. Use this crate itself to drive it in some other way, in a simulation for
//! example.
//!
//! ```text
//!             bytes              steps, events              actions
//! socket ──▶ Session ───────────▶ Switchboard ───────────▶ driver ──▶ socket
//!               │  ▲                  ▲
//!          Call │  │ Reply            │ broadcast, send, join, close, drain
//!               ▼  │                  │
//!           application ──────────────┘
//! ```
//!
//! # Concepts
//!
//! - A **[`Switchboard`]** is one node: admission, users, rooms, queues, liveness, limits, presence and
//!   drain. Its page has a complete run loop.
//! - A **[`Session`](session::Session)** is one connection: it reads the handshake and the frames,
//!   orders the application's hooks, and bounds the backlog behind a busy one. Its page has a run loop,
//!   too.
//! - An **[`Action`]** is what a driver has to do; a **[`Notice`]** is one that concerns people, such as
//!   a log or the application.
//! - A **[`ConnectionId`]** is never reused. A call with a stale id returns [`StaleId`] or has no effect,
//!   so calls are legal in any order.
//! - A **[`Frame`]** is encoded once and shared by all its recipients.
//! - **[`Time`]** is an argument of each call, and randomness follows from a seed: the same calls give
//!   the same actions.
//!
//! # Parts that are of use by themselves
//!
//! - [`Handshake`] and [`Decoder`] turn the bytes of one connection into a request and then into
//!   messages, in bounded steps and in any split.
//! - [`protocol`] parses and encodes the JSON messages, [`response`] the HTTP responses.
//! - [`operations`] turns the statistics into health checks and metrics.
//! - [`client`] makes the decisions of a client, such as when to reconnect.
//!
//! # Features
//!
//! - `server`, on by default: everything except [`client`] and the parts that it shares with a server.
//!   A program that is only a client does not need it.
//!
//! This crate has no socket, clock, thread, task, global or source of randomness, and no `unsafe`.

// The order of a hash map is not deterministic; see also core/clippy.toml.
#![warn(clippy::iter_over_hash_type)]

mod base;
#[cfg(feature = "server")]
mod bucket;
pub mod client;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cluster;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod clustered;
#[cfg(feature = "server")]
mod config;
#[cfg(feature = "server")]
mod denied;
#[cfg(feature = "server")]
mod http;
#[cfg(feature = "server")]
pub mod operations;
#[cfg(feature = "server")]
mod presence_info;
pub mod protocol;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod recorder;
#[cfg(feature = "server")]
mod room_message;
#[cfg(feature = "server")]
pub mod session;
#[cfg(feature = "server")]
mod switchboard;
#[cfg(feature = "server")]
mod wire;

pub use base::Time;
#[cfg(feature = "server")]
pub use base::{
    ApplicationCode, BadCloseCode, BadConnectionId, BadName, CloseReason, ConnectionId, StaleId,
    Token, check_name, check_user,
};
#[cfg(feature = "server")]
pub use cluster::{ClusterStats, Order, WhenDown};
#[cfg(feature = "server")]
pub use config::{
    Clustering, Compression, Config, ConfigError, Direct, FlightRecorder, Health, HealthPing,
    History, Keep, Limits, Presence, Rate, Rates, Refusal, RoomHistory, RoomPresence, RoomRule,
    Rooms, SlowPolicy, Timeouts, UserPolicy, Wire,
};
#[cfg(feature = "server")]
pub use denied::{Denied, Reason};
#[cfg(feature = "server")]
pub use http::{
    BadOrigin, BadRequest, Endpoint, Handshake, HandshakeConfig, IpKey, Origins, PerMessageDeflate,
    Refused, Request, Tokens, UpgradeRequest, client_address, response,
};
#[cfg(feature = "server")]
pub use presence_info::{BadPresenceInfo, PresenceInfo};
#[cfg(feature = "server")]
pub use protocol::position::{BadPosition, JoinFrom, Position, Reach};
#[cfg(feature = "server")]
pub use recorder::Dump;
#[cfg(feature = "server")]
pub use room_message::RoomMessage;
#[cfg(feature = "server")]
pub use session::{Admission, Data};
#[cfg(feature = "server")]
pub use switchboard::{
    Action, Audit, Buckets, ClusterReport, CompressedStats, ContextStats, DrainReport, Event,
    Excerpt, Exclude, HistoryStats, Identity, Inconsistency, InflatedStats, JoinError, Notice,
    PingResult, Posted, Publishing, Quantiles, Question, ReadMode, Receipt, Recoveries,
    RequestOutcome, SendError, Stats, Stored, Switchboard, ToAll, ToUser, UserReport, WriteTurn,
};
#[cfg(feature = "server")]
#[doc(hidden)]
pub use switchboard::{Replay, Replayed, Unlike};
#[cfg(feature = "server")]
pub use wire::{
    CloseFrame, Decoded, Decoder, DecoderLimits, Deflated, Deflater, Frame, Incoming, Inflated,
    Inflater, ProtocolError, Twin,
};

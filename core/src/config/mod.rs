//! Limits, timeouts and policies, with their defaults and units.

mod check;
mod check_cluster;
mod check_rooms;
mod cluster;
mod compression;
mod error;
mod health;
mod history;
mod limits;
mod machine;
mod presence;
mod rate;
mod rates;
mod recorder;
mod rooms;
mod seconds;
pub(crate) mod settings;
mod timeouts;
mod users;
mod wire;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::cluster::Clustering;
pub use self::compression::Compression;
pub use self::error::ConfigError;
pub use self::health::{Health, HealthPing};
pub use self::history::{History, RoomHistory};
pub use self::limits::Limits;
pub use self::presence::{Presence, RoomPresence};
pub use self::rate::Rate;
pub use self::rates::Rates;
pub use self::recorder::FlightRecorder;
pub use self::rooms::{Keep, RoomRule, Rooms, SlowPolicy};
pub use self::timeouts::Timeouts;
pub use self::users::{Direct, UserPolicy};
pub use self::wire::{Refusal, Wire};
use crate::{Endpoint, Origins, Tokens};

/// The configuration of a switchboard.
///
/// In serialised form every field is optional. A duration is a number of seconds, which may have a
/// fraction, or a number with a unit, such as `"25s"`, `"500ms"`, `"2m"` or `"1h"`. `false`
/// switches a rate limit off.
///
/// What is serialised is read as the same again, also through TOML, which has no null. It contains the
/// URL of the broker with its password.
///
/// # Example
///
/// ```
/// # use std::time::Duration;
/// # use switchboard_core::{Config, Limits, Rates, SlowPolicy, Timeouts, UserPolicy};
/// let config = Config {
///     limits: Limits {
///         connections: 50_000,
///         ..Limits::default()
///     },
///     timeouts: Timeouts {
///         hook: Duration::from_secs(3),
///         ..Timeouts::default()
///     },
///     rates: Rates::unlimited(),
///     users: UserPolicy::Allow(3),
///     slow: SlowPolicy::DropOldest,
///     ..Config::default()
/// };
/// config.check()?;
///
/// let wrong = Config {
///     users: UserPolicy::Allow(0),
///     ..config
/// };
/// assert_eq!(wrong.check().unwrap_err().field, "users.allow");
/// # Ok::<(), switchboard_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Limits on sizes and counts.
    pub limits: Limits,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Liveness checks.
    pub health: Health,
    /// Limits on what a client may send.
    pub rates: Rates,
    /// Presence notifications.
    pub presence: Presence,
    /// What happens when a user connects again.
    pub users: UserPolicy,
    /// What happens to a member that does not keep up.
    pub slow: SlowPolicy,
    /// The history that rooms keep for clients that reconnect (none).
    pub history: History,
    /// Rules for some rooms; the first one that matches a room's name applies.
    pub room_rules: Vec<RoomRule>,
    /// Which rooms a client may enter on its own.
    pub rooms: Rooms,
    /// Whether a client may send direct messages to a user.
    pub direct: Direct,
    /// How refusals are sent to clients.
    pub refusal: Refusal,
    /// The protocol on the wire.
    pub wire: Wire,
    /// Compression of messages (none). In serialised form, `"off"` or `false` stands for `None`.
    #[serde(with = "compression")]
    pub compression: Option<Compression>,
    /// Which pages may connect.
    pub origins: Origins,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Host` are trusted (none).
    pub trusted_proxies: Vec<IpNet>,
    /// Where a request may carry its token.
    pub tokens: Tokens,
    /// Which paths are upgraded.
    pub endpoint: Endpoint,
    /// How the node takes part in a cluster (not at all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Clustering>,
    /// The path (such as `/sse`) at which clients that can open no WebSocket get an event stream
    /// (none). `GET /sse` and `GET /sse/{room}` are admitted as an upgrade at the endpoint would be, and
    /// `POST /sse/{session}` takes the messages of the client of a stream (docs/protocol.md, section 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sse: Option<String>,
    /// The flight recorder, which records the inputs and decisions of the node (off).
    pub recorder: FlightRecorder,
}

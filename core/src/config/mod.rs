//! Limits, timeouts and policies, with their defaults and units.

mod check;
mod seconds;
mod switch;
mod tokens;

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

pub use self::tokens::Tokens;
use crate::{Endpoint, Origins};

/// The configuration of a switchboard.
///
/// In serialised form every field is optional. A duration is a number of seconds, which may have a
/// fraction, or a number with a unit, such as `"25s"`, `"500ms"`, `"2m"` or `"1h"`. `false`
/// switches a rate limit off.
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
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
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
    /// Exceptions for some rooms; the first rule that matches a room's name applies.
    pub room_rules: Vec<RoomRule>,
    /// Which rooms a client may enter on its own.
    pub rooms: Rooms,
    /// Whether a client may send direct messages to a user.
    pub direct: Direct,
    /// How a client is told that it is refused.
    pub refusal: Refusal,
    /// The protocol on the wire.
    pub wire: Wire,
    /// Which pages may connect.
    pub origins: Origins,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Host` are trusted (none).
    pub trusted_proxies: Vec<IpNet>,
    /// Where a request may carry its token.
    pub tokens: Tokens,
    /// Which paths are upgraded.
    pub endpoint: Endpoint,
}

/// Limits on sizes and counts. Each must be at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Admitted connections (10 000).
    pub connections: usize,
    /// Connections that are not admitted yet, or that are refused and not gone yet (1 000). The
    /// same number of further connections can be told that there is no seat, and the same number
    /// can wait for a page or read it.
    ///
    /// Once half of these seats are taken, one address may hold at most a tenth of them, but at
    /// least 20, including its pages and refusals; further connections of that address are dropped.
    /// With 20 seats or fewer, one address can take them all.
    pub handshakes: usize,
    /// Connections of one address: an IPv4 address or an IPv6 /64 network (100). A refused one
    /// counts until it is gone.
    pub per_ip: usize,
    /// Connections in one room (1 000).
    pub room_members: usize,
    /// Rooms of one connection (100).
    pub rooms_per_connection: usize,
    /// Rooms of the node (100 000). Once half of them exist, the clients of one address create no
    /// more while it holds a tenth of them, at least 20 (an IPv6 /56: two tenths, a /48: three).
    pub rooms: usize,
    /// Bytes of the name of a user or a room (128).
    pub name_bytes: usize,
    /// Bytes of one message from a client (64 KiB).
    pub message_bytes: usize,
    /// Fragments of one message from a client (1 024).
    pub fragments: usize,
    /// Bytes of unfinished messages over all connections (64 MiB). Messages that wait for hooks may
    /// take the same amount again; beyond it, connections whose hooks are busy are not read.
    pub unfinished_bytes: usize,
    /// Bytes queued for one connection (1 MiB).
    pub queue_bytes: usize,
    /// Messages queued for one connection (1 024).
    pub queue_messages: usize,
    /// Unsent bytes of one connection that the kernel holds beside its queue (4 MiB), so that the
    /// queue shows how slow a reader is, and a slow reader gets recent messages. Bytes in flight do
    /// not count. Applies on Linux to TCP streams that the hub itself reads and writes.
    ///
    /// With 64 KiB a slow reader's pings are never stuck and what it is shown is recent. The default
    /// leaves the kernel its buffers: a queue of 1 MiB alone closes readers that fall behind a burst.
    pub unsent_bytes: usize,
    /// Bytes of memory of all queues; a frame queued for many connections counts once (256 MiB).
    /// Above it, connections whose sockets do not take bytes are closed (4101), those with the
    /// longest queues first. Where that would not help, publishers wait, and sends of the
    /// application are refused with [`SendError::Busy`](crate::SendError::Busy).
    pub queued_bytes: usize,
    /// Connections that are closing but not gone (1 000).
    pub closing: usize,
    /// Bytes in a connection's queue above which reading from it pauses; `None` (the default) never
    /// pauses.
    pub pause_reading: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes: 1_000,
            per_ip: 100,
            room_members: 1_000,
            rooms_per_connection: 100,
            rooms: 100_000,
            name_bytes: 128,
            message_bytes: 64 << 10,
            fragments: 1_024,
            unfinished_bytes: 64 << 20,
            queue_bytes: 1 << 20,
            queue_messages: 1_024,
            unsent_bytes: 4 << 20,
            queued_bytes: 256 << 20,
            closing: 1_000,
            pause_reading: None,
        }
    }
}

/// Timeouts. Each must be positive and at most a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From accepting the connection to the end of the request's head (10 s).
    #[serde(with = "seconds")]
    pub handshake: Duration,
    /// One call of a hook (10 s).
    #[serde(with = "seconds")]
    pub hook: Duration,
    /// From the upgrade to the `auth` message, where the client logs in with one (5 s).
    #[serde(with = "seconds")]
    pub auth: Duration,
    /// From the first byte of a message to its last (30 s).
    #[serde(with = "seconds")]
    pub message: Duration,
    /// How long bytes may wait without any of them being written (30 s). A page of which some is
    /// written may take one more second for each KiB.
    #[serde(with = "seconds")]
    pub write_stall: Duration,
    /// From the decision to close to the end of the TCP connection (5 s). Also how long a client's
    /// Close waits for the hooks of earlier messages.
    #[serde(with = "seconds")]
    pub close: Duration,
    /// Like `close`, for a refused connection (1 s).
    #[serde(with = "seconds")]
    pub refusal: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            hook: Duration::from_secs(10),
            auth: Duration::from_secs(5),
            message: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            close: Duration::from_secs(5),
            refusal: Duration::from_secs(1),
        }
    }
}

/// Liveness checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// The interval between two pings of a connection (25 s).
    #[serde(with = "seconds")]
    pub ping_interval: Duration,
    /// A connection from which nothing arrives for this long after a ping is evicted (10 s). The
    /// time starts when the socket has taken the ping, so that a slow reader can first take what
    /// was written before. A socket that takes nothing is subject to [`Timeouts::write_stall`].
    #[serde(with = "seconds")]
    pub ping_timeout: Duration,
    /// Whether `health_ping` messages are sent (off).
    pub health_ping: HealthPing,
    /// A call that comes later than the deadline by more than this is taken for a stall of the
    /// host, not of its clients (1 s).
    #[serde(with = "seconds")]
    pub stall_threshold: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(10),
            health_ping: HealthPing::Off,
            stall_threshold: Duration::from_secs(1),
        }
    }
}

/// Use of the `health_ping` message, for proxies that answer pings on behalf of clients that are
/// gone.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthPing {
    /// Protocol pings check liveness.
    #[default]
    Off,
    /// `health_ping` checks liveness, and only a message counts as life.
    All,
    /// Like `Off`, but `ping_user` sends `health_ping`.
    Demand,
}

/// Limits on what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Messages and control frames of one connection (100 per second, burst 200).
    #[serde(deserialize_with = "switch::rate")]
    pub messages: Option<Rate>,
    /// Payload bytes of one connection (1 MiB per second, burst 2 MiB).
    #[serde(deserialize_with = "switch::rate")]
    pub bytes: Option<Rate>,
    /// Connects of one address, including those for pages (50 per second, burst 1 000). Charged on
    /// arrival; where the peer is a trusted proxy, charged to the client once its address is known.
    #[serde(deserialize_with = "switch::rate")]
    pub connects: Option<Rate>,
    /// Strikes within `strike_window` that close a connection (10). A message over the limit is a
    /// strike, and so is one that cannot be understood.
    pub strikes: u32,
    /// How long a strike counts (10 s).
    #[serde(with = "seconds")]
    pub strike_window: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            messages: Some(Rate {
                per_second: 100,
                burst: 200,
            }),
            bytes: Some(Rate {
                per_second: 1 << 20,
                burst: 2 << 20,
            }),
            connects: Some(Rate {
                per_second: 50,
                burst: 1_000,
            }),
            strikes: 10,
            strike_window: Duration::from_secs(10),
        }
    }
}

impl Rates {
    /// Returns defaults without any rate limit.
    pub fn unlimited() -> Self {
        Self {
            messages: None,
            bytes: None,
            connects: None,
            ..Self::default()
        }
    }
}

/// A rate with a burst, enforced by the generic cell rate algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Units per second in the long run.
    pub per_second: u64,
    /// Units that can be used at once.
    pub burst: u64,
}

/// Presence notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether there is presence (yes).
    pub enabled: bool,
    /// The grace period: how long a user whose last connection was lost still counts as present
    /// (3 s).
    #[serde(with = "seconds")]
    pub leave_grace: Duration,
    /// How long changes are collected into one message (250 ms).
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// The largest number of users that one message names (50).
    pub full: usize,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            enabled: true,
            leave_grace: Duration::from_secs(3),
            interval: Duration::from_millis(250),
            full: 50,
        }
    }
}

/// What happens when a user connects again.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserPolicy {
    /// The older connection is closed (1000 `replaced`).
    #[default]
    Replace,
    /// The newer connection is refused (4005 `already_connected`), unless the older one is dead. If
    /// nothing arrived from the older one for a second, it is pinged, and the newer one waits for a
    /// second. If nothing arrives in that time, or if its socket took no bytes for a second, the
    /// older one is closed (1000 `replaced`). An older one that is not read because of a busy hook
    /// or a long queue need not answer.
    Reject,
    /// Up to this many connections; a further one closes the oldest (1000 `replaced`).
    Allow(usize),
}

/// What happens to a member whose queue is full.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowPolicy {
    /// The member is closed (4101 `slow_consumer`).
    #[default]
    Disconnect,
    /// The oldest room messages in its queue are dropped.
    DropOldest,
    /// The room message that does not fit is dropped.
    DropNewest,
}

/// An exception for rooms whose names start with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomRule {
    /// The start of the name.
    pub prefix: String,
    /// The slow policy; `None` for that of the node.
    #[serde(default)]
    pub slow: Option<SlowPolicy>,
    /// Whether there is presence; `None` for the setting of the node.
    #[serde(default)]
    pub presence: Option<bool>,
}

/// Which rooms a client may enter on its own.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rooms {
    /// Those that the hook `authorize_join` allows; without that hook, only the lobby.
    #[default]
    Ask,
    /// All rooms.
    Open,
}

/// Whether a client may send direct messages to a user.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direct {
    /// If the hook `authorize_direct` allows it; without that hook, never.
    #[default]
    Ask,
    /// Always.
    Open,
}

/// How a client is told that it is refused, where there is a choice.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Completes the upgrade, then closes with a code, because browsers hide the HTTP status.
    #[default]
    Close,
    /// Answers with the HTTP status, without an upgrade.
    Http,
}

/// The protocol on the wire.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// The JSON protocol.
    #[default]
    Json,
    /// Only what the application sends; verdicts are close codes.
    Raw,
}

/// A configuration value that breaks a rule.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// The rule.
    pub rule: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for ConfigError {}

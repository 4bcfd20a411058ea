//! Every limit, delay and policy, with its default and unit; checked once.

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

/// What a switchboard promises and demands. All of it can be changed; [`Config::check`] says
/// what does not go together.
///
/// In serialised form every field may be left out. A duration is a number of seconds, fractions
/// allowed, or a number with its unit, such as `"25s"`, `"500ms"`, `"2m"` or `"1h"`. A rate is
/// switched off with `false`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much of each thing there may be.
    pub limits: Limits,
    /// How long each thing may take.
    pub timeouts: Timeouts,
    /// How it is found out who is still there.
    pub health: Health,
    /// How much a client may send.
    pub rates: Rates,
    /// Who is told who is there.
    pub presence: Presence,
    /// What happens when a user connects again.
    pub users: UserPolicy,
    /// What happens to a member that does not keep up.
    pub slow: SlowPolicy,
    /// Exceptions for some rooms; the first rule that fits a room's name counts.
    pub room_rules: Vec<RoomRule>,
    /// Which rooms a client may enter by its own wish.
    pub rooms: Rooms,
    /// Whether a client may send to a user.
    pub direct: Direct,
    /// How a refusal is told.
    pub refusal: Refusal,
    /// What is spoken on the wire.
    pub wire: Wire,
    /// Which pages may connect.
    pub origins: Origins,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Host` are believed; none by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Where a request may carry its token.
    pub tokens: Tokens,
    /// Which paths are upgraded.
    pub endpoint: Endpoint,
}

/// How much of each thing there may be. Zero is not a limit but an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Admitted connections (10 000).
    pub connections: usize,
    /// Connections that are not admitted yet, or refused and not gone yet (1 000). As many again may
    /// be told that there is no seat, and as many may wait for a page or read it.
    ///
    /// Once half of these seats are taken, one address holds at most a tenth of them, and at least 20,
    /// with its pages and its refusals; what it brings beyond that is dropped. With 20 seats or fewer
    /// one address can take them all.
    pub handshakes: usize,
    /// Connections of one address: IPv4, or IPv6 /64 (100). A refused one counts until it has gone.
    pub per_ip: usize,
    /// Connections in one room (1 000).
    pub room_members: usize,
    /// Rooms of one connection (100).
    pub rooms_per_connection: usize,
    /// Rooms in all (100 000).
    pub rooms: usize,
    /// Bytes of a user's or a room's name (128).
    pub name_bytes: usize,
    /// Bytes of one message from a client (64 KiB).
    pub message_bytes: usize,
    /// Fragments of one message from a client (1 024).
    pub fragments: usize,
    /// Bytes of unfinished messages over all connections (64 MiB). What has come in and waits for
    /// busy hooks may be as much again: beyond that, connections whose hooks are busy are not read.
    pub unfinished_bytes: usize,
    /// Bytes queued for one connection (1 MiB).
    pub queue_bytes: usize,
    /// Messages queued for one connection (1 024).
    pub queue_messages: usize,
    /// Unsent bytes that the kernel holds of one connection beside its queue (64 KiB), so that a slow
    /// reader shows in the queue and is shown what is recent; sent bytes on their way do not count. On
    /// Linux, for TCP streams that the hub itself reads and writes.
    pub unsent_bytes: usize,
    /// Bytes that what is queued over all connections takes; a frame that waits for many of them
    /// counts once (256 MiB). When it is passed, connections whose sockets do not take bytes are closed
    /// (4101), those with the most waiting first; where that would not help, publishers wait, and what
    /// the application sends is refused ([`SendError::Busy`](crate::SendError::Busy)).
    pub queued_bytes: usize,
    /// Connections that are ending but not gone (1 000).
    pub closing: usize,
    /// Bytes in a connection's queue above which nothing is read from it; `None` (the default)
    /// never pauses.
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
            unsent_bytes: 64 << 10,
            queued_bytes: 256 << 20,
            closing: 1_000,
            pause_reading: None,
        }
    }
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From the connect to the end of the request's head (10 s).
    #[serde(with = "seconds")]
    pub handshake: Duration,
    /// One call of a hook of the application (10 s).
    #[serde(with = "seconds")]
    pub hook: Duration,
    /// From the upgrade to the `auth` message, where that is how a client logs in (5 s).
    #[serde(with = "seconds")]
    pub auth: Duration,
    /// From the first byte of a message to its last (30 s).
    #[serde(with = "seconds")]
    pub message: Duration,
    /// How long bytes may wait without one going out (30 s). A page that flows may take longer, by a
    /// second for each KiB of it.
    #[serde(with = "seconds")]
    pub write_stall: Duration,
    /// From the decision to close to the end of the TCP connection (5 s). Also how long a client's
    /// Close waits for the hooks of what came before it.
    #[serde(with = "seconds")]
    pub close: Duration,
    /// The same for a refused connection (1 s).
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

/// How it is found out who is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Each connection is pinged once in this time (25 s).
    #[serde(with = "seconds")]
    pub ping_interval: Duration,
    /// Who is not heard for this long after a ping is evicted (10 s). It runs from when the socket has
    /// taken the ping: a slow reader has its time for what was written before. A socket that takes
    /// nothing is subject to [`Timeouts::write_stall`].
    #[serde(with = "seconds")]
    pub ping_timeout: Duration,
    /// Whether `health_ping` messages are sent as well (off).
    pub health_ping: HealthPing,
    /// A call that comes later than promised by more than this means that the host stood still,
    /// not its clients (1 s).
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

/// Whether the application-level `health_ping` is in use, for proxies that answer pings in the
/// name of clients that are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthPing {
    /// Connections are kept alive by protocol pings.
    #[default]
    Off,
    /// Connections are kept alive by `health_ping`, and only a message counts as life.
    All,
    /// As `Off`; `health_ping` is sent by `ping_user` alone.
    Demand,
}

/// How much a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Messages and control frames of one connection (100 per second, burst 200).
    #[serde(deserialize_with = "switch::rate")]
    pub messages: Option<Rate>,
    /// Bytes of payload of one connection (1 MiB per second, burst 2 MiB).
    #[serde(deserialize_with = "switch::rate")]
    pub bytes: Option<Rate>,
    /// Connects of one address, whatever they ask for (50 per second, burst 1 000). They are charged
    /// on arrival; where the peer is a trusted proxy, to the client once it is known.
    #[serde(deserialize_with = "switch::rate")]
    pub connects: Option<Rate>,
    /// Messages over the limit, or not understood, within `strike_window` that close a
    /// connection (10).
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
    /// No rate limit at all.
    pub fn unlimited() -> Self {
        Self {
            messages: None,
            bytes: None,
            connects: None,
            ..Self::default()
        }
    }
}

/// A rate with a burst (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Units per second over time.
    pub per_second: u64,
    /// Units at once.
    pub burst: u64,
}

/// Who is told who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether there is presence at all (yes).
    pub enabled: bool,
    /// How long a user whose last connection ended by itself is still there (3 s).
    #[serde(with = "seconds")]
    pub leave_grace: Duration,
    /// How long changes are collected before they are told (250 ms).
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// The most users that are told by name in one message (50).
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserPolicy {
    /// The older connection is closed (1000 `replaced`).
    #[default]
    Replace,
    /// The newer connection is refused (4005 `already_connected`), unless the older one is dead:
    /// where nothing was heard from it for a second, it is pinged, and the newer one waits for a
    /// second. If nothing is heard until then either, or its socket took no bytes for a second, the
    /// older one is closed (1000 `replaced`). One that is not read for our own reasons, a busy hook
    /// or a long queue, need not answer.
    Reject,
    /// Several devices; when there are more than this, the oldest goes (1000 `replaced`).
    Allow(usize),
}

/// What happens to a member whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowPolicy {
    /// It is closed (4101 `slow_consumer`).
    #[default]
    Disconnect,
    /// The oldest room messages that wait for it are dropped.
    DropOldest,
    /// The room message that does not fit is dropped.
    DropNewest,
}

/// An exception for the rooms whose name starts with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomRule {
    /// How the name starts.
    pub prefix: String,
    /// What happens to slow members there; `None`: as everywhere.
    #[serde(default)]
    pub slow: Option<SlowPolicy>,
    /// Whether there is presence; `None`: as everywhere.
    #[serde(default)]
    pub presence: Option<bool>,
}

/// Which rooms a client may enter by its own wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rooms {
    /// Those that the hook `authorize_join` allows: without one, only the lobby of its URL.
    #[default]
    Ask,
    /// All, unasked.
    Open,
}

/// Whether a client may send to a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direct {
    /// If the hook `authorize_direct` allows it: without one, never.
    #[default]
    Ask,
    /// Always, unasked.
    Open,
}

/// How a refusal is told where there is a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Upgrade, then close with the code: browsers hide the HTTP status.
    #[default]
    Close,
    /// By the HTTP status, without an upgrade.
    Http,
}

/// What is spoken on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// The JSON protocol.
    #[default]
    Json,
    /// Whatever the application sends; verdicts are close codes.
    Raw,
}

/// A configuration that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The field, with its path.
    pub field: &'static str,
    /// What it was.
    pub value: String,
    /// What it must be.
    pub rule: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for ConfigError {}

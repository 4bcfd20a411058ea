//! Liveness checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// Liveness checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// The interval between two pings of a connection (25 s).
    #[serde(with = "seconds")]
    pub ping_interval: Duration,
    /// A connection from which nothing arrives for this long after a ping is evicted (10 s). The
    /// time starts when the socket has taken the ping, so that a slow reader can first take what
    /// was written before. A socket that takes nothing is subject to
    /// [`Timeouts::write_stall`](super::Timeouts::write_stall).
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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

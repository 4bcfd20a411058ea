//! Timeouts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// Timeouts. Each must be positive and at most a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
    /// How long bytes may wait without any of them being written (30 s). A page that is being written
    /// may take one more second for each KiB.
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

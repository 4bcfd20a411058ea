//! Limits on what a client may send.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rate::{self, Rate};
use super::seconds;

/// Limits on what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Messages and control frames of one connection (100 per second, burst 200).
    #[serde(with = "rate")]
    pub messages: Option<Rate>,
    /// Payload bytes of one connection (1 MiB per second, burst 2 MiB).
    #[serde(with = "rate")]
    pub bytes: Option<Rate>,
    /// Connects of one address, including those for pages (50 per second, burst 1 000). Charged on
    /// arrival; where the peer is a trusted proxy, charged to the client once its address is known.
    #[serde(with = "rate")]
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

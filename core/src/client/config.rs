//! The client's configuration and constants.

use std::time::Duration;

/// The configuration of a client. Fractions of milliseconds are ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineConfig {
    /// The seed of the random delays. Give each client its own, so that clients do not reconnect in
    /// step.
    pub seed: u32,
    /// The upper bound of the first random delay before reconnecting (500 ms).
    pub min: Duration,
    /// The limit up to which that bound grows (20 s).
    pub max: Duration,
    /// The factor by which the bound grows with each failure (2).
    pub factor: f64,
    /// The number of attempts without a stable connection after which to give up (0: no limit).
    pub attempts: u32,
    /// The timeout for opening (15 s), which exceeds the server's timeout for its hook.
    pub open: Duration,
    /// The timeout for the answer to a request, from sending it (10 s).
    pub request: Duration,
    /// The name under which all connections of this client belong together, sent with each connect
    /// (none). 1 to 64 characters of `A-Z a-z 0-9 - _`, with 128 random bits.
    pub session: String,
    /// Whether the application provides tokens (no).
    pub token: bool,
    /// Whether messages are queued while there is no connection, unless a message says otherwise
    /// (no).
    pub queue: bool,
    /// The maximum number of queued messages (100).
    pub count: usize,
    /// The maximum size of all queued messages, in bytes (256 KiB).
    pub bytes: usize,
    /// The maximum time in the queue (30 s).
    pub age: Duration,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            min: Duration::from_millis(500),
            max: Duration::from_secs(20),
            factor: 2.0,
            attempts: 0,
            open: Duration::from_secs(15),
            request: Duration::from_secs(10),
            session: String::new(),
            token: false,
            queue: false,
            count: 100,
            bytes: 256 * 1024,
            age: Duration::from_secs(30),
        }
    }
}

/// The minimum delay after the server was full.
pub(super) const FULL: Duration = Duration::from_secs(5);
/// The maximum delay for [`Verdict::Jitter`](super::Verdict::Jitter).
pub(super) const JITTER: Duration = Duration::from_secs(1);
/// The time after `welcome` from which a connection counts as stable.
pub(super) const STABLE: Duration = Duration::from_secs(5);
/// The timeout for `welcome`, once the socket is open.
pub(super) const WELCOME: Duration = Duration::from_secs(10);
/// The silence before a `ping`, unless `welcome` gives an interval.
pub(super) const SILENCE: Duration = Duration::from_secs(25);
/// The timeout for any message after a `ping`.
pub(super) const PONG: Duration = Duration::from_secs(10);
/// The same after an event that suggests that the connection may be dead.
pub(super) const PROBE: Duration = Duration::from_secs(3);
/// A tick later than this means that the client was stalled, not that the server was silent.
pub(super) const STALL: Duration = Duration::from_secs(2);
/// The minimum delay while the network is reported down.
pub(super) const OFFLINE: Duration = Duration::from_secs(20);
/// The pause between closing a connection and opening the next one on `Reconnect`.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// The delay after `rate_limited`, unless that gives one, and the minimum before a token is refreshed.
pub(super) const AGAIN: Duration = Duration::from_secs(1);
/// The delay after a token could not be refreshed.
pub(super) const REFRESH: Duration = Duration::from_secs(5);
/// The maximum number of failed requests remembered for a late answer.
pub(super) const LATE: usize = 1_024;
/// The maximum number of own messages remembered above a position.
pub(super) const OWN: usize = 1_024;
/// The maximum number of channels remembered that were not subscribed.
pub(super) const LOBBIES: usize = 1_024;

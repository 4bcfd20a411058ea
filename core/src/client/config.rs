//! What can be set, and what cannot.

use std::time::Duration;

/// What can be set of a client. Fractions of milliseconds are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Of the random delays. Every client needs its own: that is what keeps them apart.
    pub seed: u32,
    /// The first ceiling of the random delay before coming back (500 ms).
    pub min: Duration,
    /// Its last ceiling (20 s).
    pub max: Duration,
    /// What it grows by with each failure (2).
    pub factor: f64,
    /// How many attempts without a stable connection before giving up (0: no limit).
    pub attempts: u32,
    /// How long opening may take (15 s): longer than a server gives its hook to answer.
    pub open: Duration,
    /// How long the answer to a request may take, from when it was sent (10 s).
    pub request: Duration,
    /// Whether there is somebody to ask for tokens (no).
    pub token: bool,
    /// Whether messages wait for a connection, unless a message says otherwise (no).
    pub queue: bool,
    /// How many messages may wait (100).
    pub count: usize,
    /// With how many bytes in all (256 KiB).
    pub bytes: usize,
    /// For how long (30 s).
    pub age: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            min: Duration::from_millis(500),
            max: Duration::from_secs(20),
            factor: 2.0,
            attempts: 0,
            open: Duration::from_secs(15),
            request: Duration::from_secs(10),
            token: false,
            queue: false,
            count: 100,
            bytes: 256 * 1024,
            age: Duration::from_secs(30),
        }
    }
}

/// The shortest wait for a server that was full.
pub(super) const FULL: Duration = Duration::from_secs(5);
/// The longest wait before coming back "at once".
pub(super) const JITTER: Duration = Duration::from_secs(1);
/// How long after `welcome` a connection counts as stable.
pub(super) const STABLE: Duration = Duration::from_secs(5);
/// How long `welcome` may take after that.
pub(super) const WELCOME: Duration = Duration::from_secs(10);
/// The silence before a `ping`, where `welcome` does not tell.
pub(super) const SILENCE: Duration = Duration::from_secs(25);
/// How long a `ping` after silence waits for any message.
pub(super) const PONG: Duration = Duration::from_secs(10);
/// The same after waking up.
pub(super) const PROBE: Duration = Duration::from_secs(3);
/// A tick that comes later than this tells of our own sleep, not of the server's silence.
pub(super) const STALL: Duration = Duration::from_secs(2);
/// The shortest wait while the network is said to be down.
pub(super) const OFFLINE: Duration = Duration::from_secs(20);
/// How long a closed connection may take to be gone before `Reconnect` opens the next one.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// The wait after `rate_limited` where it does not tell.
pub(super) const AGAIN: Duration = Duration::from_secs(1);
/// Requests whose end was told that are remembered for the sake of a late answer.
pub(super) const LATE: usize = 1_024;
/// Channels that are remembered though nobody has subscribed them.
pub(super) const LOBBIES: usize = 1_024;

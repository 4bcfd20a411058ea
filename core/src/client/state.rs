//! The state of a client's connection.

use super::frame::ServerText;
use crate::Time;

/// The state of a connection.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started yet.
    Idle,
    /// Requesting a token, dialing, or waiting for `welcome`.
    Connecting {
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
    /// Connected and welcomed.
    Connected {
        /// The server's `welcome`.
        welcome: ServerText,
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
    /// Waiting before the next attempt.
    Waiting {
        /// The end of the wait; `None` if only an event ends it.
        until: Option<Time>,
        /// The reason for waiting.
        why: WaitReason,
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
    /// Stopped until started again.
    Stopped {
        /// The reason.
        why: StopReason,
        /// How the last connection or attempt ended.
        last: Option<Close>,
    },
}

/// How a connection or an attempt ended.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The close code; 1006 where there was none.
    pub code: u16,
    /// The reason that the server gave; may be empty.
    pub reason: String,
    /// The stage that it had reached.
    pub stage: Stage,
    /// Whether the client gave up because the server did not answer.
    pub silent: bool,
}

/// The stage that a connection has reached.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The socket was not open yet.
    Dialing,
    /// The socket was open, but there was no `welcome` yet.
    Opened,
    /// The `welcome` had arrived.
    Welcomed,
}

/// Why a client waits. No event shortens a wait for `Told` or `Full`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// A random delay that grows with each failure.
    Backoff,
    /// The server was full.
    Full,
    /// A random delay of at most a second.
    Jitter,
    /// The server said when to reconnect.
    Told,
    /// The host reports that the network is down.
    Offline,
    /// The host is suspended.
    Suspended,
    /// The application asked to start over.
    Asked,
}

/// Why a client stopped.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The application asked for it.
    Asked,
    /// The close code forbids reconnecting.
    Code,
    /// The maximum number of attempts was reached.
    Attempts,
    /// No token could be obtained.
    Token,
}

//! The inputs and outputs of the client's state machine.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::frame::ServerText;
use crate::Time;
use crate::protocol::{Content, Since};

/// An input. After a socket was closed ([`Output::Close`] or [`Input::Closed`]), pass no further
/// events of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// Connects, if the client is idle or stopped.
    Start,
    /// Disconnects until the next `Start` or `Reconnect`.
    Stop,
    /// Starts over at once, in any state.
    Reconnect,
    /// The dial succeeded.
    Opened,
    /// The socket closed or the dial failed. `code` is that of the Close frame, 1006 if there was
    /// none, or derived from the HTTP status of a refusal ([`status_code`]).
    Closed {
        /// The close code.
        code: u16,
        /// The reason that the server gave; may be empty.
        reason: &'a str,
    },
    /// A message arrived. Even an unreadable one counts as a sign of life.
    Message {
        /// The text; empty for a binary message.
        text: &'a str,
    },
    /// The requested token is available.
    Token,
    /// The requested token could not be obtained.
    TokenFailed {
        /// Whether to stop instead of trying again.
        last: bool,
    },
    /// The deadline has passed.
    Tick,
    /// The host reports that the network is up.
    Online,
    /// The host reports that the network is down.
    Offline,
    /// The application became visible.
    Visible,
    /// The application was hidden.
    Hidden,
    /// The host is about to be suspended.
    Suspend,
    /// The host resumed.
    Resume,
    /// Measures the round-trip time now.
    Ping,
    /// Joins a channel, now and on every later connection.
    Subscribe {
        /// The name of the channel.
        channel: &'a str,
        /// Recovers the messages after this position. Like `last`, it counts for a channel that is
        /// not subscribed yet.
        since: Option<&'a Since<'a>>,
        /// Begins with this many of the latest messages, as far as the server allows. Not used with
        /// `since`.
        last: Option<u64>,
    },
    /// Leaves a channel, and forgets the position in it.
    Unsubscribe {
        /// The name of the channel.
        channel: &'a str,
    },
    /// Sends to a channel, under the id [`next_id`](super::Machine::next_id).
    Publish {
        /// The name of the channel.
        channel: &'a str,
        /// The content.
        content: Content<'a>,
        /// The size of the message on the wire, in bytes; may be slightly too large.
        bytes: usize,
        /// Whether the client receives its own message.
        echo: Option<bool>,
        /// Whether the message waits for a connection; `None` for the configured default.
        queue: Option<bool>,
    },
    /// Sends to a user, under the id [`next_id`](super::Machine::next_id).
    Direct {
        /// The user.
        to: &'a str,
        /// The content.
        content: Content<'a>,
        /// The size of the message on the wire, in bytes; may be slightly too large.
        bytes: usize,
        /// Whether the message waits for a connection; `None` for the configured default.
        queue: Option<bool>,
    },
    /// Cancels a message that is still queued.
    Cancel {
        /// The id of the message.
        id: u64,
    },
}

/// An output. Actions must be carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Opens a socket, with the token if there is one.
    Dial {
        /// [`MachineConfig::session`](super::MachineConfig::session), for the parameter `session` of the URL;
        /// empty for none.
        session: String,
        /// The position in the lobby of the URL, for its parameter `since`.
        since: Option<String>,
    },
    /// Abandons the socket at once: sends a Close frame with 1000 and this reason if possible, and
    /// waits for nothing.
    Close {
        /// The reason; may be empty.
        reason: &'static str,
    },
    /// Requests a token. After the next [`Report::State`] the answer is no longer needed.
    GetToken(TokenReason),
    /// Sends this text.
    Send(String),
    /// A message was acknowledged.
    Done {
        /// The id of the message.
        id: u64,
        /// The `seq` of a message, or the number of connections that a `direct` reached.
        value: u64,
    },
    /// A message failed, or its outcome is unknown.
    Failed {
        /// The id of the message.
        id: u64,
        /// The reason.
        failure: Failure,
    },
    /// Notifies the application.
    Notify(Report),
}

/// A notification for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The state of the connection changed.
    State(State),
    /// A message of the server for the application.
    Deliver(ServerText),
    /// The server refused a `subscribe`. It is asked again on the next connection.
    Refused {
        /// The channel.
        channel: Arc<str>,
        /// The server's `error`.
        frame: ServerText,
    },
    /// The connection was already in this channel, for example by the URL, so there is no
    /// `subscribed` for it.
    Entered {
        /// The channel.
        channel: Arc<str>,
    },
    /// The server did not answer a `subscribe` in time. It may still do so.
    Unanswered {
        /// The channel.
        channel: Arc<str>,
    },
    /// Messages of a channel were not delivered to this client.
    Gap(Gap),
    /// A channel was recreated, mostly between two connections, so the number of missed messages is
    /// unknown.
    Epoch {
        /// The channel.
        channel: Arc<str>,
        /// The previous epoch.
        from: String,
        /// The current epoch.
        to: String,
    },
    /// The round-trip time of a `ping`.
    RoundTrip(Duration),
}

/// A range of messages that were not delivered.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The channel.
    pub channel: Arc<str>,
    /// The first missing number.
    pub from: u64,
    /// The last missing number.
    pub to: u64,
    /// Whether they were sent between two connections, or before a new position. They may include the client's own
    /// unconfirmed messages.
    pub away: bool,
}

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

/// Why a token is requested.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenReason {
    /// There is none yet.
    Connect,
    /// The server refused the last one (4001).
    Unauthorized,
    /// The last one has expired (4202).
    Expired,
}

/// Why a message failed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no connection, and the message was not to be queued.
    NotConnected,
    /// The connection ended before the answer, and the server cannot tell whether it has the
    /// message; the outcome is unknown.
    Unconfirmed,
    /// The server did not answer in time; the outcome is unknown.
    TimedOut,
    /// The queue is full, or the message is larger than the queue.
    QueueFull,
    /// The message was queued for too long.
    Expired,
    /// The message is larger than the server accepts.
    TooLarge,
    /// The message waited for a channel that was left.
    Unsubscribed,
    /// The client has stopped.
    Stopped,
    /// The message was cancelled while it was queued.
    Aborted,
    /// The server refused the message.
    Refused {
        /// The server's error code.
        code: Cow<'static, str>,
        /// The server's `error`, if it answers this message by id.
        frame: Option<ServerText>,
    },
}

impl Failure {
    /// Returns the server's error code, or one of the client's own.
    pub fn code(&self) -> &str {
        match self {
            Self::NotConnected => "not_connected",
            Self::Unconfirmed => "unconfirmed",
            Self::TimedOut => "timeout",
            Self::QueueFull => "queue_full",
            Self::Expired => "expired",
            Self::TooLarge => "too_large",
            Self::Unsubscribed => "unsubscribed",
            Self::Stopped => "stopped",
            Self::Aborted => "aborted",
            Self::Refused { code, .. } => code,
        }
    }

    pub(super) fn refused(frame: &ServerText) -> Self {
        Self::Refused {
            code: frame.code().unwrap_or_default().to_owned().into(),
            frame: Some(frame.clone()),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Refused {
            frame: Some(frame), ..
        } = self
        else {
            return f.write_str(self.code());
        };
        write!(
            f,
            "{}: {}",
            self.code(),
            frame.message().unwrap_or_default()
        )
    }
}

impl std::error::Error for Failure {}

/// Returns the close code and reason that correspond to the HTTP status of a refusal
/// (`docs/protocol.md`, section 4).
pub fn status_code(status: u16) -> (u16, &'static str) {
    match status {
        401 => (4001, "unauthorized"),
        403 => (4003, "forbidden"),
        409 => (4005, "already_connected"),
        429 => (4100, "ip_limit"),
        500 => (1011, "internal"),
        503 => (4002, "server_full"),
        _ => (1006, ""),
    }
}

/// Returns the subprotocol that carries a token, to be offered beside `switchboard.v1.json`.
pub fn token_subprotocol(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let token = URL_SAFE_NO_PAD.encode(token);
    format!("{}{token}", crate::handshake::BEARER_PROTOCOL)
}

//! The outputs of the client's state machine.

use std::sync::Arc;
use std::time::Duration;

use super::dial::TokenReason;
use super::failure::Failure;
use super::frame::ServerText;
use super::state::State;

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
    /// Requests a token. After the next [`Report::State`], and once the application has set one, the
    /// answer is no longer needed.
    GetToken(TokenReason),
    /// Sends this text.
    Send(String),
    /// Sends an `auth` with the token.
    Authenticate,
    /// A message was acknowledged.
    Done {
        /// The id of the message.
        id: u64,
        /// The `seq` of a message, or the number of connections that a `direct` reached.
        value: u64,
    },
    /// A call was answered.
    Result {
        /// The id of the call.
        id: u64,
        /// The server's `result`.
        frame: ServerText,
    },
    /// A message or a call failed, or its outcome is unknown.
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

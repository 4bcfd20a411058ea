//! The inputs of the client's state machine.

use std::time::Duration;

use serde_json::Value;

use crate::protocol::{Content, Since};

/// An input. After a socket was closed ([`Output::Close`](super::Output::Close) or
/// [`Input::Closed`]), pass no further events of it.
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
    /// none, or derived from the HTTP status of a refusal ([`status_code`](super::status_code)).
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
    /// The requested token is available, or the application sets one.
    Token {
        /// When it expires, from now; `None` if that is not known. It is refreshed before.
        expires_in: Option<Duration>,
    },
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
        /// Whether the message has no number, never waits for a connection, and is dropped for slow
        /// members.
        volatile: bool,
        /// What the content is the latest value of, in a channel that keeps these.
        key: Option<&'a str>,
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
    /// Calls a method of the server's application, under the id [`next_id`](super::Machine::next_id).
    Call {
        /// The method.
        method: &'a str,
        /// The parameters.
        params: Content<'a>,
        /// The size of the request on the wire, in bytes; may be slightly too large.
        bytes: usize,
        /// Whether the request waits for a connection; `None` for the configured default.
        queue: Option<bool>,
    },
    /// Cancels a message that is still queued.
    Cancel {
        /// The id of the message.
        id: u64,
    },
}

impl Input<'_> {
    /// Creates a `Publish` with the computed size.
    pub fn publish<'a>(channel: &'a str, content: Content<'a>) -> Input<'a> {
        let name = Value::from(channel).to_string();
        Input::Publish {
            channel,
            content,
            bytes: name.len() + content.as_json().len() + ENVELOPE,
            echo: None,
            volatile: false,
            key: None,
            queue: None,
        }
    }

    /// Creates a `Publish` of the latest value of a key, with the computed size.
    pub fn publish_key<'a>(channel: &'a str, key: &'a str, content: Content<'a>) -> Input<'a> {
        let (name, value) = (
            Value::from(channel).to_string(),
            Value::from(key).to_string(),
        );
        let field = r#","key":"#.len();
        Input::Publish {
            channel,
            content,
            bytes: name.len() + field + value.len() + content.as_json().len() + ENVELOPE,
            echo: None,
            volatile: false,
            key: Some(key),
            queue: None,
        }
    }

    /// Creates a `Direct` with the computed size.
    pub fn direct<'a>(to: &'a str, content: Content<'a>) -> Input<'a> {
        let name = Value::from(to).to_string();
        Input::Direct {
            to,
            content,
            bytes: name.len() + content.as_json().len() + ENVELOPE,
            queue: None,
        }
    }

    /// Creates a `Call` with the computed size.
    pub fn call<'a>(method: &'a str, params: Content<'a>) -> Input<'a> {
        let name = Value::from(method).to_string();
        Input::Call {
            method,
            params,
            bytes: name.len() + params.as_json().len() + ENVELOPE,
            queue: None,
        }
    }
}

/// The size of a message without its content and its channel.
const ENVELOPE: usize =
    r#"{"type":"message","channel":,"content":,"echo":false,"volatile":true,"id":9007199254740991}"#.len();

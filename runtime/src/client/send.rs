//! How a message is sent, and how that fails.

use std::fmt;

use switchboard_core::client::Failure;

/// A failure to send a message.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The content cannot be serialised as JSON, for this reason.
    Content(String),
    /// The message was not sent, was refused, or its fate is unknown.
    Failed(Failure),
}

impl RequestError {
    /// Returns the error's code: the server's, or one of this client.
    pub fn code(&self) -> &str {
        match self {
            Self::Content(_) => "bad_content",
            Self::Failed(failure) => failure.code(),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(words) => f.write_str(words),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Options for sending one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// Whether this client receives its own message, too. Default: false.
    pub echo: bool,
    /// Whether the message has no number, never waits for a connection, and is dropped for slow
    /// members, which suits content that is soon obsolete. Its acknowledgement has the number 0.
    /// Default: false.
    pub volatile: bool,
    /// Whether to wait for a connection. `None` uses the client's options.
    pub queue: Option<bool>,
}

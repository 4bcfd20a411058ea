//! Why a message failed.

use std::borrow::Cow;
use std::fmt;

use super::frame::ServerText;

/// Why a message failed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no connection, and the message was not to be queued.
    NotConnected,
    /// The connection ended before the answer, and the server cannot determine whether it has the
    /// message, so that the outcome is unknown.
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

//! The requests of clients.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::check_strings;
use super::{Content, MAX_ECHO_BYTES, Since};
use crate::Token;

/// A message of a client, borrowed from its text except where that has escapes.
///
/// Names (`channel`, `to`, `key`, `method`) are not validated here, because their rules depend on the configuration:
/// the caller must [`check_name`](crate::check_name) them.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Joins a room.
    Subscribe {
        /// Echoed in the answer.
        id: Option<RequestId<'a>>,
        /// The room.
        channel: Cow<'a, str>,
        /// The position after which messages were missed.
        since: Option<Since<'a>>,
        /// The number of the latest messages to begin with. Never given together with `since`.
        last: Option<u64>,
    },
    /// Leaves a room.
    Unsubscribe {
        /// Echoed in the answer.
        id: Option<RequestId<'a>>,
        /// The room.
        channel: Cow<'a, str>,
    },
    /// Sends to the members of a room.
    Message {
        /// If present, an `ack` is requested, which echoes it.
        id: Option<RequestId<'a>>,
        /// The room; `None` means the only room that the sender is in.
        channel: Option<Cow<'a, str>>,
        /// The content, passed through byte for byte.
        content: Content<'a>,
        /// The key whose value the content is; `null` removes the key.
        key: Option<Cow<'a, str>>,
        /// Whether the sending connection receives its own message.
        echo: bool,
        /// Whether it has no number, is not kept, and is only for members for which nothing waits in
        /// the room. Never given together with `key` or `again`.
        volatile: bool,
        /// The position of the room when the message was first sent, on an earlier connection where
        /// it was not answered. Never given without an `id`.
        again: Option<u64>,
    },
    /// Sends to the connections of one user.
    Direct {
        /// If present, an `ack` is requested, which echoes it.
        id: Option<RequestId<'a>>,
        /// The user.
        to: Cow<'a, str>,
        /// The content, passed through byte for byte.
        content: Content<'a>,
    },
    /// Calls a method of the application.
    Call {
        /// Echoed in the answer.
        id: RequestId<'a>,
        /// The name of the method.
        method: Cow<'a, str>,
        /// The parameters, passed through byte for byte; `null` if there are none.
        params: Content<'a>,
    },
    /// Requests a `pong`.
    Ping {
        /// Echoed in the answer.
        id: Option<RequestId<'a>>,
        /// Echoed in the answer byte for byte.
        timestamp: Option<Timestamp<'a>>,
    },
    /// Answers a `health_ping`. Has no answer itself, so an `id` is ignored.
    HealthPong {
        /// The number of the `health_ping`, in any spelling (`5`, `5.0`, `5e0`). `None` for a
        /// number that cannot have been sent: fractional, negative or too large.
        timestamp: Option<u64>,
    },
    /// Logs in, or prolongs the login.
    Auth {
        /// Echoed in the answer.
        id: Option<RequestId<'a>>,
        /// The secret.
        token: Token,
    },
}

impl Command<'_> {
    /// Returns the command detached from the text it was read from, if it needs no hook of the
    /// application.
    pub(crate) fn to_unasked(&self) -> Option<Command<'static>> {
        Some(match self {
            Self::Ping { id, timestamp } => Command::Ping {
                id: id.clone().map(RequestId::into_owned),
                timestamp: timestamp.clone().map(Timestamp::into_owned),
            },
            &Self::HealthPong { timestamp } => Command::HealthPong { timestamp },
            Self::Subscribe { .. }
            | Self::Unsubscribe { .. }
            | Self::Message { .. }
            | Self::Call { .. }
            | Self::Direct { .. }
            | Self::Auth { .. } => return None,
        })
    }
}

/// A client's id for a request: a JSON integer or string of at most [`MAX_ECHO_BYTES`] bytes,
/// echoed byte for byte.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct RequestId<'a>(Cow<'a, RawValue>);

impl<'a> RequestId<'a> {
    /// Returns `None` if the value is neither an integer nor a string, or is too long.
    pub(super) fn new(raw: &'a RawValue) -> Option<Self> {
        let json = raw.get();
        let integer = || {
            json.bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_digit())
        };
        let string = || json.starts_with('"') && check_strings(json).is_ok();
        (json.len() <= MAX_ECHO_BYTES && (integer() || string()))
            .then_some(Self(Cow::Borrowed(raw)))
    }

    /// Detaches the id from the text it was read from.
    pub fn into_owned(self) -> RequestId<'static> {
        RequestId(Cow::Owned(self.0.into_owned()))
    }

    /// Returns the JSON text of the id; a string includes its quotes.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_json())
    }
}

/// Compares the JSON text: `"a"` and `"\u0061"` are different ids.
impl PartialEq for RequestId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for RequestId<'_> {}

/// The timestamp of a client's `ping`: any JSON value except an array or object, of at most
/// [`MAX_ECHO_BYTES`] bytes, echoed byte for byte.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Timestamp<'a>(Cow<'a, RawValue>);

impl<'a> Timestamp<'a> {
    /// Returns `None` if the value is an array or an object, or is too long.
    pub(super) fn new(raw: &'a RawValue) -> Option<Self> {
        let json = raw.get();
        (json.len() <= MAX_ECHO_BYTES && !json.starts_with(['[', '{']))
            .then_some(Self(Cow::Borrowed(raw)))
    }

    /// Detaches the timestamp from the text it was read from.
    pub fn into_owned(self) -> Timestamp<'static> {
        Timestamp(Cow::Owned(self.0.into_owned()))
    }

    /// Returns the JSON text of the timestamp.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for Timestamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({})", self.as_json())
    }
}

impl PartialEq for Timestamp<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Timestamp<'_> {}

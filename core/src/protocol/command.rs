//! What a client may ask.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::check_strings;
use super::{Content, MAX_ECHO_BYTES};
use crate::Token;

/// One message of a client, borrowed from its text where that has no escapes.
///
/// Names (`channel`, `to`) are any strings here: their rules depend on the configuration, so the
/// caller checks them ([`check_name`](crate::check_name)) before it uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Enter a room.
    Subscribe {
        /// To be carried back in the answer.
        id: Option<RequestId<'a>>,
        /// The room.
        channel: Cow<'a, str>,
    },
    /// Leave a room.
    Unsubscribe {
        /// To be carried back in the answer.
        id: Option<RequestId<'a>>,
        /// The room.
        channel: Cow<'a, str>,
    },
    /// Send to the members of a room.
    Message {
        /// Asks for an acknowledgement, which carries it back.
        id: Option<RequestId<'a>>,
        /// The room; `None` stands for the only room the sender is in.
        channel: Option<Cow<'a, str>>,
        /// What to send, byte for byte.
        content: Content<'a>,
        /// Whether the sending connection wants its own message.
        echo: bool,
    },
    /// Send to the connections of one user.
    Direct {
        /// Asks for an acknowledgement, which carries it back.
        id: Option<RequestId<'a>>,
        /// The user.
        to: Cow<'a, str>,
        /// What to send, byte for byte.
        content: Content<'a>,
    },
    /// Ask for a `pong`.
    Ping {
        /// To be carried back in the answer.
        id: Option<RequestId<'a>>,
        /// To be carried back in the answer, byte for byte.
        timestamp: Option<Timestamp<'a>>,
    },
    /// Answer a `health_ping`. It has no answer itself, so an `id` is not kept.
    HealthPong {
        /// The number that was sent, however it is spelled (`5`, `5.0`, `5e0`); `None` for a
        /// number that never was sent: no integer, negative or too large.
        timestamp: Option<u64>,
    },
    /// Log in, or stay logged in for longer.
    Auth {
        /// To be carried back in the answer.
        id: Option<RequestId<'a>>,
        /// The secret.
        token: Token,
    },
}

/// A client's own name for a request: a JSON integer or string of at most [`MAX_ECHO_BYTES`] bytes,
/// carried back byte for byte.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct RequestId<'a>(Cow<'a, RawValue>);

impl<'a> RequestId<'a> {
    /// `None` if it is neither an integer nor a string, or is too long.
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

    /// The same id, apart from the text it came in: for answers that come later.
    pub fn into_owned(self) -> RequestId<'static> {
        RequestId(Cow::Owned(self.0.into_owned()))
    }

    /// The JSON text of the id: a string has its quotes.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_json())
    }
}

/// Two ids are one if they are spelled alike: `"a"` and `"\u0061"` are two.
impl PartialEq for RequestId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for RequestId<'_> {}

/// What a client put into its `ping`: any JSON but an array or object, of at most
/// [`MAX_ECHO_BYTES`] bytes, carried back byte for byte.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Timestamp<'a>(&'a RawValue);

impl<'a> Timestamp<'a> {
    /// `None` if it is an array or an object, or is too long.
    pub(super) fn new(raw: &'a RawValue) -> Option<Self> {
        let json = raw.get();
        (json.len() <= MAX_ECHO_BYTES && !json.starts_with(['[', '{'])).then_some(Self(raw))
    }

    /// The JSON text of the timestamp.
    pub fn as_json(&self) -> &'a str {
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

//! Parts of inputs, in the form in which they are recorded.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::payload::{Payload, Redactor};
use crate::base::time::nanos;
use crate::wire::frame::Opcode;
use crate::{
    BadRequest, CloseReason, ConnectionId, Event, Exclude, Frame, Identity, Posted, ProtocolError,
    Refused,
};

/// A frame of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub kind: Kind,
    #[serde(flatten)]
    pub payload: Payload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Redactor {
    pub(crate) fn frame(&self, frame: &Frame) -> Sent {
        Sent::new(frame.opcode(), self.payload(frame.payload()))
    }
}

impl Sent {
    fn new(opcode: Option<Opcode>, payload: Payload) -> Self {
        let kind = match opcode {
            Some(Opcode::Binary) | None => Kind::Binary,
            Some(Opcode::Text) => Kind::Text,
            Some(Opcode::Close) => Kind::Close,
            Some(Opcode::Ping) => Kind::Ping,
            Some(Opcode::Pong) => Kind::Pong,
        };
        Self { kind, payload }
    }

    /// Returns a frame of the same kind and length.
    pub(crate) fn frame(&self) -> Frame {
        let text = self.payload.text();
        match self.kind {
            Kind::Text => Frame::text(&text),
            Kind::Binary => Frame::binary(text.as_bytes()),
            Kind::Ping => Frame::ping(text.as_bytes()),
            Kind::Pong => Frame::pong(text.as_bytes()),
            Kind::Close => {
                let reason = text.get(2..).unwrap_or_default();
                Frame::close(1000, reason).unwrap_or_else(|_| Frame::close_empty())
            }
        }
    }
}

/// The connections, users and sessions that are excluded from a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conns: Vec<ConnectionId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
}

impl From<Exclude<'_>> for Excluded {
    fn from(exclude: Exclude<'_>) -> Self {
        Self {
            conns: exclude.connections.to_vec(),
            users: exclude.users.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Excluded {
    pub(super) fn is_nobody(&self) -> bool {
        self.conns.is_empty() && self.users.is_empty()
    }
}

/// An identity, as the application states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who<'a> {
    User {
        name: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in: Option<u64>,
    },
    Anonymous,
    FirstMessage,
}

impl<'a> From<&'a Identity> for Who<'a> {
    fn from(identity: &'a Identity) -> Self {
        match identity {
            Identity::User { name, expires_in } => Self::User {
                name: Cow::Borrowed(name),
                expires_in: expires_in.map(nanos),
            },
            Identity::Anonymous => Self::Anonymous,
            Identity::FirstMessage => Self::FirstMessage,
        }
    }
}

impl From<&Who<'_>> for Identity {
    fn from(who: &Who<'_>) -> Self {
        match who {
            Who::User { name, expires_in } => Self::User {
                name: name.to_string(),
                expires_in: expires_in.map(Duration::from_nanos),
            },
            Who::Anonymous => Self::Anonymous,
            Who::FirstMessage => Self::FirstMessage,
        }
    }
}

/// How the application refuses a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Refusal(CloseReason);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self(refused.close_upgraded())
    }
}

impl From<Refusal> for Refused {
    fn from(Refusal(reason): Refusal) -> Self {
        match reason {
            CloseReason::Restart => Self::Restart,
            CloseReason::IpLimit => Self::IpLimit,
            CloseReason::Unauthorized => Self::Unauthorized,
            CloseReason::Forbidden => Self::Forbidden,
            CloseReason::Application(code) => Self::Application(code),
            CloseReason::AlreadyConnected => Self::AlreadyConnected,
            CloseReason::ServerFull => Self::ServerFull,
            CloseReason::LobbyFull => Self::LobbyFull,
            _ => Self::Internal,
        }
    }
}

/// What a request is refused for, from the text that says so.
pub(crate) fn bad_request_of(text: &str) -> BadRequest {
    let known = [
        BadRequest::NotFound,
        BadRequest::Method,
        BadRequest::StreamMethod,
        BadRequest::LengthRequired,
        BadRequest::BodyTooLarge,
        BadRequest::TargetTooLong,
        BadRequest::NotAnUpgrade,
        BadRequest::Version,
        BadRequest::HeadTooLarge,
        BadRequest::HttpVersion,
    ];
    let found = known.into_iter().find(|bad| bad.to_string() == text);
    found.unwrap_or_else(|| BadRequest::Syntax(fixed(text)))
}

/// Leaks a text, to make it `'static`. For replays only, because the memory is never freed.
pub(crate) fn fixed(text: &str) -> &'static str {
    Box::leak(text.into())
}

/// The messages of a post, each with whether it is binary and its bytes; or the error of the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Posting {
    Messages(Vec<(bool, usize)>),
    Bad(String),
}

impl From<&Result<Vec<Posted>, BadRequest>> for Posting {
    fn from(messages: &Result<Vec<Posted>, BadRequest>) -> Self {
        let size = |posted: &Posted| match posted {
            Posted::Text(text) => (false, text.len()),
            Posted::Binary(bytes) => (true, bytes.len()),
        };
        match messages {
            Ok(messages) => Self::Messages(messages.iter().map(size).collect()),
            Err(bad) => Self::Bad(bad.to_string()),
        }
    }
}

impl From<&Posting> for Result<Vec<Posted>, BadRequest> {
    fn from(posting: &Posting) -> Self {
        let posted = |&(binary, bytes): &(bool, usize)| {
            if binary {
                Posted::Binary(vec![0; bytes])
            } else {
                Posted::Text("x".repeat(bytes))
            }
        };
        match posting {
            Posting::Messages(messages) => Ok(messages.iter().map(posted).collect()),
            Posting::Bad(text) => Err(bad_request_of(text)),
        }
    }
}

/// An event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    Heard,
    Partial { in_message: bool, bytes: usize },
    Ping { bytes: usize },
    Pong { bytes: usize, number: Option<u64> },
    OverRate { bytes: usize, retry_after: u64 },
    Close { code: Option<u16> },
    Violation(ProtocolError),
    Discarded(usize),
    Inflated { received: usize, bytes: usize },
    Eof,
    Reset,
    TimedOut,
    Writable,
    Paused,
    Resumed,
    Leaving,
    HookStarted,
    HookDone,
    HookFailed,
}

impl Happened {
    /// Returns the form of an event. The numbers of our pings go up to `pings`.
    pub(crate) fn new(event: &Event<'_>, pings: u64) -> Self {
        match *event {
            Event::Heard => Self::Heard,
            Event::Partial { in_message, bytes } => Self::Partial { in_message, bytes },
            Event::Ping(payload) => Self::Ping {
                bytes: payload.len(),
            },
            Event::Pong(payload) => Self::Pong {
                bytes: payload.len(),
                number: number_of(payload, pings),
            },
            Event::OverRate { bytes, retry_after } => Self::OverRate {
                bytes,
                retry_after: nanos(retry_after),
            },
            Event::Close(close) => Self::Close {
                code: close.map(|close| close.code),
            },
            Event::Violation(error) => Self::Violation(error),
            Event::Discarded(bytes) => Self::Discarded(bytes),
            Event::Inflated { received, bytes } => Self::Inflated { received, bytes },
            Event::Eof => Self::Eof,
            Event::Reset => Self::Reset,
            Event::TimedOut => Self::TimedOut,
            Event::Writable => Self::Writable,
            Event::Paused => Self::Paused,
            Event::Resumed => Self::Resumed,
            Event::Leaving => Self::Leaving,
            Event::HookStarted => Self::HookStarted,
            Event::HookDone => Self::HookDone,
            Event::HookFailed => Self::HookFailed,
        }
    }

    /// Returns the event, without the parts that were not recorded. `payload` holds the payload of a
    /// ping or pong.
    pub(crate) fn event<'a>(&self, payload: &'a mut Vec<u8>) -> Event<'a> {
        match *self {
            Self::Heard => Event::Heard,
            Self::Partial { in_message, bytes } => Event::Partial { in_message, bytes },
            Self::Ping { bytes } => {
                payload.resize(bytes, 0);
                Event::Ping(payload)
            }
            Self::Pong { bytes, number } => {
                *payload = pong_of(bytes, number);
                Event::Pong(payload)
            }
            Self::OverRate { bytes, retry_after } => Event::OverRate {
                bytes,
                retry_after: Duration::from_nanos(retry_after),
            },
            Self::Close { code } => {
                Event::Close(code.map(|code| crate::CloseFrame { code, reason: "" }))
            }
            Self::Violation(error) => Event::Violation(error),
            Self::Discarded(bytes) => Event::Discarded(bytes),
            Self::Inflated { received, bytes } => Event::Inflated { received, bytes },
            Self::Eof => Event::Eof,
            Self::Reset => Event::Reset,
            Self::TimedOut => Event::TimedOut,
            Self::Writable => Event::Writable,
            Self::Paused => Event::Paused,
            Self::Resumed => Event::Resumed,
            Self::Leaving => Event::Leaving,
            Self::HookStarted => Event::HookStarted,
            Self::HookDone => Event::HookDone,
            Self::HookFailed => Event::HookFailed,
        }
    }
}

/// Returns the number in the payload of a pong, if there was such a ping.
pub(crate) fn number_of(payload: &[u8], pings: u64) -> Option<u64> {
    let number = u64::from_be_bytes(payload.try_into().ok()?);
    (1..=pings).contains(&number).then_some(number)
}

/// Returns a payload of this length, with this number or with one that no ping has.
pub(crate) fn pong_of(bytes: usize, number: Option<u64>) -> Vec<u8> {
    number.map_or_else(|| vec![0; bytes], |number| number.to_be_bytes().to_vec())
}

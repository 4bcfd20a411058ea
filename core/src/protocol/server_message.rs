//! What the server says.

use std::fmt;

use serde::Serialize;

use super::{Content, Rejected, RequestId, Timestamp};

/// Why a request was not done.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// Not JSON, a field missing or of a wrong kind, a bad or too long name.
    BadRequest,
    /// A `type` that does not exist.
    UnknownType,
    /// Not logged in.
    Unauthorized,
    /// The application said no.
    Forbidden,
    /// The connection is not in that room.
    NotInChannel,
    /// The connection is in that room already; nothing changed.
    AlreadySubscribed,
    /// The user has no connection.
    NotConnected,
    /// Too many rooms: of this connection, or in all.
    LimitExceeded,
    /// Every seat of the room is taken.
    RoomFull,
    /// Too many messages, or bytes.
    RateLimited,
    /// More than a member's queue can ever hold.
    TooLarge,
    /// A hook of the application failed.
    Internal,
}

impl ErrorCode {
    /// The word on the wire, in the log and in the statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnknownType => "unknown_type",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotInChannel => "not_in_channel",
            Self::AlreadySubscribed => "already_subscribed",
            Self::NotConnected => "not_connected",
            Self::LimitExceeded => "limit_exceeded",
            Self::RoomFull => "room_full",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One message of the server. The fields go out in the order they are declared in; those that are
/// `None`, and lists of changes that are empty, are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// The connection is in.
    Welcome {
        /// Its [`ConnectionId`](crate::ConnectionId), printed.
        connection: &'a str,
        /// Who it is.
        user: &'a str,
        /// The interval of the server's pings, in milliseconds.
        ping_ms: u64,
        /// The largest message it may send, in bytes.
        max_bytes: u64,
    },
    /// The answer to `auth`.
    Authenticated {
        /// Who it is.
        user: &'a str,
        /// Of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// The answer to `subscribe`; also sent on joining a lobby.
    Subscribed {
        /// The room.
        channel: &'a str,
        /// The last number used in the room; 0 if none.
        seq: u64,
        /// Tells this life of the room from earlier ones.
        epoch: &'a str,
        /// Of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// The answer to `unsubscribe`.
    Unsubscribed {
        /// The room.
        channel: &'a str,
        /// Of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// To the members of a room.
    Message {
        /// The room.
        channel: &'a str,
        /// What was sent.
        content: Content<'a>,
        /// The user who sent it; `None` if the application did and named nobody.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<&'a str>,
        /// Its number in the room.
        seq: u64,
    },
    /// To the connections of a user.
    Direct {
        /// What was sent.
        content: Content<'a>,
        /// The user who sent it; `None` if the application did and named nobody.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<&'a str>,
    },
    /// The answer to a `message` with an id.
    Ack {
        /// Of the request.
        id: &'a RequestId<'a>,
        /// The number that the message got.
        seq: u64,
    },
    /// The answer to a `direct` with an id: on the wire an `ack` too.
    #[serde(rename = "ack")]
    DirectAck {
        /// Of the request.
        id: &'a RequestId<'a>,
        /// To how many connections it went.
        delivered: u64,
    },
    /// The answer to `ping`.
    Pong {
        /// Of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<Timestamp<'a>>,
        /// Of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// Asks for a `health_pong`.
    HealthPing {
        /// To be sent back. Below 2^53: many clients know no larger integers.
        timestamp: u64,
    },
    /// Who is in a room.
    Presence {
        /// The room.
        channel: &'a str,
        /// How many users are in it.
        count: u64,
        /// Their names: all of them, or the first.
        users: &'a [&'a str],
    },
    /// Who came and went: on the wire a `presence` too.
    #[serde(rename = "presence")]
    PresenceChange {
        /// The room.
        channel: &'a str,
        /// How many users are in it.
        count: u64,
        /// Who came.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        joined: &'a [&'a str],
        /// Who left.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        left: &'a [&'a str],
    },
    /// A request was not done.
    Error {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: &'a str,
        /// Of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
        /// The room it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'a str>,
        /// When to try again, in milliseconds from now.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// The connection is about to be closed.
    Bye {
        /// The code of the Close frame that follows.
        code: u16,
        /// The reason in it.
        reason: &'a str,
        /// When to come back, in milliseconds from now.
        reconnect_in_ms: u64,
    },
}

impl ServerMessage<'_> {
    /// Appends the message as JSON text, which is UTF-8.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            // Whoever enters or leaves a room is told so: here it pays not to look for what must
            // be escaped in the names of the fields as well.
            Self::Subscribed {
                channel,
                seq,
                epoch,
                id,
            } => {
                out.extend_from_slice(br#"{"type":"subscribed","channel":"#);
                write_value(out, channel);
                out.extend_from_slice(br#","seq":"#);
                write_value(out, &seq);
                out.extend_from_slice(br#","epoch":"#);
                write_value(out, epoch);
                write_end(out, id);
            }
            Self::Unsubscribed { channel, id } => {
                out.extend_from_slice(br#"{"type":"unsubscribed","channel":"#);
                write_value(out, channel);
                write_end(out, id);
            }
            _ => write_value(out, self),
        }
    }

    /// The message as JSON text.
    pub fn to_json(&self) -> String {
        let written = serde_json::to_string(self);
        debug_assert!(written.is_ok(), "{written:?}");
        written.unwrap_or_default()
    }
}

fn write_value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // A `Vec` takes every byte, and none of these fields can fail to be serialised.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}

fn write_end(out: &mut Vec<u8>, id: Option<&RequestId<'_>>) {
    if let Some(id) = id {
        out.extend_from_slice(br#","id":"#);
        write_value(out, id);
    }
    out.push(b'}');
}

impl<'a> From<&'a Rejected<'_>> for ServerMessage<'a> {
    fn from(rejected: &'a Rejected<'_>) -> Self {
        Self::Error {
            code: rejected.code,
            message: rejected.message,
            id: rejected.id.as_ref(),
            channel: rejected.channel.as_deref(),
            retry_after_ms: None,
        }
    }
}

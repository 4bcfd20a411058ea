//! The messages of the server.

use std::fmt;

use serde::Serialize;

use super::{Content, Rejected, RequestId, Timestamp};

/// Why a request failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// Not a JSON object, a missing or invalid field, or an invalid name.
    BadRequest,
    /// The `type`, or the method of a call, does not exist.
    UnknownType,
    /// The connection is not logged in.
    Unauthorized,
    /// The application refused the request.
    Forbidden,
    /// The connection is not in the room.
    NotInChannel,
    /// The connection is already in the room; nothing changed.
    AlreadySubscribed,
    /// The user has no connection.
    NotConnected,
    /// Too many rooms, of this connection or in total.
    LimitExceeded,
    /// The room is full.
    RoomFull,
    /// The client exceeded its rate of messages or bytes.
    RateLimited,
    /// The message is larger than a member's queue can ever hold.
    TooLarge,
    /// A hook of the application failed.
    Internal,
    /// The history does not reach back far enough to tell whether a message that is sent again was
    /// published.
    Unrecoverable,
    /// What was asked for needs the other nodes, from which this one is cut off.
    Unavailable,
}

impl ErrorCode {
    /// Returns the code as used on the wire, in logs and in statistics.
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
            Self::Unrecoverable => "unrecoverable",
            Self::Unavailable => "unavailable",
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

/// A message of the server. Fields are serialised in the order of declaration; fields that are
/// `None` and empty lists of changes are omitted.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    /// The connection is admitted.
    Welcome {
        /// The [`ConnectionId`](crate::ConnectionId) in its display form.
        connection: &'a str,
        /// The user of the connection.
        user: &'a str,
        /// The interval of the server's pings, in milliseconds.
        ping_ms: u64,
        /// The largest message that the server accepts, in bytes.
        max_bytes: u64,
    },
    /// The answer to `auth`.
    Authenticated {
        /// The user of the connection.
        user: &'a str,
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// The answer to `subscribe`; also sent on joining a lobby.
    Subscribed {
        /// The room.
        channel: &'a str,
        /// The last number used in the room; 0 if none was.
        seq: u64,
        /// Identifies this life of the room.
        epoch: &'a str,
        /// The oldest number kept, or `seq + 1` if none is; `None` for a room without history.
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<u64>,
        /// Whether all messages since the position in the request follow; `None` if it had none.
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        /// `latest`, if the room keeps the latest value of each key.
        #[serde(skip_serializing_if = "Option::is_none")]
        keep: Option<&'a str>,
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// The answer to `unsubscribe`.
    Unsubscribed {
        /// The room.
        channel: &'a str,
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// A message to the members of a room.
    Message {
        /// The room.
        channel: &'a str,
        /// The key whose value the content is; `null` if it was removed.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'a str>,
        /// The content.
        content: Content<'a>,
        /// The sending user; `None` if the application sent it without a sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<&'a str>,
        /// The number of the message in the room.
        seq: u64,
    },
    /// A volatile message to the members of a room; also a `message` on the wire.
    #[serde(rename = "message")]
    Volatile {
        /// The room.
        channel: &'a str,
        /// The content.
        content: Content<'a>,
        /// The sending user; `None` if the application sent it without a sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<&'a str>,
    },
    /// Numbers that were not meant for this client. Sent only while it catches up.
    Skip {
        /// The room.
        channel: &'a str,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Numbers that left the history before they were sent to this client.
    Gap {
        /// The room.
        channel: &'a str,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// A message to the connections of a user.
    Direct {
        /// The content.
        content: Content<'a>,
        /// The sending user; `None` if the application sent it without a sender.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<&'a str>,
    },
    /// The answer to a `message` with an id.
    Ack {
        /// Echoed from the request.
        id: &'a RequestId<'a>,
        /// The number assigned to the message.
        seq: u64,
        /// Whether the message was published before, when it was first sent.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
        /// Whether only the members on this node get it, because the broker of the cluster is away.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        local: bool,
    },
    /// The answer to a `message` with an id that has no number: to a volatile one, and to one that the
    /// application has handled; also an `ack` on the wire.
    #[serde(rename = "ack")]
    UnnumberedAck {
        /// Echoed from the request.
        id: &'a RequestId<'a>,
    },
    /// The answer to a `direct` with an id; also an `ack` on the wire.
    #[serde(rename = "ack")]
    DirectAck {
        /// Echoed from the request.
        id: &'a RequestId<'a>,
        /// The number of connections of the recipient.
        delivered: u64,
    },
    /// The answer to `call`.
    Result {
        /// Echoed from the request.
        id: &'a RequestId<'a>,
        /// The result.
        content: Content<'a>,
    },
    /// The answer to `ping`.
    Pong {
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<&'a Timestamp<'a>>,
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
    },
    /// Requests a `health_pong`.
    HealthPing {
        /// To be echoed. Always below 2^53, because many clients cannot represent larger integers.
        timestamp: u64,
    },
    /// The users in a room.
    Presence {
        /// The room.
        channel: &'a str,
        /// The number of users in the room.
        count: u64,
        /// The names of the users, possibly cut to the first ones.
        users: &'a [&'a str],
        /// The presence info of these users, by name.
        #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "as_object")]
        info: &'a [(&'a str, Content<'a>)],
    },
    /// Changes of the users in a room; also a `presence` on the wire.
    #[serde(rename = "presence")]
    PresenceChange {
        /// The room.
        channel: &'a str,
        /// The number of users in the room.
        count: u64,
        /// The users who joined.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        joined: &'a [&'a str],
        /// The users who left.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        left: &'a [&'a str],
        /// The presence info of users who joined, and changed info of others; `null` if it was removed.
        #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "as_object")]
        info: &'a [(&'a str, Content<'a>)],
    },
    /// The node is cut off from the others, or is back.
    Cluster {
        /// Whether it is connected to them.
        up: bool,
    },
    /// A request failed.
    Error {
        /// The reason, for programs.
        code: ErrorCode,
        /// The reason, for people.
        message: &'a str,
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
        /// The room that the request was about.
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'a str>,
        /// The delay before trying again, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// A request that the application refused, for a reason that may be its own; also an `error` on the
    /// wire.
    #[serde(rename = "error")]
    Denied {
        /// The reason, for programs.
        code: &'a str,
        /// The reason, for people.
        message: &'a str,
        /// Echoed from the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId<'a>>,
        /// The room that the request was about.
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'a str>,
    },
    /// The connection is about to be closed.
    Bye {
        /// The code of the Close frame that follows.
        code: u16,
        /// The reason in that frame.
        reason: &'a str,
        /// The delay before reconnecting, in milliseconds.
        reconnect_in_ms: u64,
    },
}

impl ServerMessage<'_> {
    /// Appends the message as JSON text, which is UTF-8.
    pub fn write(&self, out: &mut Vec<u8>) {
        // These are sent for every message, join and leave, so they skip serde's search for
        // characters to escape in field names.
        match *self {
            Self::Message {
                channel,
                key,
                content,
                sender,
                seq,
            } => {
                write_before_seq(out, channel, key, content, sender);
                write_value(out, &seq);
                out.push(b'}');
            }
            Self::Ack {
                id,
                seq,
                duplicate,
                local,
            } => {
                out.extend_from_slice(br#"{"type":"ack","id":"#);
                out.extend_from_slice(id.as_json().as_bytes());
                write_field(out, r#","seq":"#, &seq);
                write_some(out, r#","duplicate":"#, duplicate.then_some(&true));
                write_some(out, r#","local":"#, local.then_some(&true));
                out.push(b'}');
            }
            Self::Subscribed {
                channel,
                seq,
                epoch,
                first,
                recovered,
                keep,
                id,
            } => {
                write_field(out, r#"{"type":"subscribed","channel":"#, channel);
                write_field(out, r#","seq":"#, &seq);
                write_field(out, r#","epoch":"#, epoch);
                write_some(out, r#","first":"#, first.as_ref());
                write_some(out, r#","recovered":"#, recovered.as_ref());
                write_some(out, r#","keep":"#, keep);
                write_end(out, id);
            }
            Self::Unsubscribed { channel, id } => {
                write_field(out, r#"{"type":"unsubscribed","channel":"#, channel);
                write_end(out, id);
            }
            _ => write_value(out, self),
        }
    }

    /// Returns the message as JSON text.
    pub fn to_json(&self) -> String {
        let written = serde_json::to_string(self);
        debug_assert!(written.is_ok(), "{written:?}");
        written.unwrap_or_default()
    }
}

/// Appends what comes before a value, and the value.
fn write_field<T: Serialize + ?Sized>(out: &mut Vec<u8>, before: &str, value: &T) {
    out.extend_from_slice(before.as_bytes());
    write_value(out, value);
}

fn write_some<T: Serialize + ?Sized>(out: &mut Vec<u8>, before: &str, value: Option<&T>) {
    if let Some(value) = value {
        write_field(out, before, value);
    }
}

/// Appends a [`ServerMessage::Message`] up to its number, with which it ends.
pub(crate) fn write_before_seq(
    out: &mut Vec<u8>,
    channel: &str,
    key: Option<&str>,
    content: Content<'_>,
    sender: Option<&str>,
) {
    write_field(out, r#"{"type":"message","channel":"#, channel);
    write_some(out, r#","key":"#, key);
    out.extend_from_slice(br#","content":"#);
    out.extend_from_slice(content.as_json().as_bytes());
    write_some(out, r#","sender":"#, sender);
    out.extend_from_slice(br#","seq":"#);
}

/// Serialises pairs as the fields of one object.
fn as_object<S: serde::Serializer>(
    pairs: &&[(&str, Content<'_>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

fn write_value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing to a `Vec` cannot fail, and neither can serialising these fields.
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

//! The recorded form of a node's inputs. Times and durations are in nanoseconds.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::decision::{Answer, Decision};
use super::forms::{Excluded, Happened, Posting, Refusal, Sent, Who};
use super::payload::Payload;
use super::said::{Far, Said};
use crate::{CloseReason, ConnectionId};

/// A call of a [`Switchboard`](crate::Switchboard) that may change it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Input<'a> {
    Connect {
        peer: IpAddr,
    },
    Request {
        conn: ConnectionId,
        request: Asked,
        /// Whether the application has answered it already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        answered: bool,
    },
    OmitBody {
        conn: ConnectionId,
    },
    Malformed {
        conn: ConnectionId,
        bad: Cow<'a, str>,
    },
    Page {
        conn: ConnectionId,
        bytes: usize,
    },
    Consider {
        request: Asked,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<Who<'a>>,
    },
    Post {
        conn: ConnectionId,
        request: Asked,
        /// The stream whose secret the path has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<ConnectionId>,
        messages: Posting,
    },
    NextPosted {
        conn: ConnectionId,
    },
    /// The verdict of the application on a login.
    Login {
        conn: ConnectionId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<Who<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Refusal>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Cow<'a, str>>,
    },
    LimitLobby {
        conn: ConnectionId,
        reach: Far,
    },
    ExplainRefusal {
        conn: ConnectionId,
        text: Cow<'a, str>,
    },
    Presence {
        conn: ConnectionId,
        info: Option<Payload>,
    },
    UserPresence {
        user: Cow<'a, str>,
        info: Option<Payload>,
    },
    /// An event of the stream.
    Event {
        conn: ConnectionId,
        event: Happened,
    },
    Pong {
        conn: ConnectionId,
        bytes: usize,
        /// The number of a ping, if it may be one of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
    },
    Message {
        conn: ConnectionId,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        binary: bool,
        bytes: usize,
        /// For a message beyond the rates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    Command {
        conn: ConnectionId,
        said: Said<'a>,
    },
    /// The answer of the application to a question.
    Answer {
        conn: ConnectionId,
        to: Decision<'a>,
        answer: Answer<'a>,
    },
    Broadcast {
        room: Cow<'a, str>,
        content: Option<Payload>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        volatile: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Cow<'a, str>>,
        /// The number that the room had come to when it was first sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<u64>,
        /// The epoch of that number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Excluded::is_nobody")]
        exclude: Excluded,
    },
    BroadcastRaw {
        room: Cow<'a, str>,
        frame: Sent,
        #[serde(default, skip_serializing_if = "Excluded::is_nobody")]
        exclude: Excluded,
    },
    /// A part of a message to all connections. `number` distinguishes such messages.
    BroadcastAll {
        number: u64,
        frame: Sent,
        #[serde(default, skip_serializing_if = "Excluded::is_nobody")]
        exclude: Excluded,
    },
    Send {
        conn: ConnectionId,
        frame: Sent,
    },
    SendToUser {
        user: Cow<'a, str>,
        frame: Sent,
        /// Whether the caller waits for what other nodes say.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        everywhere: bool,
        /// Tells messages apart that are sent in parts; 0 for one that is sent at once.
        #[serde(default, skip_serializing_if = "is_zero")]
        number: u64,
    },
    Join {
        conn: ConnectionId,
        room: Cow<'a, str>,
    },
    Leave {
        conn: ConnectionId,
        room: Cow<'a, str>,
    },
    ReleaseSeat {
        room: Cow<'a, str>,
        user: Cow<'a, str>,
    },
    Close {
        conn: ConnectionId,
        reason: CloseReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Cow<'a, str>>,
    },
    DisconnectUser {
        user: Cow<'a, str>,
        reason: CloseReason,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        everywhere: bool,
    },
    Extend {
        conn: ConnectionId,
        expires_in: Option<u64>,
    },
    PingUser {
        user: Cow<'a, str>,
        timeout: u64,
    },
    Drain {
        window: u64,
        deadline: u64,
    },
    AwaitDisconnectHooks,
    DisconnectHookDone,
    WallClock {
        unix: u64,
    },
    /// A writer has taken the queued frames of some connections.
    Take {
        turn: u64,
        most: usize,
    },
    /// The result of that. Everything was written, except for what is named.
    Report {
        turn: u64,
        jobs: usize,
        bytes: usize,
        /// The connections whose sockets took less: with the index among the jobs, and the bytes written.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        short: Vec<(ConnectionId, usize, usize)>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed: Vec<(ConnectionId, usize)>,
    },
    Tick,
    ShutDown,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is that of serde"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

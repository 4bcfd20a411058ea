//! The outputs of the state machine: orders and notices.

use std::fmt;
use std::sync::Arc;

use crate::ConnectionId;
use crate::cluster::answer::{Entry, Failure};
use crate::cluster::command::Info;
use crate::cluster::command::{Channel, Command};
use crate::cluster::room_body::RoomBody;

/// A message that this node published, until its outcome is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A question to other nodes, until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question(pub u64);

/// Why something was not taken.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// Too much waits for the broker.
    OutboxFull,
    /// The broker is away, and the room's terms are to refuse.
    Unavailable,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutboxFull => "too much waits for the broker",
            Self::Unavailable => "the broker is away",
        })
    }
}

impl std::error::Error for PublishError {}

/// Messages that are read again, until they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecallTicket(pub u64);

/// A seat that was asked for, until it is granted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatTicket(pub u64);

/// What a [`Cluster`](super::Cluster) wants done. The caller carries outputs out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the broker, load the scripts, and say
    /// [`Cluster::connected`](super::Cluster::connected) or [`Cluster::lost`](super::Cluster::lost).
    Connect,
    /// Drop the connection or the attempt. Nothing more is reported about it.
    Hangup,
    /// Subscribe to channels.
    Subscribe(Vec<Channel>),
    /// Unsubscribe from channels.
    Unsubscribe(Vec<Channel>),
    /// Send commands in one pipeline, and say [`Cluster::answered`](super::Cluster::answered). There
    /// is no second one before that.
    Send(Vec<Command>),
    /// Where the members of a room are. What follows for them has the numbers above.
    Position {
        /// The room.
        room: Arc<str>,
        /// The epoch.
        epoch: Arc<str>,
        /// The number up to which they have everything, or will get nothing.
        seq: u64,
        /// What they are.
        kind: PositionKind,
    },
    /// Give a message to the members of a room.
    Deliver {
        /// The room.
        room: Arc<str>,
        /// Its number.
        seq: u64,
        /// The node that sent it.
        node: Arc<str>,
        /// The message.
        body: RoomBody,
        /// The ticket of the message, if this node published it: this reports its outcome.
        ticket: Option<Ticket>,
    },
    /// Numbers of a room that the members get no message for. A message that they have had under
    /// another number is no loss.
    Skip {
        /// The room.
        room: Arc<str>,
        /// The first number.
        from: u64,
        /// The last one.
        to: u64,
        /// Whether messages were lost.
        lost: bool,
    },
    /// What became of a message that is not delivered here.
    Published {
        /// The message.
        ticket: Ticket,
        /// Its fate.
        fate: Fate,
    },
    /// Nobody may enter a room now: the broker is unavailable, and the room's terms are to refuse.
    /// Clients that wait to enter, or for the room to catch up, have to be notified.
    Unavailable {
        /// The room.
        room: Arc<str>,
    },
    /// A room has caught up with the broker, as requested by
    /// [`Cluster::catch_up`](super::Cluster::catch_up), or cannot, because it is alone or has no
    /// members here any more.
    CaughtUp {
        /// The room.
        room: Arc<str>,
        /// The number of the last request that this answers.
        upto: u64,
    },
    /// Deliver a volatile message to the members of a room.
    Volatile {
        /// The room.
        room: Arc<str>,
        /// The node that sent it.
        node: Arc<str>,
        /// The message.
        body: Arc<[u8]>,
    },
    /// What [`Cluster::recall`](super::Cluster::recall) has read.
    Recalled {
        /// The question.
        ticket: RecallTicket,
        /// The room.
        room: Arc<str>,
        /// The epoch of the numbers.
        epoch: Arc<str>,
        /// The messages, oldest first, without a hole up to the last one that was wanted. Those at the
        /// beginning are missing where the log does not reach back so far, all of them where the room
        /// has another epoch or the broker did not answer in time.
        entries: Vec<Entry>,
    },
    /// The users of a room on other nodes have changed: users who are now on at least one node, or
    /// whose presence info has changed there, and users who are on none any more.
    Occupants {
        /// The room.
        room: Arc<str>,
        /// Users who joined, or whose presence info has changed. This info takes precedence over the
        /// info here; without it, the info here counts.
        joined: Vec<(Arc<str>, Info)>,
        /// Users who left.
        left: Vec<Arc<str>>,
    },
    /// Whether the seat requested by [`Cluster::take_seat`](super::Cluster::take_seat) is granted.
    Seat {
        /// The question.
        ticket: SeatTicket,
        /// Whether it is granted.
        granted: bool,
    },
    /// Whether a connection may stay that waits since [`Cluster::logged_in`](super::Cluster::logged_in).
    Admission {
        /// Its user.
        user: Arc<str>,
        /// The connection.
        connection: ConnectionId,
        /// Whether it may.
        admitted: bool,
    },
    /// A connection has to be closed.
    Close {
        /// Its user.
        user: Arc<str>,
        /// The connection.
        connection: ConnectionId,
        /// Why, as a word.
        reason: Arc<str>,
    },
    /// A message of another node for a user's connections here. The caller says by
    /// [`Cluster::taken`](super::Cluster::taken) how many took it.
    Direct {
        /// The node that sent it.
        node: Arc<str>,
        /// Its question.
        question: Question,
        /// The user.
        user: Arc<str>,
        /// The message.
        body: Arc<[u8]>,
    },
    /// What came of [`Cluster::direct`](super::Cluster::direct).
    Taken {
        /// The question.
        question: Question,
        /// How many other nodes have answered.
        nodes: u32,
        /// How many connections there took the message.
        queues: u64,
        /// Whether all have answered that were asked.
        complete: bool,
    },
    /// What came of [`Cluster::kick`](super::Cluster::kick).
    Kicked {
        /// The question.
        question: Question,
        /// How many nodes were notified, including this one if the user was here.
        nodes: u32,
        /// How many connections the user had there.
        connections: u64,
        /// Whether it was done: the broker answered in time.
        complete: bool,
    },
    /// A message of another node for every connection here.
    Everyone {
        /// The node that sent it.
        node: Arc<str>,
        /// The message.
        body: Arc<[u8]>,
    },
    /// For the log and the application.
    Notice(ClusterNotice),
}

/// What people may want to know about the cluster.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterNotice {
    /// The broker has been unavailable for so long that rooms continue alone, or refuse messages, as
    /// their rules say. Clients are notified.
    Away,
    /// The broker answers again. Clients are notified.
    Back,
    /// The broker refused something; the connection is given up and tried again.
    Failed(Failure),
    /// This node is registered.
    Registered(Arc<str>),
    /// This node was silent for so long that the others consider it dead: it registers again.
    Lapsed(Arc<str>),
    /// This node has retired, and does nothing more.
    Retired,
    /// Another node is there.
    NodeUp(Arc<str>),
    /// Another node has retired, or is silent.
    NodeDown(Arc<str>),
    /// Another node has the same name. Both work, but their logs and figures are hard to distinguish.
    SameName(Arc<str>),
}

/// What a [`Output::Position`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionKind {
    /// The members begin here.
    Start,
    /// The members were at this position before they were alone, and continue from here.
    Resumed,
    /// The room has another epoch: messages of the previous one that were not received are lost. The
    /// members begin at 0, or at their last position if they have been in that epoch before.
    NewEpoch,
    /// The broker is away: an epoch of this node's own.
    Local,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has this number in this epoch of the room.
    Numbered(Arc<str>, u64),
    /// It is in the log, under a number that is not known here.
    Applied,
    /// The broker was unavailable, and there were no members here to deliver it to.
    Local,
    /// The broker was away, and the room's terms are to refuse.
    Refused,
    /// Nobody here is in the room, which has no common order: it went to other nodes.
    Forwarded,
    /// It is the value of a key that the room has no place for, or that has one already where it was only
    /// to be set if there is none.
    NotKept,
}

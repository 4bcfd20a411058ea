//! Actions for the driver, and notices for the application and the log.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::errors::{JoinError, SendError};
use crate::{BadName, CloseReason, ConnectionId, Frame, Position, Refused};

/// What the driver has to do.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Everything is written: shut down the write side, and continue to read.
    ShutdownWrite(ConnectionId),
    /// The connection's read mode has changed; ask
    /// [`Switchboard::read_mode`](crate::Switchboard::read_mode).
    ReadMode(ConnectionId),
    /// The connection is gone: try once to write `last`, if there is any, then drop the socket.
    Evict {
        /// The connection, whose id is stale now.
        id: ConnectionId,
        /// A Close frame, for one attempt to write it.
        last: Option<Frame>,
    },
    /// A notice for the application or the log.
    Notify(Notice),
}

/// A notice for the application or the log.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A connection was admitted.
    Opened {
        /// The connection.
        id: ConnectionId,
        /// Its user.
        user: Arc<str>,
    },
    /// A connection was refused.
    Refused {
        /// The connection.
        id: ConnectionId,
        /// The reason.
        refused: Refused,
    },
    /// The application gave a user an illegal name. The connection is refused or closed with
    /// `internal`.
    BadUser {
        /// The connection.
        id: ConnectionId,
        /// The rule that the name breaks.
        bad: BadName,
    },
    /// An admitted connection has ended. Its socket may be gone only later.
    Closed {
        /// The connection.
        id: ConnectionId,
        /// Its user.
        user: Arc<str>,
        /// The rooms that the connection was in.
        rooms: Vec<Arc<str>>,
        /// The reason.
        reason: CloseReason,
    },
    /// A connection entered a room.
    Joined {
        /// The connection.
        id: ConnectionId,
        /// The room.
        room: Arc<str>,
    },
    /// The application allowed a connection to enter a room, but a limit prevented it, or it was in the
    /// room already. The client is notified. A connection that cannot enter its lobby is refused
    /// instead ([`Notice::Refused`]).
    JoinFailed {
        /// The connection.
        id: ConnectionId,
        /// The room.
        room: Arc<str>,
        /// The reason.
        error: JoinError,
    },
    /// A connection left a room, by itself or by its end.
    Left {
        /// The connection.
        id: ConnectionId,
        /// The room.
        room: Arc<str>,
    },
    /// The users in a room have changed.
    Presence {
        /// The room.
        room: Arc<str>,
        /// The number of users in the room now.
        count: usize,
        /// Users who joined.
        joined: Vec<Arc<str>>,
        /// Users who left.
        left: Vec<Arc<str>>,
    },
    /// A limit is used to this percentage for the first time.
    NearLimit {
        /// The configuration field of the limit.
        limit: &'static str,
        /// 80 or 100.
        percent: u8,
    },
    /// The host stalled; liveness deadlines were moved by as much.
    HostStalled {
        /// The length of the stall.
        by: Duration,
    },
    /// The results of [`Switchboard::ping_user`](crate::Switchboard::ping_user).
    Pinged {
        /// The ticket that `ping_user` returned.
        ticket: u64,
        /// One result for each connection that the user had.
        results: Vec<PingResult>,
    },
    /// The drain has ended.
    Drained(DrainReport),
    /// The broker of the cluster has been unavailable for so long that rooms continue alone or refuse
    /// messages, or it is available again.
    Cluster {
        /// Whether it is back.
        up: bool,
    },
    /// What became of a message of [`Switchboard::publish`](crate::Switchboard::publish).
    Published {
        /// The ticket that `publish` returned.
        ticket: u64,
        /// The message's number, and the epoch in which it counts; or why there is none.
        result: Result<Position, SendError>,
    },
    /// What was reached of a user on all nodes.
    Reached {
        /// The ticket that the call returned.
        ticket: u64,
        /// What was reached.
        report: UserReport,
    },
}

/// What was reached of a user on all nodes of a cluster.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserReport {
    /// Connections that are going to get the message, or that are closed.
    pub connections: u64,
    /// Other nodes that have answered.
    pub nodes: u32,
    /// Whether all that were asked have answered in time.
    pub complete: bool,
}

/// The result of [`Switchboard::ping_user`](crate::Switchboard::ping_user) for one connection. In
/// serialised form, the round-trip time is a number of milliseconds, `rtt_ms`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PingResult {
    /// The connection.
    pub id: ConnectionId,
    /// The round-trip time; `None` if no answer arrived in time, or if the connection ended.
    #[serde(rename = "rtt_ms", serialize_with = "millis")]
    pub rtt: Option<Duration>,
}

// The signature is that of serde.
#[allow(clippy::ref_option)]
fn millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    time.map(millis).serialize(to)
}

/// The result of a drain.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DrainReport {
    /// Connections that were open when it began.
    pub connections: usize,
    /// Those of them that were evicted at the deadline.
    pub evicted: usize,
    /// Hooks `on_disconnect` that had not returned at the deadline, including those of evicted
    /// connections.
    pub hooks_cut_off: usize,
}

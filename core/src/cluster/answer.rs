//! What the broker answers.

use std::fmt;
use std::sync::Arc;

use super::command::{BrokerTime, Info};
use super::room_body::RoomBody;

/// What became of a command: an answer, or the reason why it was not applied.
pub type Done = Result<Answer, Failure>;

/// The broker's answer to the [`Command`](super::Command) of the same name. Lists are in no particular
/// order unless stated otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The messages are in the log.
    Append {
        /// The room's epoch.
        epoch: Arc<str>,
        /// What became of each body.
        fates: Vec<Appended>,
    },
    /// The session is noted.
    Sync {
        /// The room's epoch.
        epoch: Arc<str>,
        /// The last number used in the room, 0 if none.
        seq: u64,
        /// The node's own number of its last message; not less than [`Sync::done`](super::Sync).
        own: u64,
        /// The version of the list of users.
        version: u64,
        /// The messages after the position that was asked for, oldest first; none where that was
        /// in another epoch.
        entries: Vec<Entry>,
    },
    /// Nothing was done: the node has a newer connection, and has asked through it already.
    Stale {
        /// The room's epoch.
        epoch: Arc<str>,
        /// The last number used in the room.
        seq: u64,
        /// The node's own number of its last message.
        own: Option<u64>,
    },
    /// Nothing was appended: a message of the node before these is missing.
    OutOfOrder {
        /// The room's epoch.
        epoch: Arc<str>,
        /// The last number used in the room.
        seq: u64,
        /// The node's own number of its last message.
        own: u64,
    },
    /// The list of users is as wanted.
    Presence {
        /// The room's epoch.
        epoch: Arc<str>,
        /// The version of the list.
        version: u64,
        /// How many users that changed.
        changed: u64,
    },
    /// The users in a room; `None` where the broker has nothing of this incarnation.
    Occupants(Option<OccupantList>),
    /// How far a room has come; `None` where the broker has nothing of this incarnation.
    Position(Option<RoomPosition>),
    /// Messages of a room, oldest first; `None` where it has another epoch.
    Range(Option<Vec<Entry>>),
    /// Values of keys, the one with the lowest number first; `None` where the room has another epoch, or
    /// some are lost.
    Values(Option<Vec<Entry>>),
    /// How many seats the node has now.
    Seats {
        /// As many as were wanted, or what the others leave, but not fewer than were held.
        granted: u32,
        /// Seats of the other nodes.
        others: u32,
        /// When.
        at: BrokerTime,
    },
    /// The command came through an earlier connection of the node, and was not applied.
    StaleSession,
    /// The claim was made, or was removed at once.
    Login {
        /// When the claim was made.
        stamp: BrokerTime,
        /// The claims that were removed, oldest first, possibly including the new one, if others take
        /// precedence.
        put_out: Vec<Claim>,
        /// When.
        at: BrokerTime,
    },
    /// Whether the claim had been there.
    Logout(bool),
    /// The user was kicked.
    Kick {
        /// When.
        at: BrokerTime,
        /// Where, the node with the oldest claim first.
        reached: Vec<Reached>,
    },
    /// The claims of a user; `None` where the broker has nothing of this incarnation.
    Lookup(Option<Vec<Claim>>),
    /// The nodes to which the message was published, the one with the oldest claim first.
    Direct(Vec<Reached>),
    /// The lease runs.
    Beat {
        /// When it was renewed.
        at: BrokerTime,
        /// All registrations on the list, where this one was new.
        peers: Option<Vec<Peer>>,
    },
    /// The lease had expired: the node has to register again.
    Fenced {
        /// When that was found.
        at: BrokerTime,
    },
    /// How many connections to the broker received the last heartbeat.
    Retire(u64),
    /// How many connections to the broker received the message.
    Notify(u64),
    /// The broker answers.
    Ping,
}

/// What became of a message that was to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It has this number in the room.
    Numbered(u64),
    /// It had been dealt with before.
    Before,
    /// It is the value of a key that the room has no place for, or that was only to be set where there is
    /// none.
    NotKept,
}

/// A list of users in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OccupantList {
    /// The room's epoch.
    pub epoch: Arc<str>,
    /// The version of the list.
    pub version: u64,
    /// The users in the room.
    pub users: Vec<Occupant>,
}

/// How far a room has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPosition {
    /// The room's epoch.
    pub epoch: Arc<str>,
    /// The last number used.
    pub seq: u64,
    /// The version of the list of users.
    pub version: u64,
    /// The number of entries of the list: fewer than its version implies if the broker has evicted it.
    pub users: u64,
}

/// A user in a room, through a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occupant {
    /// The node's registration.
    pub registration: Arc<str>,
    /// The user.
    pub user: Arc<str>,
    /// The version of the list in which that was written.
    pub since: u64,
    /// The presence info of the user.
    pub info: Info,
}

/// A message in a room's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the room.
    pub seq: u64,
    /// The node that sent it.
    pub node: Arc<str>,
    /// That node's own number of it.
    pub own: u64,
    /// The message.
    pub body: RoomBody,
}

/// A user's claim: which connection is theirs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// When it was made. No two claims of a user have the same.
    pub stamp: BrokerTime,
    /// The node's registration.
    pub registration: Arc<str>,
    /// The connection, unique within the node.
    pub connection: Arc<str>,
}

/// A node to which something was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The node; for a kick its registration.
    pub node: Arc<str>,
    /// How many claims of the user it held.
    pub claims: u32,
    /// How many connections to the broker received it: 0 where the node is not there.
    pub receivers: u64,
}

/// A registration on the list of nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// The registration.
    pub registration: Arc<str>,
    /// Its report about itself.
    pub info: Arc<str>,
}

/// Why a command was not applied. Each ends the connection to the broker.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The server became a replica.
    ReadOnly,
    /// The server is still reading its data.
    Loading,
    /// The server is a replica that has lost its master.
    MasterDown,
    /// The server does not accept writes, because it cannot save them.
    CannotSave,
    /// The server is out of memory.
    OutOfMemory,
    /// The server does not have the scripts.
    NoScript,
    /// The server wants a password.
    NoAuth,
    /// The server does not allow this user the command.
    NoPermission,
    /// The server has been running a script for too long.
    Busy,
    /// A key has a foreign type.
    WrongType,
    /// Another error of the server.
    Other,
    /// The answer could not be understood.
    Malformed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "the broker became a replica",
            Self::Loading => "the broker is still loading its data",
            Self::MasterDown => "the broker has lost its master",
            Self::CannotSave => "the broker refuses writes, because it cannot save them",
            Self::OutOfMemory => "the broker is out of memory",
            Self::NoScript => "the broker does not have the scripts",
            Self::NoAuth => "the broker wants a password",
            Self::NoPermission => "the broker's access rules forbid the command",
            Self::Busy => "the broker is busy with a script",
            Self::WrongType => "a key in the broker is of another type",
            Self::Other => "the broker answered with an error",
            Self::Malformed => "the broker's answer is malformed",
        })
    }
}

impl std::error::Error for Failure {}

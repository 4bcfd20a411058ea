//! The errors of calls that join or send.

use std::fmt;

use crate::{BadName, StaleId};

/// Why a connection could not enter a room.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// The connection is gone.
    Stale(StaleId),
    /// The connection is not admitted yet, or is closing.
    NotOpen,
    /// The room's name is illegal.
    BadName(BadName),
    /// The connection is in the room already; nothing changed.
    AlreadyIn,
    /// The connection is in as many rooms as it may be (`limits.rooms_per_connection`).
    TooManyRooms,
    /// The node has as many rooms as it may have (`limits.rooms`).
    NoMoreRooms,
    /// The client asked for a room that does not exist, half of the node's rooms do, and its
    /// address or network has created its share of them.
    NoMoreRoomsForAddress,
    /// Every seat of the room is taken or held for another user (`limits.room_members`, or the limit in
    /// a rule for the room).
    RoomFull,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(stale) => stale.fmt(f),
            Self::BadName(bad) => bad.fmt(f),
            Self::NotOpen => f.write_str("the connection is not open"),
            Self::AlreadyIn => f.write_str("the connection is in the room already"),
            Self::TooManyRooms => f.write_str("the connection is in too many rooms"),
            Self::NoMoreRooms => f.write_str("there are too many rooms"),
            Self::NoMoreRoomsForAddress => f.write_str("your address has too many rooms"),
            Self::RoomFull => f.write_str("the room is full"),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<StaleId> for JoinError {
    fn from(stale: StaleId) -> Self {
        Self::Stale(stale)
    }
}

/// Why a message was not sent.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The connection is gone.
    Stale(StaleId),
    /// The connection is not admitted yet, or is closing.
    NotOpen,
    /// The broker of the cluster is away, and the room's rule is to refuse then.
    Unavailable,
    /// The writers have not caught up. More than `limits.queued_bytes` are held, and closing slow
    /// connections would not help; or the room's log is at twice the limit of its members' lag; or the
    /// queue of the connection, or of one of the user's, is at twice its limit. Nothing was sent, and
    /// no number was used. Wait (with `Hub::ready`, if the driver has it) and send again.
    Busy,
    /// The message is larger than what may wait for a connection (`limits.queue_bytes`).
    TooLarge {
        /// Bytes of the frame.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The message was [sent again](crate::RoomMessage::with_id), and it cannot be known whether the room had it.
    Unrecoverable,
    /// The room does not keep the latest value of each key
    /// ([`RoomRule::keep`](crate::RoomRule::keep)).
    NoKeys,
    /// The key is empty, too long (`limits.name_bytes`), or has a control character.
    BadKey(BadName),
    /// As many keys of the room have a value as may ([`Keep::Latest`](crate::Keep::Latest)): remove
    /// one first.
    TooManyKeys {
        /// The limit.
        limit: usize,
    },
    /// With the value, more would be kept over all rooms than may be (`history.bytes`).
    TooManyBytes {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(stale) => stale.fmt(f),
            Self::NotOpen => f.write_str("the connection is not open"),
            Self::Busy => {
                f.write_str("too much is queued: wait until earlier messages are written")
            }
            Self::TooLarge { bytes, limit } => {
                write!(
                    f,
                    "a frame of {bytes} bytes exceeds the queue limit of {limit}"
                )
            }
            Self::Unavailable => f.write_str("the node has lost contact with the others"),
            Self::Unrecoverable => f.write_str(
                "it cannot be known whether the message was published before: the history does not tell",
            ),
            Self::NoKeys => f.write_str("the room does not keep values by key"),
            Self::BadKey(bad) => write!(f, "the key is not a valid name: {bad}"),
            Self::TooManyKeys { limit } => {
                write!(f, "{limit} keys have a value: remove one first")
            }
            Self::TooManyBytes { limit } => {
                write!(f, "more than {limit} bytes would be kept over all rooms")
            }
        }
    }
}

impl std::error::Error for SendError {}

impl From<StaleId> for SendError {
    fn from(stale: StaleId) -> Self {
        Self::Stale(stale)
    }
}

//! The recipients of a message, and what became of it.

use serde::Serialize;
use smallvec::SmallVec;

use super::table::Table;
use super::users::Users;
use crate::ConnectionId;

/// The connections that do not get a broadcast.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exclude<'a> {
    /// These connections.
    pub connections: &'a [ConnectionId],
    /// All connections of these users.
    pub users: &'a [&'a str],
}

impl Exclude<'_> {
    /// No exclusions.
    pub const NOBODY: Exclude<'static> = Exclude {
        connections: &[],
        users: &[],
    };
}

/// The outcome of sending a message, when the call returned.
///
/// `accepted + excluded + dropped_newest + dropped_volatile + closed` is the number of connections it was addressed to.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The message's number in its room; `None` for unnumbered messages, and for rooms that have
    /// neither members nor a history.
    pub seq: Option<u64>,
    /// Whether it was passed to the cluster. Its outcome is then not known yet: the broker assigns its
    /// number, and it is delivered when it comes back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forwarded: bool,
    /// Whether the room had it already, under this number: it was [sent again](crate::RoomMessage::with_id).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// The number of connections that are going to get it.
    pub accepted: usize,
    /// The number of connections excluded by the caller.
    pub excluded: usize,
    /// The number of older messages dropped for it (`DropOldest`).
    pub dropped_oldest: usize,
    /// The number of connections for which it was dropped itself (`DropNewest`).
    pub dropped_newest: usize,
    /// The number of connections for which it was dropped itself because it is volatile and something
    /// waits for them in the room.
    pub dropped_volatile: usize,
    /// The number of connections closed (4101) because with it too much waits for them, or is held
    /// on the node. It does not reach them.
    pub closed: usize,
}

impl Receipt {
    /// Adds what became of the message for other connections.
    pub(super) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.excluded += other.excluded;
        self.dropped_oldest += other.dropped_oldest;
        self.dropped_newest += other.dropped_newest;
        self.closed += other.closed;
    }
}

/// Returns the slots of those that do not get a broadcast.
pub(super) fn excluded(
    connections: &Table,
    users: &Users,
    exclude: Exclude<'_>,
) -> SmallVec<[u32; 4]> {
    let there = exclude.connections.iter();
    let there = there.filter(|&&id| connections.get(id).is_ok());
    let of_users = exclude
        .users
        .iter()
        .flat_map(|name| users.connections(name));
    there.map(|id| id.slot).chain(of_users).collect()
}

//! Who gets a message, and what became of it.

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
/// `queued + excluded + dropped_newest + closed` is the number of connections it was addressed to.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The message's number in its room; `None` for unnumbered messages and rooms without members.
    pub seq: Option<u64>,
    /// The number of queues that it is in.
    pub queued: usize,
    /// The number of connections excluded by the caller.
    pub excluded: usize,
    /// The number of older messages dropped for it (`DropOldest`).
    pub dropped_oldest: usize,
    /// The number of connections for which it was dropped itself (`DropNewest`).
    pub dropped_newest: usize,
    /// The number of connections closed (4101) because it exceeded the bound of their queue, or of
    /// the node. It does not reach them.
    pub closed: usize,
}

/// [`Exclude`], prepared so that it costs nothing where none is excluded.
pub(super) enum Excluded<'a> {
    Nobody,
    One(u32),
    Some {
        ids: &'a [ConnectionId],
        users: Vec<u32>,
    },
}

impl<'a> Excluded<'a> {
    #[inline]
    pub(super) fn new(connections: &Table, users: &Users, exclude: Exclude<'a>) -> Self {
        match (exclude.connections, exclude.users) {
            ([], []) => Self::Nobody,
            (&[id], []) => match connections.get(id) {
                Ok(_) => Self::One(id.slot),
                Err(_) => Self::Nobody,
            },
            (ids, names) => {
                let users = names.iter().filter_map(|name| users.find(name)).collect();
                Self::Some { ids, users }
            }
        }
    }

    #[inline]
    pub(super) fn has(&self, connections: &Table, slot: u32) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(one) => *one == slot,
            Self::Some { ids, users } => {
                ids.contains(&connections.id_at(slot)) || users.contains(&connections.at(slot).user)
            }
        }
    }
}

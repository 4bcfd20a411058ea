//! Comparing an index with a recount.

use std::fmt;

use super::recount::Recount;
use super::rooms::RoomPlace;
use crate::IpKey;

/// An index that disagrees with what it indexes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistency {
    /// The name of the index.
    pub what: &'static str,
    /// What the index says.
    pub kept: String,
    /// What the recount says.
    pub counted: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: kept {}, counted {}",
            self.what, self.kept, self.counted
        )
    }
}

impl std::error::Error for Inconsistency {}

/// Compares what an index says with a recount.
#[allow(clippy::needless_pass_by_value)] // most arguments are temporaries
pub(super) fn same<T: PartialEq + fmt::Debug>(
    what: &'static str,
    kept: T,
    counted: T,
) -> Result<(), Inconsistency> {
    if kept == counted {
        return Ok(());
    }
    Err(Inconsistency {
        what,
        kept: format!("{kept:?}"),
        counted: format!("{counted:?}"),
    })
}

/// An audit in parts; see [`audit_part`](crate::Switchboard::audit_part).
#[derive(Debug, Default)]
pub struct Audit {
    /// Its number; 0 before it has one.
    pub(super) number: u64,
    pub(super) stage: Stage,
    pub(super) counted: Recount,
}

impl Audit {
    /// Begins an audit.
    pub fn new() -> Self {
        Self::default()
    }
}

/// What an audit looks at next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Stage {
    /// Connections, from the first one on that is not counted.
    #[default]
    Connections,
    /// Users, from this key on.
    Users(usize),
    /// Rooms.
    Rooms(RoomPlace),
    /// The logs of rooms, from this key on.
    Logs(u32),
    /// Addresses, after this one.
    Addresses(Option<IpKey>),
    /// The numbers of all of them.
    Sums,
}

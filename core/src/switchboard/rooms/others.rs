//! Users in a room on other nodes of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::PresenceInfo;

/// Users in a room on other nodes, with their presence info there.
pub(in crate::switchboard) type Others = BTreeMap<Arc<str>, Option<PresenceInfo>>;

/// Users in the room on other nodes.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    pub(super) users: Others,
    /// How many of them are here, too.
    pub(super) here_too: usize,
}

impl Elsewhere {
    /// Returns how many users are not here.
    pub(super) fn others(&self) -> usize {
        self.users.len() - self.here_too
    }

    /// Adds a user, or updates the presence info of one. Returns whether the user was not there before.
    pub(super) fn come(&mut self, name: &Arc<str>, info: Option<PresenceInfo>, here: bool) -> bool {
        let is_new = self.users.insert(name.clone(), info).is_none();
        self.here_too += usize::from(is_new && here);
        is_new
    }

    /// Removes any user, because the room ends. Returns whether there was one.
    pub(super) fn forget_one(&mut self) -> bool {
        self.users.pop_first().is_some()
    }

    /// Removes a user. Returns whether the user was there.
    pub(super) fn go(&mut self, name: &str, here: bool) -> bool {
        let was_there = self.users.remove(name).is_some();
        self.here_too -= usize::from(was_there && here);
        was_there
    }
}

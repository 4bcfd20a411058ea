//! The list of users in a room, as the broker has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::answer::OccupantList;
use crate::cluster::command::Info;

/// Users, and what is told of each.
pub(super) type Users = BTreeMap<Arc<str>, Info>;

/// Users of a registration.
pub(super) type Rows = BTreeMap<Arc<str>, Row>;

/// What the list says of a user under a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) info: Info,
    /// The version of the list in which that was written.
    pub(super) since: u64,
}

/// The list of users in a room.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) epoch: Arc<str>,
    pub(super) version: u64,
    /// By registration; none is empty.
    users: BTreeMap<Arc<str>, Rows>,
}

/// What changed about the list.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Change {
    pub(in crate::cluster) version: u64,
    pub(in crate::cluster) epoch: Arc<str>,
    pub(in crate::cluster) registration: Arc<str>,
    pub(in crate::cluster) joined: Vec<(Arc<str>, Info)>,
    pub(in crate::cluster) left: Vec<Arc<str>>,
}

/// Where a change stands to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The list has it.
    Known,
    /// It is the next one.
    Next,
    /// Something before it is missing, or the list is of another epoch.
    Beyond,
}

impl Listed {
    pub(super) fn new(list: OccupantList) -> Self {
        let mut users: BTreeMap<Arc<str>, Rows> = BTreeMap::new();
        for occupant in list.users {
            let of_registration = users.entry(occupant.registration).or_default();
            let (info, since) = (occupant.info, occupant.since);
            of_registration.insert(occupant.user, Row { info, since });
        }
        Self {
            epoch: list.epoch,
            version: list.version,
            users,
        }
    }

    pub(super) fn place(&self, change: &Change) -> Place {
        if self.epoch != change.epoch {
            return Place::Beyond;
        }
        match change.version.checked_sub(self.version) {
            None | Some(0) => Place::Known,
            Some(1) => Place::Next,
            Some(_) => Place::Beyond,
        }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        let since = change.version;
        self.version = since;
        for user in &change.left {
            self.set(&change.registration, user, None);
        }
        for (user, info) in &change.joined {
            let info = info.clone();
            self.set(&change.registration, user, Some(Row { info, since }));
        }
    }

    pub(super) fn set(&mut self, registration: &Arc<str>, user: &Arc<str>, row: Option<Row>) {
        if let Some(row) = row {
            let users = self.users.entry(Arc::clone(registration)).or_default();
            users.insert(Arc::clone(user), row);
        } else if let Some(users) = self.users.get_mut(registration) {
            users.remove(user);
            if users.is_empty() {
                self.users.remove(registration);
            }
        }
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> u64 {
        self.users.values().map(|users| users.len() as u64).sum()
    }

    /// Users of a registration; `None` if it has none.
    pub(super) fn of(&self, registration: &str) -> Option<&Rows> {
        self.users.get(registration)
    }

    pub(super) fn by_registration(&self) -> impl Iterator<Item = (&Arc<str>, &Rows)> + Clone {
        self.users.iter()
    }

    pub(super) fn into_users(self) -> BTreeMap<Arc<str>, Rows> {
        self.users
    }
}

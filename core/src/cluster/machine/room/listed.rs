//! The list of users in a room, as the broker has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::answer::OccupantList;

pub(super) type Users = BTreeSet<Arc<str>>;

/// The list of users in a room.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) epoch: Arc<str>,
    pub(super) version: u64,
    /// By registration; none is empty.
    users: BTreeMap<Arc<str>, Users>,
}

/// What changed about the list.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct Change {
    pub(in crate::cluster) version: u64,
    pub(in crate::cluster) epoch: Arc<str>,
    pub(in crate::cluster) registration: Arc<str>,
    pub(in crate::cluster) joined: Vec<Arc<str>>,
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
        let mut users: BTreeMap<Arc<str>, Users> = BTreeMap::new();
        for occupant in list.users {
            let of_registration = users.entry(occupant.registration).or_default();
            of_registration.insert(occupant.user);
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
        self.version = change.version;
        for user in &change.left {
            self.set(&change.registration, user, false);
        }
        for user in &change.joined {
            self.set(&change.registration, user, true);
        }
    }

    pub(super) fn set(&mut self, registration: &Arc<str>, user: &Arc<str>, is_there: bool) {
        if is_there {
            let users = self.users.entry(Arc::clone(registration)).or_default();
            users.insert(Arc::clone(user));
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
    pub(super) fn of(&self, registration: &str) -> Option<&Users> {
        self.users.get(registration)
    }

    pub(super) fn by_registration(&self) -> impl Iterator<Item = (&Arc<str>, &Users)> + Clone {
        self.users.iter()
    }

    pub(super) fn into_users(self) -> BTreeMap<Arc<str>, Users> {
        self.users
    }
}

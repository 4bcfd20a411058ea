//! The users in a room on this node, and how they are written to the broker's list.
//!
//! Writes follow from a comparison with the broker's list under this node's registration, so that
//! repeats, new registrations and loss of data need no special handling.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::listed::{Listed, Rows, Users};
use crate::cluster::command::Info;

/// Users in one command.
const USERS: usize = 1000;

/// The users who are here, and what is still to be written.
#[derive(Debug, Default)]
pub(super) struct Own {
    here: Users,
    /// Users who may not be listed under this node's registration as they are here.
    unwritten: BTreeSet<Arc<str>>,
    /// Those among them that a command is on its way about, and what it tells of those who are here.
    writing: BTreeMap<Arc<str>, Option<Info>>,
    /// The changes have been gathered for long enough.
    is_ready: bool,
    /// Registrations that are gone, whose users have to be taken off the list.
    gone: BTreeSet<Arc<str>>,
    /// Those among them that a command is on its way about.
    cleaning: BTreeSet<Arc<str>>,
    /// The broker may list users otherwise than is known here: a command was lost on its way, or what it
    /// changed is not known.
    is_unsure: bool,
}

/// A command's worth of changes.
#[derive(Debug)]
pub(in crate::cluster) struct Writing {
    pub(in crate::cluster) registration: Arc<str>,
    pub(in crate::cluster) joined: Vec<(Arc<str>, Info)>,
    pub(in crate::cluster) left: Vec<Arc<str>>,
}

impl Own {
    /// A user is here now, of whom this is told, or no longer. Returns whether that was a change.
    pub(super) fn set(&mut self, user: &Arc<str>, here: Option<Info>) -> bool {
        let changed = self.here.get(user) != here.as_ref();
        match here {
            Some(info) => self.here.insert(Arc::clone(user), info),
            None => self.here.remove(user),
        };
        if changed {
            self.unwritten.insert(Arc::clone(user));
        }
        changed
    }

    /// What is told of a user who is here; `None` without such a user.
    pub(super) fn here(&self, user: &str) -> Option<&Info> {
        self.here.get(user)
    }

    /// Nobody is here, and nobody is listed.
    pub(super) fn is_done(&self, listed: Option<&Listed>, own: &str) -> bool {
        let is_listed = listed.is_some_and(|listed| listed.of(own).is_some());
        self.here.is_empty() && self.writing.is_empty() && !is_listed && !self.is_unsure
    }

    /// The list has to be read, also where nobody is in the room any more.
    pub(super) fn becomes_unsure(&mut self) {
        self.is_unsure = true;
    }

    pub(super) fn is_unsure(&self) -> bool {
        self.is_unsure
    }

    /// What changed has been gathered for long enough.
    pub(super) fn has_gathered(&mut self) {
        self.is_ready = true;
    }

    pub(super) fn has_changes(&self) -> bool {
        (self.is_ready && !self.unwritten.is_empty()) || !self.gone.is_empty()
    }

    /// The list changed under this node's registration. Returns whether others did it.
    pub(super) fn changed_by_others(&mut self, users: impl Iterator<Item = Arc<str>>) -> bool {
        let mut by_others = false;
        for user in users {
            if !self.writing.contains_key(&user) {
                self.unwritten.insert(user);
                self.is_ready = true;
                by_others = true;
            }
        }
        by_others
    }

    /// The users of a registration are to be taken off the list.
    pub(super) fn is_gone(&mut self, registration: Arc<str>) {
        self.gone.insert(registration);
    }

    /// Returns what is to be written now, and notes that it is on its way.
    pub(super) fn take(&mut self, listed: &Listed, own: &Arc<str>) -> Vec<Writing> {
        let mut all = self.take_cleaning(listed);
        if !self.is_ready {
            return all;
        }
        let there = listed.of(own);
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        while joined.len() + left.len() < USERS
            && let Some(user) = self.unwritten.pop_first()
        {
            let here = self.here.get(&user).cloned();
            let row = there.and_then(|there| there.get(&user));
            match (&here, row) {
                (Some(info), row) if row.is_none_or(|row| row.info != *info) => {
                    joined.push((Arc::clone(&user), info.clone()));
                }
                (None, Some(_)) => left.push(Arc::clone(&user)),
                _ => continue,
            }
            self.writing.insert(user, here);
        }
        self.is_ready = !self.unwritten.is_empty();
        if joined.len() + left.len() > 0 {
            all.push(Writing {
                registration: Arc::clone(own),
                joined,
                left,
            });
        }
        all
    }

    /// Returns what takes the users of registrations that are gone off the list.
    fn take_cleaning(&mut self, listed: &Listed) -> Vec<Writing> {
        let mut all = Vec::new();
        for registration in std::mem::take(&mut self.gone) {
            let users = listed.of(&registration).into_iter().flatten();
            let left: Vec<_> = users.take(USERS).map(|(user, _)| user.clone()).collect();
            if !left.is_empty() {
                self.cleaning.insert(Arc::clone(&registration));
                all.push(Writing {
                    registration,
                    joined: Vec::new(),
                    left,
                });
            }
        }
        all
    }

    /// The users of a registration that is gone have been taken off the list.
    pub(super) fn cleaned(&mut self, registration: &str) {
        self.cleaning.remove(registration);
    }

    /// What was on its way under this node's registration has been written: returns it.
    pub(super) fn written(&mut self) -> BTreeMap<Arc<str>, Option<Info>> {
        std::mem::take(&mut self.writing)
    }

    /// What was on its way may not have arrived.
    pub(super) fn lost(&mut self) {
        self.is_ready |= !self.writing.is_empty();
        self.is_unsure |= !self.writing.is_empty();
        let writing = std::mem::take(&mut self.writing);
        self.unwritten.extend(writing.into_keys());
        self.gone.append(&mut self.cleaning);
    }

    /// What was on its way concerned another registration.
    pub(super) fn registered_anew(&mut self) {
        self.writing.clear();
        self.unwritten.clear();
        self.is_unsure = false;
    }

    /// Finds out what is not listed under this node's registration as it is here.
    pub(super) fn compare(&mut self, listed: &Listed, own: &str) {
        self.is_unsure = false;
        let none = Rows::new();
        let there = listed.of(own).unwrap_or(&none);
        let here = self.here.iter();
        let unlisted =
            here.filter(|(user, info)| there.get(*user).map(|row| &row.info) != Some(info));
        let absent = there.keys().filter(|user| !self.here.contains_key(*user));
        let differing = unlisted.map(|(user, _)| user).chain(absent);
        let differing: Vec<_> = differing
            .filter(|user| !self.writing.contains_key(*user))
            .cloned()
            .collect();
        self.is_ready |= !differing.is_empty();
        self.unwritten.extend(differing);
    }
}

//! Presence of one room: its users, and the changes since the last update.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

use super::occupants::Occupants;
use super::others::{Elsewhere, Others};
use crate::switchboard::users::Users;
use crate::{ConnectionId, PresenceInfo};

/// The presence of a room.
#[derive(Debug, Default)]
pub(in crate::switchboard) struct Presence {
    pub(super) occupants: Occupants,
    /// Members receive only the names of users, without presence info.
    is_quiet: bool,
    /// Users on other nodes.
    elsewhere: Option<Box<Elsewhere>>,
    /// Incremented by each change; never 0.
    version: u32,
    /// The version at the last update.
    told: u32,
    /// Whether an update is scheduled.
    armed: bool,
    /// Whether a part of the changes of an update has been taken, and not all of them.
    in_parts: bool,
    /// The users that changed since the last update, and whether they were present before.
    changes: BTreeMap<Arc<str>, bool>,
    /// Users whose presence info has changed since the last update.
    infos: BTreeSet<Arc<str>>,
    /// Members to which the next update is not to go as it is, and the version that each was sent
    /// instead; 0 if it is due the complete list.
    seen: BTreeMap<ConnectionId, u32>,
}

/// An update to the members of a room.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Update {
    /// Members that have seen all of it.
    pub(in crate::switchboard) informed: Vec<ConnectionId>,
    /// Members that are due the complete list instead.
    pub(in crate::switchboard) uninformed: Vec<ConnectionId>,
    /// Users who joined, on balance.
    pub(in crate::switchboard) joined: Vec<Arc<str>>,
    /// Users who left, on balance.
    pub(in crate::switchboard) left: Vec<Arc<str>>,
    /// How much of the update this is.
    pub(in crate::switchboard) part: Part,
    /// Other users whose presence info has changed.
    pub(in crate::switchboard) updated: Vec<Arc<str>>,
}

/// How much of the changes since the previous update are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum Part {
    All,
    /// More follow.
    Some,
    /// The last ones.
    Last,
}

/// Changes that are taken together.
pub(in crate::switchboard) const CHANGES: usize = 128;

impl Update {
    /// Returns whether it says anything to members that have seen the previous one.
    pub(in crate::switchboard) fn is_news(&self) -> bool {
        self.is_change() || !self.updated.is_empty()
    }

    /// Returns whether other users are there.
    pub(in crate::switchboard) fn is_change(&self) -> bool {
        !self.joined.is_empty() || !self.left.is_empty()
    }

    /// Returns the number of users and members that it is about.
    pub(in crate::switchboard) fn size(&self) -> usize {
        self.informed.len() + self.uninformed.len() + self.joined.len() + self.left.len()
    }
}

impl Presence {
    /// Begins presence of a room. `tells_infos` says whether members receive presence info.
    pub(super) fn new(tells_infos: bool) -> Self {
        Self {
            is_quiet: !tells_infos,
            ..Self::default()
        }
    }

    /// Returns the number of users, with those on other nodes.
    pub(in crate::switchboard) fn count(&self) -> usize {
        self.occupants.len() + self.elsewhere.as_ref().map_or(0, |it| it.others())
    }

    /// Notes that a member was sent the complete list, or could not be.
    pub(super) fn note_seen(&mut self, id: ConnectionId, sent: bool) {
        if !sent {
            self.seen.insert(id, 0);
        } else if self.in_parts || self.changes.len() > CHANGES {
            // It will receive the number, like all others.
            self.seen.remove(&id);
        } else {
            self.seen.insert(id, self.version);
        }
    }

    /// Returns the users, in the order of joining.
    pub(super) fn users(&self) -> impl Iterator<Item = u32> {
        self.occupants.iter().map(|present| present.user)
    }

    /// Returns at most `most` users after a place in the order of joining, and the place after
    /// which others follow, if there are any.
    pub(in crate::switchboard) fn users_after(
        &self,
        after: u64,
        most: usize,
    ) -> (impl Iterator<Item = u32>, Option<u64>) {
        self.occupants.after(after, most)
    }

    /// Returns the names of the first `most` users, in the order of joining.
    pub(in crate::switchboard) fn names<'a>(
        &self,
        users: &'a Users,
        most: usize,
    ) -> SmallVec<[&'a str; 16]> {
        let here = self.users().map(|user| &*users.at(user).name);
        here.take(most).collect()
    }

    /// Returns the users who are only on other nodes, in the order of their names.
    pub(in crate::switchboard) fn others<'a>(
        &'a self,
        users: &'a Users,
    ) -> impl Iterator<Item = &'a Arc<str>> + 'a {
        let elsewhere = self.elsewhere.iter().flat_map(|it| it.users.keys());
        elsewhere.filter(|name| !self.is_here(users, name))
    }

    fn is_here(&self, users: &Users, name: &str) -> bool {
        let user = users.find(name);
        user.is_some_and(|user| self.occupants.get(user).is_some())
    }

    /// Returns whether a user is present, here or on other nodes.
    fn is_there(&self, users: &Users, name: &str) -> bool {
        let elsewhere = self.elsewhere.as_ref();
        self.is_here(users, name) || elsewhere.is_some_and(|it| it.users.contains_key(name))
    }

    /// Sets the users on other nodes, before the room has members here.
    pub(super) fn begin_elsewhere(&mut self, users: Others) {
        let here_too = 0;
        self.elsewhere = (!users.is_empty()).then(|| Box::new(Elsewhere { users, here_too }));
    }

    /// Records users who joined on other nodes, whose presence info changed there, or who left there.
    /// Returns whether an update is due.
    pub(super) fn moved_elsewhere(
        &mut self,
        users: &Users,
        joined: Others,
        left: &[Arc<str>],
    ) -> bool {
        for (name, info) in joined {
            let here = self.is_here(users, &name);
            let json = |it: &Self| it.info(users, &name).map(|it| it.as_json().to_owned());
            let before = json(self);
            let elsewhere = self.elsewhere.get_or_insert_default();
            let is_told = info.is_some();
            if elsewhere.come(&name, info, here) && !here {
                self.comes(name, is_told);
            } else if json(self) != before {
                self.tell_of(name);
            }
        }
        for name in left {
            let here = self.is_here(users, name);
            let json = |it: &Self| it.info(users, name).map(|it| it.as_json().to_owned());
            let before = json(self);
            let elsewhere = self.elsewhere.get_or_insert_default();
            if elsewhere.go(name, here) && !here {
                self.goes(name.clone(), before.is_some());
            } else if json(self) != before {
                self.tell_of(name.clone());
            }
        }
        self.is_news()
    }

    /// Records that a user, with or without presence info, joined.
    fn comes(&mut self, name: Arc<str>, is_told: bool) {
        self.changed();
        if is_told {
            // In case the user was there at the last update.
            self.tell_of(name.clone());
        }
        self.changes.entry(name).or_insert(false);
    }

    /// Records that a user, with or without presence info, left.
    fn goes(&mut self, name: Arc<str>, was_told: bool) {
        self.changed();
        if was_told {
            // In case the user is there at the next update.
            self.tell_of(name.clone());
        }
        self.changes.entry(name).or_insert(true);
    }

    /// Records that the presence info of a user who was there before has changed.
    fn tell_of(&mut self, name: Arc<str>) {
        if !self.is_quiet {
            self.changed();
            self.infos.insert(name);
        }
    }

    /// Returns whether there are changes.
    fn is_news(&self) -> bool {
        !self.changes.is_empty() || !self.infos.is_empty()
    }

    /// Returns the presence info of a user: that of other nodes, otherwise the one here.
    pub(in crate::switchboard) fn info<'a>(
        &'a self,
        users: &'a Users,
        name: &str,
    ) -> Option<&'a PresenceInfo> {
        let elsewhere = self.elsewhere.as_ref().and_then(|it| it.users.get(name));
        let here = || users.info(name).filter(|_| self.is_here(users, name));
        elsewhere.and_then(Option::as_ref).or_else(here)
    }

    /// Notes that a connection of this user has entered. Returns whether an update is due.
    pub(super) fn joined(&mut self, users: &mut Users, user: u32) -> bool {
        let mut returned = false;
        if let Some(present) = self.occupants.get_mut(user) {
            returned = present.grace.take().is_some();
            present.connections += 1;
        } else {
            self.changed();
            self.occupants
                .add(user, u64::from(self.version) << u32::BITS);
            let name = users.at(user).name.clone();
            let is_told = users.at(user).info.is_some();
            if !self.is_elsewhere(&name, 1) {
                self.comes(name, is_told);
            } else if is_told {
                self.tell_of(name);
            }
        }
        if returned {
            users.release(user);
        }
        self.is_news()
    }

    /// Records that the presence info of a user has changed. Returns whether the user is present, so
    /// that an update is due.
    pub(super) fn info_changed(&mut self, users: &Users, user: u32) -> bool {
        let present = self.occupants.get(user).is_some();
        if present {
            self.tell_of(users.at(user).name.clone());
        }
        present
    }

    /// Notes that a connection of this user has left. Returns whether it was the last one.
    pub(super) fn left(&mut self, user: u32) -> bool {
        let Some(present) = self.occupants.get_mut(user) else {
            return false;
        };
        present.connections -= 1;
        present.connections == 0
    }

    /// Begins the grace period of a user without connections.
    pub(super) fn hold(&mut self, users: &mut Users, user: u32, absence: Option<NonZeroU64>) {
        if let Some(present) = self.occupants.get_mut(user) {
            present.grace = absence;
            users.hold(user);
        }
    }

    /// Returns whether a user is still absent since this grace period began.
    pub(super) fn is_held(&self, user: u32, absence: Option<NonZeroU64>) -> bool {
        self.occupants
            .get(user)
            .is_some_and(|found| found.grace.is_some() && found.grace == absence)
    }

    /// Removes a user. Returns whether an update is due.
    pub(super) fn remove(&mut self, users: &Users, user: u32) -> bool {
        let name = users.at(user).name.clone();
        let was_told = users.at(user).info.is_some();
        let removed = self.occupants.remove(user);
        if removed && self.is_elsewhere(&name, -1) {
            if was_told {
                self.tell_of(name);
            }
            return self.is_news();
        }
        if removed {
            self.goes(name, was_told);
        }
        removed
    }

    /// Records that a user joined (1) or left (-1) here. Returns whether the user is on another node,
    /// too.
    fn is_elsewhere(&mut self, name: &str, change: isize) -> bool {
        let elsewhere = self.elsewhere.as_mut();
        let Some(elsewhere) = elsewhere.filter(|it| it.users.contains_key(name)) else {
            return false;
        };
        elsewhere.here_too = elsewhere.here_too.saturating_add_signed(change);
        true
    }

    /// Ends up to `share` grace periods and pending changes of a room that ends, and reduces `share` by
    /// their number. Returns whether nothing is left.
    pub(super) fn end(&mut self, users: &mut Users, share: &mut usize) -> bool {
        while *share > 0 {
            *share -= 1;
            if let Some(present) = self.occupants.pop() {
                if present.grace.is_some() {
                    users.release(present.user);
                }
            } else if self.changes.pop_first().is_none()
                && self.infos.pop_first().is_none()
                && self.seen.pop_first().is_none()
                && self.elsewhere.as_mut().is_none_or(|it| !it.forget_one())
            {
                return true;
            }
        }
        false
    }

    /// Notes that an update is scheduled. Returns whether it was not.
    pub(super) fn arm(&mut self) -> bool {
        !std::mem::replace(&mut self.armed, true)
    }

    /// Forgets what a member was sent, because it has left.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.seen.remove(&id);
    }

    /// Notes that the scheduled update has come due.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    /// Takes the changes since the last update, or a part of many. After an update in parts, all
    /// members receive only the number of users, which is correct whatever they have received before.
    pub(super) fn take_update(&mut self, users: &Users) -> Update {
        let more = self.changes.len() > CHANGES;
        let was_in_parts = std::mem::replace(&mut self.in_parts, more);
        let part = match (was_in_parts, more) {
            (false, false) => Part::All,
            (_, true) => Part::Some,
            (true, false) => Part::Last,
        };
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for _ in 0..CHANGES {
            let Some((name, was)) = self.changes.pop_first() else {
                break;
            };
            let is = self.is_there(users, &name);
            match (was, is) {
                (false, true) => joined.push(name),
                (true, false) => left.push(name),
                _ => {}
            }
        }
        if self.changes.is_empty() {
            // An emptied map would keep a node.
            self.changes = BTreeMap::new();
        }
        let mut updated = Vec::new();
        if !more {
            updated.extend(std::mem::take(&mut self.infos));
            updated
                .retain(|name| joined.binary_search(name).is_err() && self.is_there(users, name));
        }
        let (informed, uninformed) = if more {
            (Vec::new(), Vec::new())
        } else {
            self.take_seen(part)
        };
        Update {
            informed,
            uninformed,
            joined,
            left,
            part,
            updated,
        }
    }

    /// Takes the members that have seen the present version, and those that are due the complete
    /// list.
    fn take_seen(&mut self, part: Part) -> (Vec<ConnectionId>, Vec<ConnectionId>) {
        let (told, version) = (self.told, self.version);
        self.told = version;
        let (mut informed, mut uninformed) = (Vec::new(), Vec::new());
        for (id, seen) in std::mem::take(&mut self.seen) {
            if seen == 0 {
                uninformed.push(id);
            } else if part == Part::Last {
                // It receives the number.
            } else if seen == version {
                informed.push(id);
            } else if seen != told {
                uninformed.push(id);
            }
        }
        (informed, uninformed)
    }

    /// A member has seen the current version, the one before, or none, so that reuse of a number
    /// after four billion changes is harmless.
    fn changed(&mut self) {
        self.version = self.version.checked_add(1).unwrap_or(1);
    }
}

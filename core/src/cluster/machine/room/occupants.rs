//! The users in a room: those on this node, which are reported to the broker, and those on other nodes.
//!
//! ```text
//!            list read                  a version is missing, another epoch
//! unknown ───────────────▶ known ─────────────────────────────────────────▶ unknown
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::listed::{Change, Listed, Place, Row, Rows, Users};
use super::own::{Own, Writing};
use crate::Time;
use crate::cluster::answer::OccupantList;
use crate::cluster::command::Info;
use crate::cluster::machine::registrations::Registrations;

/// Changes that are kept while the list is not known.
const CHANGES: usize = 1000;

/// Who is in a room.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Occupants {
    own: Own,
    /// What the broker lists.
    listed: Option<Listed>,
    /// What it listed in the epoch before, until those nodes have had time to write it again.
    before: BTreeMap<Arc<str>, Rows>,
    /// Users on other nodes, as last reported, each with the presence info that counts next to the info
    /// here.
    elsewhere: Users,
    /// Changes that arrived while the list is not known.
    arrived: Vec<Change>,
    needs_list: bool,
    is_reading: bool,
    /// When what has been gathered is to be written.
    pub(in crate::cluster) write: Option<Time>,
    /// When `before` is to be forgotten.
    pub(in crate::cluster) fade: Option<Time>,
}

/// Users who joined on other nodes or whose presence info changed there, and users who left them.
#[derive(Debug, Default)]
pub(in crate::cluster) struct OccupantChanges {
    pub(in crate::cluster) joined: Vec<(Arc<str>, Info)>,
    pub(in crate::cluster) left: Vec<Arc<str>>,
    /// Others changed what is listed under this node's registration.
    pub(in crate::cluster) is_contested: bool,
}

impl OccupantChanges {
    pub(in crate::cluster) fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty()
    }
}

impl Occupants {
    /// Users on other nodes.
    pub(in crate::cluster) fn elsewhere(&self) -> &Users {
        &self.elsewhere
    }

    /// Sets whether a user is here, and the presence info. Returns the changes to report, if it was a
    /// change.
    pub(in crate::cluster) fn set(
        &mut self,
        user: &Arc<str>,
        here: Option<Info>,
        registrations: Registrations<'_>,
    ) -> Option<OccupantChanges> {
        if !self.own.set(user, here) {
            return None;
        }
        let mut changes = OccupantChanges::default();
        if !self.needs_list && !self.is_reading {
            self.judge(user, registrations, &mut changes);
        }
        Some(changes)
    }

    /// Returns whether no user is here, and the broker lists none under this node's registration.
    pub(in crate::cluster) fn is_done(&self, own: &str) -> bool {
        self.own.is_done(self.listed.as_ref(), own)
    }

    /// What changed has been gathered for long enough.
    pub(in crate::cluster) fn has_gathered(&mut self) {
        self.own.has_gathered();
    }

    pub(in crate::cluster) fn has_something_to_ask(&self, is_entered: bool) -> bool {
        (self.needs_list && (is_entered || self.own.is_unsure()))
            || (self.listed.is_some() && self.own.has_changes())
    }

    /// The room has members again, to whom the users on other nodes have to be reported.
    pub(in crate::cluster) fn enter(&mut self) {
        self.needs_list = true;
        self.elsewhere.clear();
    }

    /// The room has no members any more; pending changes of users here are still written.
    pub(in crate::cluster) fn leave(&mut self) {
        self.before.clear();
        self.elsewhere.clear();
    }

    /// What was on its way may not have arrived.
    pub(in crate::cluster) fn lost(&mut self) {
        self.needs_list |= std::mem::take(&mut self.is_reading);
        self.own.lost();
        self.needs_list |= self.own.is_unsure();
    }

    /// Returns what is to be written now, and notes that it is on its way.
    pub(in crate::cluster) fn take_writing(&mut self, own: &Arc<str>) -> Vec<Writing> {
        let listed = self.listed.as_ref();
        listed.map_or_else(Vec::new, |listed| self.own.take(listed, own))
    }

    /// What was on its way for a registration has been written, which made this version.
    pub(in crate::cluster) fn written(
        &mut self,
        registration: &Arc<str>,
        own: &Arc<str>,
        epoch: &str,
        version: u64,
    ) {
        if registration != own {
            self.own.cleaned(registration);
            return;
        }
        let written = self.own.written();
        match &mut self.listed {
            Some(listed) if *listed.epoch == *epoch => {
                if listed.version < version {
                    // The change itself has not arrived yet.
                    for (user, here) in written {
                        let row = here.map(|info| Row {
                            info,
                            since: version,
                        });
                        listed.set(own, &user, row);
                    }
                }
            }
            _ => {
                self.own.becomes_unsure();
                self.needs_list = true;
            }
        }
    }

    /// Returns whether the list is to be read now; what arrives from here on is newer. Where nobody is
    /// in the room, it is read only to learn who is listed under this node's registration.
    pub(in crate::cluster) fn take_list_question(&mut self, is_entered: bool) -> bool {
        if !is_entered && !self.own.is_unsure() {
            return false;
        }
        self.is_reading |= self.needs_list;
        if self.needs_list {
            self.arrived.clear();
        }
        std::mem::take(&mut self.needs_list)
    }

    /// The broker named epoch and version of the list, and perhaps its length: returns an empty list
    /// where that is what it has.
    pub(in crate::cluster) fn check(
        &mut self,
        epoch: &Arc<str>,
        version: u64,
        len: Option<u64>,
    ) -> Option<OccupantList> {
        let is_known = matches!(&self.listed, Some(listed)
            if listed.epoch == *epoch
                && (listed.version > version
                    || listed.version == version && len.is_none_or(|len| listed.len() == len)));
        if is_known || self.is_reading {
            return None;
        }
        if version > 0 {
            self.needs_list = true;
            return None;
        }
        self.needs_list = false;
        Some(OccupantList {
            epoch: Arc::clone(epoch),
            version,
            users: Vec::new(),
        })
    }

    /// A change arrived.
    pub(in crate::cluster) fn arrived(
        &mut self,
        change: Change,
        registrations: Registrations<'_>,
    ) -> OccupantChanges {
        let is_known = !self.is_reading && !self.needs_list;
        match &mut self.listed {
            Some(listed) if is_known => match listed.place(&change) {
                Place::Known => {}
                Place::Beyond => self.needs_list = true,
                Place::Next => {
                    listed.apply(&change);
                    return self.follows(change, registrations);
                }
            },
            _ => {
                self.arrived.push(change);
                if self.arrived.len() > CHANGES {
                    self.arrived.clear();
                    self.needs_list = true;
                }
            }
        }
        OccupantChanges::default()
    }

    /// What follows from a change that the list has now.
    fn follows(&mut self, change: Change, registrations: Registrations<'_>) -> OccupantChanges {
        let mut changes = OccupantChanges::default();
        let comes = !change.joined.is_empty();
        let joined = change.joined.into_iter().map(|(user, _)| user);
        let users: Vec<_> = joined.chain(change.left).collect();
        if change.registration == *registrations.own {
            for user in &users {
                self.judge(user, registrations, &mut changes);
            }
            changes.is_contested = self.own.changed_by_others(users.into_iter());
        } else if registrations.is_elsewhere(&change.registration) {
            for user in &users {
                self.judge(user, registrations, &mut changes);
            }
        } else if comes {
            self.own.is_gone(change.registration);
        }
        changes
    }

    /// The list was read. Returns what that tells, and whether it is of another epoch than before;
    /// `None` where the broker has nothing of the room.
    pub(in crate::cluster) fn read(
        &mut self,
        list: Option<OccupantList>,
        registrations: Registrations<'_>,
    ) -> Option<(OccupantChanges, bool)> {
        self.is_reading = false;
        let Some(list) = list else {
            self.listed = None;
            return None;
        };
        let mut new = Listed::new(list);
        for change in std::mem::take(&mut self.arrived) {
            match new.place(&change) {
                Place::Known => {}
                Place::Next => new.apply(&change),
                Place::Beyond => self.needs_list = true,
            }
        }
        let mut is_new = false;
        if let Some(old) = self.listed.take()
            && old.epoch != new.epoch
        {
            is_new = true;
            for (registration, users) in old.into_users() {
                self.before.entry(registration).or_default().extend(users);
            }
        }
        self.own.compare(&new, registrations.own);
        self.listed = Some(new);
        Some((self.recount(registrations), is_new))
    }

    /// Forgets the users that were listed in the previous epoch.
    pub(in crate::cluster) fn fade(&mut self, registrations: Registrations<'_>) -> OccupantChanges {
        self.before.clear();
        self.recount(registrations)
    }

    /// Nothing has been heard of the others for too long.
    pub(in crate::cluster) fn forget_elsewhere(&mut self) -> OccupantChanges {
        self.listed = None;
        self.before.clear();
        OccupantChanges {
            joined: Vec::new(),
            left: std::mem::take(&mut self.elsewhere).into_keys().collect(),
            is_contested: false,
        }
    }

    /// The node has another registration, under which nothing is written yet.
    pub(in crate::cluster) fn registered_anew(
        &mut self,
        registrations: Registrations<'_>,
    ) -> OccupantChanges {
        self.own.registered_anew();
        if let Some(listed) = &self.listed {
            self.own.compare(listed, registrations.own);
        }
        self.recount(registrations)
    }

    /// Counts the users on other nodes anew, after those that count have changed.
    pub(in crate::cluster) fn recount(
        &mut self,
        registrations: Registrations<'_>,
    ) -> OccupantChanges {
        let mut users: BTreeSet<_> = self.elsewhere.keys().cloned().collect();
        for (registration, rows) in self.by_registration() {
            if registrations.is_elsewhere(registration) {
                users.extend(rows.keys().cloned());
            }
        }
        let mut changes = OccupantChanges::default();
        for user in &users {
            self.judge(user, registrations, &mut changes);
        }
        let listed = self.listed.iter().flat_map(Listed::by_registration);
        for (registration, _) in listed {
            if registration != registrations.own && !registrations.is_elsewhere(registration) {
                self.own.is_gone(Arc::clone(registration));
            }
        }
        changes
    }

    /// Determines whether a user is on other nodes, and the presence info there.
    fn judge(
        &mut self,
        user: &Arc<str>,
        registrations: Registrations<'_>,
        changes: &mut OccupantChanges,
    ) {
        match self.elsewhere_now(user, registrations) {
            Some(info) if self.elsewhere.get(user) != Some(&info) => {
                self.elsewhere.insert(Arc::clone(user), info.clone());
                changes.joined.push((Arc::clone(user), info));
            }
            None if self.elsewhere.remove(user).is_some() => changes.left.push(Arc::clone(user)),
            _ => {}
        }
    }

    /// Returns the presence info of a user who is on other nodes. If several nodes have info of a user,
    /// the one written last counts; if that is the info here, the result has none.
    fn elsewhere_now(&self, user: &str, registrations: Registrations<'_>) -> Option<Info> {
        let listed = self.listed.iter().flat_map(Listed::by_registration);
        let listed = listed.map(|of_registration| (true, of_registration));
        let before = self
            .before
            .iter()
            .map(|of_registration| (false, of_registration));
        let (mut is_there, mut newest, mut own) = (false, None, None);
        for (is_listed, (registration, rows)) in listed.chain(before) {
            let Some(row) = rows.get(user) else {
                continue;
            };
            let age = row.info.as_ref().map(|info| (is_listed, row.since, info));
            if registrations.is_elsewhere(registration) {
                is_there = true;
                newest = newest.max(age);
            } else if registration == registrations.own && is_listed {
                own = age;
            }
        }
        if !is_there {
            return None;
        }
        let here = self.own.here(user).and_then(Option::as_ref);
        let is_own = here.is_some_and(|here| match own {
            Some((.., written)) if written == here => own > newest,
            // It is yet to be written.
            _ => true,
        });
        Some(
            newest
                .filter(|_| !is_own)
                .map(|(.., info)| Arc::clone(info)),
        )
    }

    fn by_registration(&self) -> impl Iterator<Item = (&Arc<str>, &Rows)> {
        let listed = self.listed.iter().flat_map(Listed::by_registration);
        listed.chain(&self.before)
    }
}

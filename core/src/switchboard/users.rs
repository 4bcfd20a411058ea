//! Users and their connections.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::arena::Arena;
use super::audit::{Inconsistency, same};
use super::connection::ConnectionState;
use super::devices::{self, Devices};
use super::recount::{Held, Recount};
use super::table::Table;
use crate::base::hash::{HashIndex, Keyed, NameIndex, Vacant};
use crate::{CloseReason, ConnectionId, PresenceInfo};

#[derive(Debug)]
pub(super) struct User {
    pub(super) name: Arc<str>,
    pub(super) anonymous: bool,
    pub(super) connections: Devices,
    /// Rooms in which the user is in a grace period.
    pub(super) graces: u32,
    /// What rooms are told of the user.
    pub(super) info: Option<Box<PresenceInfo>>,
}

/// Connections of a user that are to end.
#[derive(Debug)]
pub(super) struct EndOfUser {
    name: Arc<str>,
    /// The place of the newest of them in the order of admission.
    last: u64,
    pub(super) reason: CloseReason,
}

/// All users that have a connection or are in a grace period.
#[derive(Debug)]
pub(super) struct Users {
    by_name: NameIndex,
    slots: Arena<User>,
    /// The place of the newest connection in the order of admission.
    place: u64,
    /// The slots of connections of authenticated users, by the hash of their session.
    by_session: HashIndex,
    /// Users with a connection.
    pub(super) connected: usize,
    /// Those of them that are anonymous.
    anonymous: usize,
    /// Users of whom rooms are told something.
    told_of: usize,
}

impl Users {
    pub(super) fn new(keyed: Keyed) -> Self {
        Self {
            by_name: NameIndex::new(keyed),
            slots: Arena::default(),
            place: 0,
            by_session: HashIndex::new(),
            connected: 0,
            anonymous: 0,
            told_of: 0,
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.find(name, |user| &self.at(user).name)
    }

    pub(super) fn at(&self, user: u32) -> &User {
        &self.slots[user]
    }

    /// Returns the slots of a user's connections, the oldest first.
    pub(super) fn connections(&self, name: &str) -> impl Iterator<Item = u32> {
        let user = self.find(name);
        user.into_iter()
            .flat_map(|user| self.at(user).connections.iter())
    }

    /// Returns the user of this name, or where to [`add`](Self::add) it.
    pub(super) fn find_or_vacant(&self, name: &str) -> Result<u32, Vacant> {
        self.by_name
            .find_or_vacant(name, |user| &self.at(user).name)
    }

    /// Adds a connection, and the user with the first one.
    pub(super) fn add(
        &mut self,
        user: Result<u32, Vacant>,
        name: &str,
        anonymous: bool,
        slot: u32,
    ) -> u32 {
        let user = user.unwrap_or_else(|vacant| {
            let user = User {
                name: name.into(),
                anonymous,
                connections: Devices::default(),
                graces: 0,
                info: None,
            };
            let key = self.slots.insert(user);
            self.by_name
                .insert(vacant, key, |user| &self.slots[user].name);
            key
        });
        let found = &mut self.slots[user];
        self.place += devices::STEP;
        found.connections.add(slot, self.place);
        let first = usize::from(found.connections.len() == 1);
        self.connected += first;
        self.anonymous += first * usize::from(found.anonymous);
        user
    }

    /// Returns at most `most` slots of a user's connections after a place in the order of admission, 0 for
    /// the first one, and up to another; and the place after which others follow, if there are any. Of few
    /// connections, it returns all.
    pub(super) fn some(
        &self,
        name: &str,
        (after, last): (u64, u64),
        most: usize,
    ) -> (impl Iterator<Item = u32> + use<>, Option<u64>) {
        let devices = self.find(name).map(|user| &self.at(user).connections);
        let part = devices.map(|devices| devices.between(after, last, most));
        let (slots, next) = part.unwrap_or_default();
        (slots.into_iter(), next)
    }

    /// Returns the number of a user's connections.
    pub(super) fn count(&self, name: &str) -> usize {
        let user = self.find(name);
        user.map_or(0, |user| self.at(user).connections.len())
    }

    /// Returns up to which place in the order of admission a user has connections now. Those that are few
    /// are all [taken at once](Self::some).
    pub(super) fn last_place(&self, name: &str) -> u64 {
        let user = self.find(name);
        let last = user.and_then(|user| self.at(user).connections.last_place());
        last.unwrap_or(u64::MAX)
    }

    /// Returns which connections of a user are to end, if they are many: all.
    pub(super) fn end_all(&self, name: &str, reason: CloseReason) -> Option<EndOfUser> {
        let user = self.at(self.find(name)?);
        let last = user.connections.last_place()?;
        let name = user.name.clone();
        Some(EndOfUser { name, last, reason })
    }

    /// Returns the slot of the oldest of the connections that are to end.
    pub(super) fn first_to_end(&self, end: &EndOfUser) -> Option<u32> {
        let user = self.at(self.find(&end.name)?);
        user.connections.first_until(end.last)
    }

    /// Returns what rooms are told of a user.
    pub(super) fn info(&self, name: &str) -> Option<&PresenceInfo> {
        if self.told_of == 0 {
            return None;
        }
        self.at(self.find(name)?).info.as_deref()
    }

    pub(super) fn set_info(&mut self, user: u32, info: Option<PresenceInfo>) {
        self.told_of += usize::from(info.is_some());
        let before = std::mem::replace(&mut self.slots[user].info, info.map(Box::new));
        self.told_of -= usize::from(before.is_some());
    }

    pub(super) fn remove(&mut self, user: u32, slot: u32) {
        let found = &mut self.slots[user];
        found.connections.remove(slot);
        let last = usize::from(found.connections.is_empty());
        self.connected -= last;
        self.anonymous -= last * usize::from(found.anonymous);
        self.drop_unused(user);
    }

    /// Returns the slot of the connection of an authenticated user in this session. There is at most
    /// one.
    pub(super) fn in_session(&self, connections: &Table, session: u64) -> Option<u32> {
        let session_at = |slot| connections.at(slot).session;
        let found = self.by_session.find(session, session_at);
        found.filter(|_| session != 0)
    }

    /// Notes the session of a connection.
    pub(super) fn enter_session(&mut self, connections: &Table, slot: u32) {
        let session_at = |slot| connections.at(slot).session;
        self.by_session.insert(session_at(slot), slot, session_at);
    }

    /// Notes that a connection has left its session, if it was in one.
    pub(super) fn leave_session(&mut self, session: u64, slot: u32) {
        if session != 0 {
            self.by_session.remove(session, slot);
        }
    }

    /// Returns whether a user that is not anonymous has a connection.
    pub(super) fn any_named(&self) -> bool {
        self.connected > self.anonymous
    }

    pub(super) fn hold(&mut self, user: u32) {
        self.slots[user].graces += 1;
    }

    pub(super) fn release(&mut self, user: u32) {
        self.slots[user].graces -= 1;
        self.drop_unused(user);
    }

    /// Returns what a connection holds.
    pub(super) fn held(
        &self,
        id: ConnectionId,
        connection: &ConnectionState,
        connections: &Table,
    ) -> Held {
        let user = self.slots.get(connection.user);
        let anonymous = user.is_some_and(|user| user.anonymous);
        let in_session = connection.is_open()
            && !anonymous
            && self.in_session(connections, connection.session) == Some(id.slot);
        Held::of(connection, anonymous, in_session)
    }

    /// Checks that an open connection is among those of its user.
    pub(super) fn audit_connection(
        &self,
        id: ConnectionId,
        connection: &ConnectionState,
    ) -> Result<(), Inconsistency> {
        if !connection.is_open() {
            return Ok(());
        }
        let user = self.slots.get(connection.user);
        let known = user.is_some_and(|user| user.connections.contains(id.slot));
        same("a connection of its user", known, true)
    }

    /// Compares some users, from a key on, with their connections. Returns the key of the next one.
    pub(super) fn audit_users(
        &self,
        counted: &Recount,
        keys: Range<usize>,
    ) -> Result<Option<usize>, Inconsistency> {
        let end = keys.end;
        for (key, user) in self.slots.range(keys) {
            same("user by name", self.find(&user.name), Some(key))?;
            let connections = user.connections.len();
            let unused = connections == 0 && user.graces == 0;
            same("user without connection or grace period", unused, false)?;
            same(
                "connections of a user",
                connections,
                counted.connections_of(key),
            )?;
            let several = user.anonymous && connections > 1;
            same("anonymous user with several connections", several, false)?;
        }
        Ok((end < self.slots.keys()).then_some(end))
    }

    /// Compares the numbers of users and sessions with those that connections have.
    pub(super) fn audit(&self, counted: &Recount) -> Result<(), Inconsistency> {
        same("users by name", self.by_name.len(), self.slots.len())?;
        let (connected, anonymous) = counted.users();
        same("users connected", self.connected, connected)?;
        same("anonymous users connected", self.anonymous, anonymous)?;
        same("sessions", self.by_session.len(), counted.sessions)
    }

    /// Compares the numbers of grace periods, and of users of whom something is told, with a recount.
    pub(super) fn audit_graces(&self, counted: &BTreeMap<u32, u32>) -> Result<(), Inconsistency> {
        let mut told_of = 0;
        for (key, user) in self.slots.iter() {
            let graces = counted.get(&key).copied();
            same("graces", user.graces, graces.unwrap_or(0))?;
            told_of += usize::from(user.info.is_some());
        }
        same("users of whom something is told", self.told_of, told_of)
    }

    /// Forgets a user without connections and grace periods.
    fn drop_unused(&mut self, user: u32) {
        let found = &self.slots[user];
        if found.connections.is_empty()
            && found.graces == 0
            && let Some(found) = self.slots.remove(user)
        {
            self.by_name.remove(&found.name, user);
            self.told_of -= usize::from(found.info.is_some());
        }
    }
}

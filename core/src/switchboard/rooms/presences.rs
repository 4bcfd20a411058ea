//! Who is present in the rooms: changes, the deadlines of presence, and what is told of it.

use std::sync::Arc;

use super::others::Others;
use super::presence::{Part, Update};
use super::{GRACES, Move, Rooms};
use crate::switchboard::users::Users;
use crate::{ConnectionId, Time};

impl Rooms {
    /// Takes the next user who came to a shared room, or left it.
    pub(in crate::switchboard) fn next_move(&mut self) -> Option<Move> {
        self.moves.pop_front()
    }

    /// Users came to a room on other nodes, or something else is told of them there, or they left.
    pub(in crate::switchboard) fn moved_elsewhere(
        &mut self,
        users: &Users,
        key: u32,
        (joined, left): (Others, &[Arc<str>]),
        update_at: Time,
    ) {
        if let Some(presence) = &mut self.at_mut(key).presence
            && presence.moved_elsewhere(users, joined, left)
        {
            self.schedule_update(key, update_at);
        }
    }

    /// Returns when the next update or the end of a grace period is due, in driver time: at once while
    /// there is something left of rooms that have ended.
    #[inline]
    pub(in crate::switchboard) fn next(&self) -> Option<Time> {
        let ended = (!self.ended.is_empty()).then_some(Time::ZERO);
        ended.or_else(|| self.timers.next())
    }

    /// Removes users whose grace period is over, and what is left of rooms that have ended, some at a
    /// time. An update of a room of this name is due at
    /// `update_at`. Returns whether that was all of them.
    pub(in crate::switchboard) fn tick(
        &mut self,
        users: &mut Users,
        now: Time,
        update_at: impl Fn(&str) -> Time,
    ) -> bool {
        let mut share = GRACES;
        while let Some(last) = self.ended.last_mut()
            && last.end(users, &mut share)
        {
            self.ended.pop();
        }
        for _ in 0..GRACES {
            let Some(grace) = self.timers.pop_grace(now) else {
                return true;
            };
            let room = self.slots.get(grace.room);
            let room = room.filter(|room| room.stay == grace.stay);
            let Some((name, presence)) =
                room.and_then(|room| Some((&room.name, room.presence.as_ref()?)))
            else {
                continue;
            };
            if presence.is_held(grace.user, grace.absence) {
                let update_at = update_at(name);
                self.remove_user(users, grace.room, grace.user, update_at);
                users.release(grace.user);
            }
        }
        false
    }

    /// Takes the next room whose update is due.
    pub(in crate::switchboard) fn pop_due(&mut self, now: Time) -> Option<u32> {
        while let Some((key, stay)) = self.timers.pop_update(now) {
            let room = self.slots.get_mut(key);
            let room = room.filter(|room| room.stay == stay);
            if let Some(presence) = room.and_then(|room| room.presence.as_mut()) {
                presence.disarm();
                return Some(key);
            }
        }
        None
    }

    /// Notes that something else is to be told of a user in a room.
    pub(in crate::switchboard) fn info_changed(
        &mut self,
        users: &Users,
        key: u32,
        user: u32,
        update_at: Time,
    ) {
        let room = &mut self.slots[key];
        if let Some(presence) = &mut room.presence
            && presence.info_changed(users, user)
        {
            if room.shared.is_some() {
                let name = users.at(user).name.clone();
                self.moves.push_back((room.name.clone(), name, true));
            }
            self.schedule_update(key, update_at);
        }
    }

    /// Takes what has changed in a room since the last update, or a part of it. Then the next part
    /// is due at once.
    pub(in crate::switchboard) fn take_update(
        &mut self,
        users: &Users,
        key: u32,
        now: Time,
    ) -> Option<Update> {
        let room = &mut self.slots[key];
        let presence = room.presence.as_mut()?;
        let update = presence.take_update(users);
        if update.part == Part::Some && presence.arm() {
            self.timers.push_part(now, key, room.stay);
        }
        Some(update)
    }

    /// Schedules an update of the presence of a room, unless one is scheduled.
    pub(in crate::switchboard) fn schedule_update(&mut self, key: u32, at: Time) {
        let room = &mut self.slots[key];
        if let Some(presence) = &mut room.presence
            && presence.arm()
        {
            self.timers.push_update(at, key, room.stay);
        }
    }

    /// Notes that a member was sent the current presence, or could not be.
    pub(in crate::switchboard) fn note_seen(&mut self, id: ConnectionId, key: u32, sent: bool) {
        if let Some(presence) = &mut self.at_mut(key).presence {
            presence.note_seen(id, sent);
        }
    }

    /// Notes that a connection of this user has left a room.
    pub(super) fn absent(
        &mut self,
        users: &mut Users,
        key: u32,
        user: u32,
        grace: Option<Time>,
        update_at: Time,
    ) {
        let room = &mut self.slots[key];
        let Some(presence) = &mut room.presence else {
            return;
        };
        if !presence.left(user) {
            return;
        }
        if let Some(until) = grace {
            let absence = self.timers.push_grace(until, key, room.stay, user);
            presence.hold(users, user, absence);
        } else {
            self.remove_user(users, key, user, update_at);
        }
    }

    fn remove_user(&mut self, users: &Users, key: u32, user: u32, update_at: Time) {
        let room = &mut self.slots[key];
        let removed = room.presence.as_mut().map(|it| it.remove(users, user));
        if room.shared.is_some() && removed.is_some() {
            let gone = users.at(user).name.clone();
            self.moves.push_back((room.name.clone(), gone, false));
        }
        if removed == Some(true) {
            self.schedule_update(key, update_at);
        }
    }
}

//! Presence: a user who joins a room gets the list at once, the other members get collected changes.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

use super::rooms::{Member, Room};
use super::switchboard::Switchboard;
use crate::protocol::ServerMessage;
use crate::switchboard::action::Notice;
use crate::switchboard::encoding::encode;
use crate::switchboard::occupants::Occupants;
use crate::switchboard::outbox::{Message, Offer, Terms};
use crate::switchboard::pool::StoredFrame;
use crate::{ConnectionId, Frame, SlowPolicy, Time, Wire};

/// The presence of a room.
#[derive(Debug, Default)]
pub(super) struct Presence {
    pub(super) occupants: Occupants,
    /// Incremented by each change; never 0.
    version: u32,
    /// The version at the last update.
    told: u32,
    /// Whether an update is scheduled.
    pub(super) armed: bool,
    /// The users that changed since the last update, and whether they were present before.
    changes: BTreeMap<Arc<str>, bool>,
}

impl Presence {
    /// A member has seen the current version, the one before, or none, so that reuse of a number
    /// after four billion changes is harmless.
    fn changed(&mut self) {
        self.version = self.version.checked_add(1).unwrap_or(1);
    }
}

/// Deadlines of presence. Each queue has one delay, so that it is in order.
#[derive(Debug, Default)]
pub(super) struct PresenceTimers {
    tellings: VecDeque<(Time, u32, u64)>,
    graces: VecDeque<Grace>,
    absences: u64,
}

#[derive(Clone, Copy, Debug)]
struct Grace {
    at: Time,
    room: u32,
    epoch: u64,
    user: u32,
    absence: Option<NonZeroU64>,
}

impl PresenceTimers {
    pub(super) fn next(&self) -> Option<Time> {
        let update_at = self.tellings.front().map(|&(at, ..)| at);
        let grace = self.graces.front().map(|grace| grace.at);
        [update_at, grace].into_iter().flatten().min()
    }
}

impl Switchboard {
    /// Returns the users in a room, in the order of joining; without presence, in that of the
    /// list of members.
    pub fn room_users(&self, room: &str) -> Vec<Arc<str>> {
        let Some(key) = self.rooms.find(room) else {
            return Vec::new();
        };
        let room = self.rooms.at(key);
        let name = |&user: &u32| self.users.at(user).name.clone();
        if let Some(presence) = &room.presence {
            let users = presence.occupants.iter().map(|present| &present.user);
            users.map(name).collect()
        } else {
            let slots = room.members.iter().map(|member| member.slot);
            let mut users: Vec<u32> = Vec::new();
            let mut known = std::collections::BTreeSet::new();
            for slot in slots {
                let user = self.connections.at(slot).user;
                if known.insert(user) {
                    users.push(user);
                }
            }
            users.iter().map(name).collect()
        }
    }

    /// Notes that a connection of this user has entered a room.
    pub(super) fn presence_joined(&mut self, key: u32, user: u32) {
        let Some(presence) = &mut self.rooms.at_mut(key).presence else {
            return;
        };
        let mut returned = false;
        if let Some(present) = presence.occupants.get_mut(user) {
            returned = present.grace.take().is_some();
            present.connections += 1;
        } else {
            presence.occupants.add(user);
            presence.changed();
            let name = self.users.at(user).name.clone();
            presence.changes.entry(name).or_insert(false);
        }
        let changed = !presence.changes.is_empty();
        if returned {
            self.users.release(user);
        }
        if changed {
            self.arm_presence_update(key);
        }
    }

    /// Sends the list of users to a connection that has entered a room, if it still is a member.
    pub(super) fn send_presence_list(&mut self, id: ConnectionId, key: u32) {
        let there = self.is_member(id, key) && self.rooms.at(key).presence.is_some();
        if there && self.config.wire == Wire::Json {
            let list = self.list_frame(key);
            let list = self.outbox.publish(list);
            self.send_presence(id, key, list);
            self.outbox.release(list);
        }
    }

    /// Notes that a connection has left a room; with `grace`, its user gets a grace period.
    pub(super) fn presence_left(&mut self, key: u32, user: u32, grace: bool) {
        let at = self.clock.now() + self.config.presence.leave_grace;
        let room = self.rooms.at_mut(key);
        let epoch = room.epoch;
        let Some(presence) = &mut room.presence else {
            return;
        };
        let Some(present) = presence.occupants.get_mut(user) else {
            return;
        };
        present.connections -= 1;
        if present.connections > 0 {
            return;
        }
        if grace {
            self.presence_timers.absences += 1;
            let absence = NonZeroU64::new(self.presence_timers.absences);
            present.grace = absence;
            self.users.hold(user);
            self.presence_timers.graces.push_back(Grace {
                at,
                room: key,
                epoch,
                user,
                absence,
            });
        } else {
            self.remove_present(key, user);
        }
    }

    /// Releases the users who were in their grace period when a room ceased to exist.
    pub(super) fn presence_ended(&mut self, room: Room) {
        let Some(presence) = room.presence else {
            return;
        };
        for present in presence.occupants.iter() {
            if present.grace.is_some() {
                self.users.release(present.user);
            }
        }
    }

    pub(super) fn tick_presence(&mut self) {
        while let Some(&grace) = self.presence_timers.graces.front()
            && grace.at <= self.clock.now()
        {
            self.presence_timers.graces.pop_front();
            self.grace_over(grace);
        }
        while let Some(&(at, room, epoch)) = self.presence_timers.tellings.front()
            && at <= self.clock.now()
        {
            self.presence_timers.tellings.pop_front();
            if self.rooms.get_mut(room, epoch).is_some() {
                self.send_presence_changes(room);
            }
        }
    }

    fn grace_over(&mut self, grace: Grace) {
        let Some(room) = self.rooms.get_mut(grace.room, grace.epoch) else {
            return;
        };
        let Some(presence) = &mut room.presence else {
            return;
        };
        if presence
            .occupants
            .get(grace.user)
            .is_some_and(|found| found.grace.is_some() && found.grace == grace.absence)
        {
            self.remove_present(grace.room, grace.user);
            self.users.release(grace.user);
        }
    }

    fn remove_present(&mut self, key: u32, user: u32) {
        let name = self.users.at(user).name.clone();
        let Some(presence) = &mut self.rooms.at_mut(key).presence else {
            return;
        };
        if presence.occupants.remove(user) {
            presence.changed();
            presence.changes.entry(name).or_insert(true);
            self.arm_presence_update(key);
        }
    }

    fn arm_presence_update(&mut self, key: u32) {
        let at = self.clock.now() + self.config.presence.interval;
        let room = self.rooms.at_mut(key);
        let epoch = room.epoch;
        if let Some(presence) = &mut room.presence
            && !presence.armed
        {
            presence.armed = true;
            self.presence_timers.tellings.push_back((at, key, epoch));
        }
    }

    /// Sends the members what changed since the last update.
    fn send_presence_changes(&mut self, key: u32) {
        let Some(presence) = &mut self.rooms.at_mut(key).presence else {
            return;
        };
        presence.armed = false;
        let changes = std::mem::take(&mut presence.changes);
        let (told, version) = (presence.told, presence.version);
        presence.told = version;
        let (joined, left) = self.net_changes(key, changes);
        let news = !joined.is_empty() || !left.is_empty();
        if self.config.wire == Wire::Json {
            let list = self.list_frame(key);
            let list = self.outbox.publish(list);
            let delta = self.delta_frame(key, &joined, &left);
            let delta = delta.map(|frame| self.outbox.publish(frame));
            // Members that joined since, or missed an update, get the list.
            for Member { slot, membership } in self.rooms.at(key).members.clone() {
                let seen = self.connections.at(slot).rooms[membership as usize].seen;
                let known = seen != 0 && seen == told;
                if seen == version || (known && !news) {
                    self.connections.at_mut(slot).rooms[membership as usize].seen = version;
                    continue;
                }
                let frame = delta.filter(|_| known).unwrap_or(list);
                self.send_presence(self.connections.id_at(slot), key, frame);
            }
            for frame in delta.into_iter().chain([list]) {
                self.outbox.release(frame);
            }
        }
        if news {
            let room = self.room_name(key);
            let count = self.occupant_count(key);
            self.notify(Notice::Presence {
                room,
                count,
                joined,
                left,
            });
        }
        // Last, because it may end the room.
        self.enforce_queue_budget();
    }

    /// Returns the net changes: the users who joined, and those who left.
    fn net_changes(
        &self,
        key: u32,
        changes: BTreeMap<Arc<str>, bool>,
    ) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        let Some(presence) = &self.rooms.at(key).presence else {
            return (joined, left);
        };
        for (name, was) in changes {
            let is = self
                .users
                .find(&name)
                .is_some_and(|user| presence.occupants.get(user).is_some());
            match (was, is) {
                (false, true) => joined.push(name),
                (true, false) => left.push(name),
                _ => {}
            }
        }
        (joined, left)
    }

    fn occupant_count(&self, key: u32) -> usize {
        self.rooms
            .at(key)
            .presence
            .as_ref()
            .map_or(0, |presence| presence.occupants.len())
    }

    /// Encodes the list of users, cut to the configured length.
    fn list_frame(&mut self, key: u32) -> Frame {
        let count = self.occupant_count(key) as u64;
        let room = self.rooms.at(key);
        let most = self.config.presence.full;
        let occupants = room
            .presence
            .iter()
            .flat_map(|found| found.occupants.iter());
        let users: SmallVec<[&str; 16]> = occupants
            .take(most)
            .map(|present| &*self.users.at(present.user).name)
            .collect();
        let message = ServerMessage::Presence {
            channel: &room.name,
            count,
            users: &users,
        };
        let names = users.iter().map(|name| name.len() + 3).sum();
        self.encoder.encode(&message, names)
    }

    /// Encodes the changes, if there are too many users for a complete list.
    fn delta_frame(&self, key: u32, joined: &[Arc<str>], left: &[Arc<str>]) -> Option<Frame> {
        let most = self.config.presence.full;
        let count = self.occupant_count(key);
        if count <= most {
            return None;
        }
        let names = joined.len() + left.len() <= most;
        let list = |from: &[Arc<str>]| -> Vec<String> {
            from.iter()
                .filter(|_| names)
                .map(ToString::to_string)
                .collect()
        };
        let (joined, left) = (list(joined), list(left));
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let message = ServerMessage::PresenceChange {
            channel: &self.rooms.at(key).name,
            count: count as u64,
            joined: &joined,
            left: &left,
        };
        Some(encode(&message, 64 * (joined.len() + left.len())))
    }

    /// Queues a presence message. If it does not fit, the member gets a complete list next.
    fn send_presence(&mut self, id: ConnectionId, key: u32, frame: StoredFrame) {
        let message = Message {
            frame,
            room: self.rooms.at(key).tag(),
            policy: SlowPolicy::DropNewest,
        };
        let terms = Terms {
            limits: &self.config.limits,
            now: self.clock.liveness(),
        };
        let (connections, effects) = (&mut self.connections, &mut self.effects);
        let offer = self
            .outbox
            .offer(connections, effects, id.slot, message, terms);
        let version = self
            .rooms
            .at(key)
            .presence
            .as_ref()
            .map_or(0, |presence| presence.version);
        let fitted = matches!(offer, Offer::Queued { .. });
        if let Ok(connection) = self.connections.get_mut(id)
            && let Some(member) = connection
                .rooms
                .iter_mut()
                .find(|member| member.room == key)
        {
            member.seen = if fitted { version } else { 0 };
        }
        if !fitted {
            self.arm_presence_update(key);
        }
    }
}

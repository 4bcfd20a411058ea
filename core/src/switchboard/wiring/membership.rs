//! Members of rooms, without telling them.

use std::sync::Arc;

use super::markers::Marking;
use super::switchboard::Switchboard;
use crate::base::hash::Vacant;
use crate::switchboard::action::Notice;
use crate::switchboard::counters::Level;
use crate::switchboard::errors::JoinError;
use crate::switchboard::few::Few;
use crate::switchboard::log::Rule;
use crate::switchboard::rooms::Via;
use crate::{CloseReason, ConnectionId, IpKey, Presence, StaleId, Time};

impl Switchboard {
    /// Returns the connections in a room. Costs a look at each of them;
    /// [`members_before`](Self::members_before) does the same in parts.
    pub fn members(&self, room: &str) -> Vec<ConnectionId> {
        self.members_before(room, usize::MAX, usize::MAX).0
    }

    /// Returns a part of the connections in a room, from the back of a list: at most `most` of those
    /// before the place `before`, which is [`usize::MAX`] at first. Returns also the place from
    /// which to look on, which is 0 after the last part.
    ///
    /// A connection that is in the room all the time between the first and the last call is in one
    /// of the parts, or in several if others leave meanwhile.
    pub fn members_before(
        &self,
        room: &str,
        before: usize,
        most: usize,
    ) -> (Vec<ConnectionId>, usize) {
        let Some(key) = self.rooms.find(room) else {
            return (Vec::new(), 0);
        };
        // A member that leaves gives its place to the last one, which was looked at before.
        let room = self.rooms.at(key);
        let before = before.min(room.members);
        let from = before.saturating_sub(most);
        let ids = self.log.members(room.log, from..before);
        (ids.collect(), from)
    }

    /// Returns the number of connections in a room.
    pub fn member_count(&self, room: &str) -> usize {
        let key = self.rooms.find(room);
        key.map_or(0, |key| self.rooms.at(key).members)
    }

    /// Looks for rooms with members whose names begin with `prefix`, a part of all rooms at a time:
    /// `look` of them from `from` on, which is 0 at first. Returns those that it found, in no
    /// particular order, and from where to look on, or `None` after the last part.
    ///
    /// A room that exists all the time between the first and the last call is found.
    pub fn rooms(&self, prefix: &str, from: usize, look: usize) -> (Vec<Arc<str>>, Option<usize>) {
        self.rooms.search(prefix, from, look)
    }

    /// Returns the rooms of a connection.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn rooms_of(&self, id: ConnectionId) -> Result<Vec<Arc<str>>, StaleId> {
        let memberships = self.connections.get(id)?.rooms.iter();
        Ok(memberships
            .map(|member| self.room_name(member.room))
            .collect())
    }

    /// Returns the users in a room, in the order of joining; without presence, in that of the
    /// list of members. Where the nodes of a cluster share the room, those who are on other nodes
    /// only follow. Costs a look at each of them;
    /// [`room_users_after`](Self::room_users_after) does the same in parts.
    pub fn room_users(&self, room: &str) -> Vec<Arc<str>> {
        let Some(key) = self.rooms.find(room) else {
            return Vec::new();
        };
        let room = self.rooms.at(key);
        let members = self.log.members(room.log, 0..room.members);
        let slots = members.map(|id| id.slot);
        let users = self.rooms.users(&self.connections, key, slots).into_iter();
        let here = users.map(|user| self.users.at(user).name.clone());
        let presence = self.rooms.at(key).presence.as_ref();
        let others = presence.map(|presence| presence.others(&self.users).cloned());
        here.chain(others.into_iter().flatten()).collect()
    }

    /// Returns a part of the users in a room with presence, in the order of joining: at most `most`
    /// of those after the place `after`, which is 0 at first. Returns also the place after which to
    /// look on, or `None` after the last part. Returns `None` if the room has no presence; then its
    /// users are those of its [members](Self::members_before).
    ///
    /// A user who is in the room all the time between the first and the last call is in one of the
    /// parts; one who comes back meanwhile may be in several. The last part has also those who are on
    /// other nodes of a cluster only.
    pub fn room_users_after(
        &self,
        room: &str,
        after: u64,
        most: usize,
    ) -> Option<(Vec<Arc<str>>, Option<u64>)> {
        let room = self.rooms.at(self.rooms.find(room)?);
        let presence = room.presence.as_ref()?;
        let (users, next) = presence.users_after(after, most);
        let here = users.map(|user| self.users.at(user).name.clone());
        let mut names: Vec<_> = here.collect();
        if next.is_none() {
            names.extend(presence.others(&self.users).cloned());
        }
        Some((names, next))
    }

    pub(super) fn is_member(&self, id: ConnectionId, key: u32) -> bool {
        self.connections.get(id).is_ok_and(|found| found.is_in(key))
    }

    /// Returns the room's name, shared.
    pub(super) fn room_name(&self, key: u32) -> Arc<str> {
        self.rooms.at(key).name.clone()
    }

    /// Checks that a connection could enter a room now. Returns the room, or where to create it.
    pub(super) fn may_enter(
        &self,
        id: ConnectionId,
        name: &str,
        via: Via,
    ) -> Result<Result<u32, Vacant>, JoinError> {
        let connection = self.connections.get(id)?;
        let user = self.user_of(id);
        let seats = self.seats_in(name, user.as_deref());
        self.rooms
            .may_enter(connection, name, via, &self.config.limits, seats)
    }

    /// Removes a connection that stays open from a room; what was sent there before still goes out,
    /// unless it has yet to recover older messages, or that does not fit among its own frames. Returns
    /// whether it was in the room.
    pub(super) fn leave_voluntarily(&mut self, id: ConnectionId, key: u32) -> bool {
        if let Ok(connection) = self.connections.get_mut(id) {
            let mut memberships = connection.rooms.iter();
            if memberships.any(|member| member.room == key && member.lobby) {
                connection.left_lobby(self.rooms.at(key).name.clone());
            }
        }
        let log = self.rooms.at(key).log;
        let dropped = if self.log.recovers(id, log) {
            // Otherwise whoever enters and leaves again and again would have it all to come.
            self.log.leave(id, log)
        } else {
            let marking = &mut Marking {
                connections: &self.connections,
                rooms: &self.rooms,
                encoder: &mut self.encoder,
                wire: self.config.wire,
            };
            self.log.leave_flush(id, log, marking)
        };
        self.counters.dropped("left", dropped.unwrap_or(0));
        let left = self.leave_room(id, key, None).is_some();
        self.bound_dormant_rooms();
        left
    }

    /// Removes a connection from a room, because it ends for this reason, or leaves. Returns the room's
    /// name, or `None` if the connection was not in it. The bound on rooms without members is still to be
    /// kept.
    fn leave_room(
        &mut self,
        id: ConnectionId,
        key: u32,
        reason: Option<CloseReason>,
    ) -> Option<Arc<str>> {
        let room = self.rooms.at(key);
        let (now, presence) = (self.clock.now(), self.config.room_presence(&room.name));
        let update_at = now + presence.interval;
        let by_itself = reason.is_some_and(CloseReason::is_peer_initiated);
        let grace = by_itself.then(|| now + presence.leave_grace);
        let lost = reason.is_some_and(CloseReason::holds_seats);
        let hold = self.config.room_hold_seat(&room.name);
        let hold = hold.filter(|_| lost).map(|hold| now + hold);
        let (log, keeps) = (room.log, room.keeps);
        let is_last = room.members == 1;
        let shared = room.shared.is_some();
        let (connections, users) = (&mut self.connections, &mut self.users);
        let name = self
            .rooms
            .leave(connections, users, id, key, grace, update_at)?;
        if is_last && !keeps {
            self.log.remove_room(log);
        }
        self.notify(Notice::Left {
            id,
            room: name.clone(),
        });
        let is_held = hold.is_some_and(|until| self.hold_seat(id, key, &name, until));
        if shared {
            self.left_shared(id, &name, is_last, is_held);
        }
        Some(name)
    }

    /// Tells the cluster that a connection has left a room, as the last one perhaps, and perhaps its seat
    /// is held.
    fn left_shared(&mut self, id: ConnectionId, name: &Arc<str>, is_last: bool, is_held: bool) {
        let room = self.relay.as_mut().and_then(|it| it.rooms.get_mut(name));
        if let Some(room) = room {
            room.returned.remove(&id);
        }
        if !is_held {
            self.give_seat(name);
        }
        if is_last {
            self.room_emptied(name);
        }
    }

    /// Removes a connection from all its rooms; returns their names.
    pub(super) fn leave_rooms(&mut self, id: ConnectionId, reason: CloseReason) -> Vec<Arc<str>> {
        let Ok(connection) = self.connections.get(id) else {
            return Vec::new();
        };
        let keys: Vec<u32> = connection.rooms.iter().map(|member| member.room).collect();
        let names = keys
            .into_iter()
            .filter_map(|key| self.leave_room(id, key, Some(reason)))
            .collect();
        if let Ok(connection) = self.connections.get_mut(id) {
            connection.rooms = Few::None;
        }
        // Not earlier: the log has forgotten this member in all its rooms already.
        self.bound_dormant_rooms();
        names
    }

    /// Returns what holds for presence in a room.
    pub(super) fn presence_in(&self, key: u32) -> Presence {
        self.config.room_presence(&self.rooms.at(key).name)
    }

    /// Returns when a change of presence in a room is told, at the latest.
    pub(super) fn presence_update_at(&self, key: u32) -> Time {
        self.clock.now() + self.presence_in(key).interval
    }

    /// Creates a room without members.
    pub(super) fn create_room(&mut self, vacant: Vacant, name: &str) -> u32 {
        let settings = self.config.room(name);
        let rule = Rule::new(&settings, &self.config.limits);
        let log = self.log.create_room(rule);
        let key = self.rooms.create(vacant, name, log, &settings);
        if let Some(relay) = &self.relay
            && let Some(room) = relay.rooms.get(name)
            && let Some(at) = &room.position
        {
            self.rooms.at_mut(key).shared = Some(at.epoch.clone());
            self.log.renumber(log, at.seq);
            self.log.begin_values(log, at.seq);
        }
        key
    }

    /// Makes a room active, for its first member.
    pub(super) fn activate_room(&mut self, key: u32, owner: Option<IpKey>) {
        self.rooms.activate(key, owner);
        if let Some(relay) = &mut self.relay
            && let Some(room) = relay.rooms.get_mut(&self.rooms.at(key).name)
            && self.rooms.at(key).presence.is_some()
        {
            let elsewhere = std::mem::take(&mut room.elsewhere);
            self.rooms.begin_elsewhere(key, elsewhere);
        }
        let (active, limit) = (self.rooms.active(), self.config.limits.rooms);
        self.note_level(Level::Rooms, active, limit);
    }

    /// Frees what histories have kept long enough, and ends the rooms without members that have lingered
    /// long enough, as many as this call may. Later ticks go on.
    pub(super) fn tick_histories(&mut self) {
        let now = self.clock.now();
        self.log.expire(now, self.effects.free());
        self.end_rooms(now);
        self.log.free_removed(self.effects.free());
    }

    /// Keeps the bound on rooms without members: ends those that are too many, as many as this call may.
    /// Later ticks go on.
    pub(super) fn bound_dormant_rooms(&mut self) {
        if self.log.has_too_many_dormant() {
            self.end_rooms(self.clock.now());
        }
    }

    fn end_rooms(&mut self, now: Time) {
        while let Some(log) = self.log.next_to_end(now, self.effects.free()) {
            self.end_room(log);
        }
    }

    /// Ends a room without members, given its key in the log.
    fn end_room(&mut self, log: u32) {
        self.rooms.remove(self.rooms.of_log(log));
        self.log.remove_room(log);
    }
}

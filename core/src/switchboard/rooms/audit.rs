//! Comparing rooms, memberships and presence with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::Rooms;
use super::room::Room;
use crate::Limits;
use crate::switchboard::audit::{Inconsistency, same};
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::recount::Recount;

/// A room, and the place in the order of joining after which its users are compared.
pub(in crate::switchboard) type RoomPlace = (u32, u64);

impl Rooms {
    /// Checks the rooms of one connection.
    pub(in crate::switchboard) fn audit_connection(
        &self,
        connection: &ConnectionState,
        limits: &Limits,
    ) -> Result<(), Inconsistency> {
        let rooms: BTreeSet<u32> = connection.rooms.iter().map(|it| it.room).collect();
        same("rooms of a connection", connection.rooms.len(), rooms.len())?;
        let kept = rooms.len() <= limits.rooms_per_connection;
        same("rooms <= limit", kept, true)?;
        for room in rooms {
            same("member is open", connection.is_open(), true)?;
            let room = self.slots.get(room);
            same("room of a member", room.is_some(), true)?;
            if let Some(presence) = room.and_then(|room| room.presence.as_deref()) {
                let present = presence.occupants.get(connection.user);
                let present = present.is_some_and(|present| present.connections > 0);
                same("presence of a member", present, true)?;
            }
        }
        Ok(())
    }

    /// Compares some rooms with what connections have counted, about `most` rooms and users in all. `seats`
    /// tells how many members a room may have, and `in_log` how many its log has. Returns where to continue.
    pub(in crate::switchboard) fn audit_rooms(
        &self,
        counted: &Recount,
        (mut key, mut after): RoomPlace,
        most: usize,
        seats: impl Fn(&str) -> usize,
        in_log: impl Fn(u32) -> Option<usize>,
    ) -> Result<Option<RoomPlace>, Inconsistency> {
        let mut looks = 0;
        while (key as usize) < self.slots.keys() {
            if looks >= most {
                return Ok(Some((key, after)));
            }
            looks += 1;
            let Some(room) = self.slots.get(key) else {
                (key, after) = (key + 1, 0);
                continue;
            };
            if after == 0 {
                self.audit_room(key, room, counted)?;
                let kept = room.members <= seats(&room.name);
                same("members <= limit", kept, true)?;
                same("members in its log", in_log(room.log), Some(room.members))?;
            }
            let Some(presence) = &room.presence else {
                (key, after) = (key + 1, 0);
                continue;
            };
            let (users, next) = presence.users_after(after, most - looks + 1);
            for user in users {
                looks += 1;
                let present = presence.occupants.get(user);
                let connections = present.map(|present| present.connections as usize);
                same("present", connections, Some(counted.present(key, user)))?;
            }
            (key, after) = next.map_or((key + 1, 0), |place| (key, place));
        }
        Ok(None)
    }

    fn audit_room(&self, key: u32, room: &Room, counted: &Recount) -> Result<(), Inconsistency> {
        same(
            "a room that nothing keeps",
            room.is_active() || room.keeps,
            true,
        )?;
        same("room by its log", self.of_log(room.log), key)?;
        same("room by name", self.find(&room.name), Some(key))?;
        let (members, entered) = counted.members(key);
        same("members", room.members, members)?;
        same("lobby members", room.lobby_members, entered)?;
        if !room.is_active() {
            let free = room.presence.is_none() && room.owner.is_none();
            same("a dormant room has only its history", free, true)?;
        }
        let presence = room.presence.as_deref();
        let ordered = presence.is_none_or(|presence| presence.occupants.is_ordered());
        same("order of presence", ordered, true)
    }

    /// Compares the numbers of rooms with those that connections are in.
    pub(in crate::switchboard) fn audit(
        &self,
        counted: &Recount,
        limits: &Limits,
    ) -> Result<(), Inconsistency> {
        same("rooms by name", self.by_name.len(), self.slots.len())?;
        same("active rooms", self.active, counted.active_rooms())?;
        same("lobbies", self.lobbies, counted.lobbies())?;
        same("rooms <= limit", self.active <= limits.rooms, true)
    }

    /// Recounts what no connection tells: which rooms keep a history, and who made them.
    pub(in crate::switchboard) fn audit_all(&self) -> Result<(), Inconsistency> {
        let mut keeping = 0;
        let mut owners: BTreeMap<_, usize> = BTreeMap::new();
        for (_, room) in self.slots.iter() {
            keeping += usize::from(room.keeps);
            for network in room.owner.iter().flat_map(|ip| ip.networks()) {
                *owners.entry(network).or_default() += 1;
            }
        }
        same("rooms that keep a history", self.keeping, keeping)?;
        for (&network, &held) in &owners {
            same("rooms of a network", self.owners.held(network), held)?;
        }
        same("networks with rooms", self.owners.len(), owners.len())
    }

    /// Counts the rooms in which each user is in a grace period, those included that have ended meanwhile.
    pub(in crate::switchboard) fn graces(&self) -> BTreeMap<u32, u32> {
        let rooms = self.slots.iter();
        let active = rooms.filter_map(|(_, room)| room.presence.as_deref());
        let present = active
            .chain(&self.ended)
            .flat_map(|presence| presence.occupants.iter());
        let mut graces = BTreeMap::new();
        for present in present.filter(|present| present.grace.is_some()) {
            *graces.entry(present.user).or_default() += 1;
        }
        graces
    }
}

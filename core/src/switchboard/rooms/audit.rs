//! Comparing rooms, memberships and presence with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::Rooms;
use super::room::Room;
use crate::Limits;
use crate::switchboard::audit::{Inconsistency, same};
use crate::switchboard::table::Table;

/// A member of a room: its user, and whether it entered by its URL.
type Inside = (u32, bool);

impl Rooms {
    /// Compares rooms, memberships and presence with each other. `seats` tells how many members a room may
    /// have.
    pub(in crate::switchboard) fn audit(
        &self,
        connections: &Table,
        limits: &Limits,
        seats: impl Fn(&str) -> usize,
    ) -> Result<(), Inconsistency> {
        let (mut members, mut lobbies, mut active, mut keeping) = (0, 0, 0, 0);
        let mut owners: BTreeMap<_, usize> = BTreeMap::new();
        let mut inside: BTreeMap<u32, Vec<Inside>> = BTreeMap::new();
        for (_, connection) in connections.iter() {
            for membership in &connection.rooms {
                same("member is open", connection.is_open(), true)?;
                let inside = inside.entry(membership.room).or_default();
                inside.push((connection.user, membership.lobby));
            }
        }
        for (key, room) in self.slots.iter() {
            let inside = inside.get(&key).map_or(&[][..], Vec::as_slice);
            self.audit_room(key, room, inside)?;
            let kept = room.members <= seats(&room.name);
            same("members <= limit", kept, true)?;
            lobbies += usize::from(room.lobby_members > 0);
            members += room.members;
            active += usize::from(room.is_active());
            keeping += usize::from(room.keeps);
            for network in room.owner.iter().flat_map(|ip| ip.networks()) {
                *owners.entry(network).or_default() += 1;
            }
        }
        for (&network, &held) in &owners {
            same("rooms of a network", self.owners.held(network), held)?;
        }
        same("networks with rooms", self.owners.len(), owners.len())?;
        same("rooms by name", self.by_name.len(), self.slots.len())?;
        same("active rooms", self.active, active)?;
        same("rooms that keep a history", self.keeping, keeping)?;
        same("lobbies", self.lobbies, lobbies)?;
        same("rooms <= limit", self.active <= limits.rooms, true)?;
        let mut memberships = 0;
        for (_, connection) in connections.iter() {
            let rooms: BTreeSet<u32> = connection.rooms.iter().map(|member| member.room).collect();
            same("rooms of a connection", connection.rooms.len(), rooms.len())?;
            let kept = rooms.len() <= limits.rooms_per_connection;
            same("rooms <= limit", kept, true)?;
            memberships += rooms.len();
        }
        same("memberships", memberships, members)
    }

    fn audit_room(&self, key: u32, room: &Room, inside: &[Inside]) -> Result<(), Inconsistency> {
        same(
            "a room that nothing keeps",
            room.is_active() || room.keeps,
            true,
        )?;
        same("room by its log", self.of_log(room.log), key)?;
        same("room by name", self.find(&room.name), Some(key))?;
        same("members", room.members, inside.len())?;
        let mut entered = 0;
        let mut users: BTreeMap<u32, u32> = BTreeMap::new();
        for &(user, lobby) in inside {
            entered += usize::from(lobby);
            *users.entry(user).or_default() += 1;
        }
        same("lobby members", room.lobby_members, entered)?;
        if !room.is_active() {
            let free = room.presence.is_none() && room.owner.is_none();
            return same("a dormant room has only its history", free, true);
        }
        let Some(presence) = &room.presence else {
            return Ok(());
        };
        let occupants = presence.occupants.iter();
        let present: BTreeMap<u32, u32> = occupants
            .filter(|present| present.connections > 0)
            .map(|present| (present.user, present.connections))
            .collect();
        same("present", present, users)?;
        let counted = presence.occupants.iter().count();
        same("order of presence", presence.occupants.len(), counted)
    }
}

//! Recounts every index from scratch, as a consistency check.

use std::collections::{BTreeMap, BTreeSet};

use super::switchboard::Switchboard;
use crate::switchboard::audit::{Inconsistency, same};
use crate::switchboard::connection::NONE;

impl Switchboard {
    /// Recounts every index from scratch and compares. Call it when all actions have been polled.
    /// Costs a pass over all state; for tests, and for inspecting a live node.
    ///
    /// # Errors
    /// The first index that is wrong.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        self.seats.audit(&self.connections, &self.config.limits)?;
        self.audit_rooms()?;
        self.audit_users()?;
        self.outbox.audit(&self.connections, &self.config.limits)?;
        self.audit_unfinished()?;
        self.deadlines.audit(&self.connections, &self.config)?;
        self.pings.audit()
    }

    fn audit_rooms(&self) -> Result<(), Inconsistency> {
        let limits = &self.config.limits;
        let (mut members, mut lobbies) = (0, 0);
        let mut owners: BTreeMap<_, usize> = BTreeMap::new();
        for (key, room) in self.rooms.iter() {
            same("empty room", room.members.is_empty(), false)?;
            for network in room.owner.iter().flat_map(|ip| ip.networks()) {
                *owners.entry(network).or_default() += 1;
            }
            same("room by name", self.rooms.find(&room.name), Some(key))?;
            same(
                "members <= limit",
                room.members.len() <= limits.room_members,
                true,
            )?;
            let mut entered = 0;
            let mut users: BTreeMap<u32, u32> = BTreeMap::new();
            for (index, member) in room.members.iter().enumerate() {
                let connection = self.connections.at(member.slot);
                let Some(membership) = connection.rooms.get(member.membership as usize) else {
                    return same("membership", "missing", "there");
                };
                same("membership's room", membership.room, key)?;
                same("membership's index", membership.index as usize, index)?;
                same("member is open", connection.is_open(), true)?;
                entered += usize::from(membership.lobby);
                *users.entry(connection.user).or_default() += 1;
            }
            same("lobby members", room.lobby_members, entered)?;
            lobbies += usize::from(entered > 0);
            members += room.members.len();
            let Some(presence) = &room.presence else {
                continue;
            };
            let present: BTreeMap<u32, u32> = presence
                .occupants
                .iter()
                .filter(|present| present.connections > 0)
                .map(|present| (present.user, present.connections))
                .collect();
            same("present", present, users)?;
            let counted = presence.occupants.iter().count();
            same("order of presence", presence.occupants.len(), counted)?;
        }
        for (&network, &held) in &owners {
            same("rooms of a network", self.rooms.owners.held(network), held)?;
        }
        same("networks with rooms", self.rooms.owners.len(), owners.len())?;
        same("rooms by name", self.rooms.named(), self.rooms.len())?;
        same("lobbies", self.rooms.lobbies, lobbies)?;
        same("rooms <= limit", self.rooms.len() <= limits.rooms, true)?;
        let mut memberships = 0;
        for (_, connection) in self.connections.iter() {
            let rooms: BTreeSet<u32> = connection.rooms.iter().map(|member| member.room).collect();
            same("rooms of a connection", connection.rooms.len(), rooms.len())?;
            same(
                "rooms <= limit",
                rooms.len() <= limits.rooms_per_connection,
                true,
            )?;
            memberships += rooms.len();
        }
        same("memberships", memberships, members)
    }

    fn audit_users(&self) -> Result<(), Inconsistency> {
        let (mut connections, mut connected) = (0, 0);
        for (key, user) in self.users.iter() {
            same("user by name", self.users.find(&user.name), Some(key))?;
            same(
                "user without connection or grace period",
                user.connections.is_empty() && user.graces == 0,
                false,
            )?;
            connected += usize::from(!user.connections.is_empty());
            connections += user.connections.len();
            for slot in user.connections.iter() {
                same("connection's user", self.connections.at(slot).user, key)?;
            }
            let graces = self
                .rooms
                .iter()
                .filter_map(|(_, room)| room.presence.as_ref()?.occupants.get(key))
                .filter(|present| present.grace.is_some())
                .count();
            same("graces", user.graces as usize, graces)?;
            let anonymous = user.anonymous && user.connections.len() > 1;
            same("anonymous user with several connections", anonymous, false)?;
        }
        same(
            "users by name",
            self.users.named(),
            self.users.iter().count(),
        )?;
        same("users connected", self.users.connected, connected)?;
        same("connections of users", connections, self.seats.open())?;
        let homeless = self
            .connections
            .iter()
            .filter(|(_, c)| c.is_open() && c.user == NONE)
            .count();
        same("open without a user", homeless, 0)
    }

    fn audit_unfinished(&self) -> Result<(), Inconsistency> {
        let partial = self.connections.iter().map(|(_, found)| found.partial);
        let partial: usize = partial.sum();
        same("unfinished bytes", self.unfinished, partial)?;
        let limit = self.config.limits.unfinished_bytes;
        same("unfinished <= limit", partial <= limit, true)
    }
}

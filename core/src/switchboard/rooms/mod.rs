//! Rooms: their members, their numbers, and who is present.

mod audit;
mod epoch;
mod lives;
mod occupants;
mod others;
mod owners;
mod presence;
mod presence_timers;
mod presences;
mod room;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

pub(super) use self::audit::RoomPlace;
pub(super) use self::epoch::Epoch;
pub(super) use self::others::Others;
pub(super) use self::presence::{CHANGES, Part, Presence, Update};
pub(super) use self::room::Via;

use self::owners::Owners;
use self::presence_timers::PresenceTimers;
use self::room::Room;
use super::arena::Arena;
use super::chunks::Chunks;
use super::connection::{ConnectionState, Membership};
use super::errors::JoinError;
use super::table::Table;
use super::users::Users;
use crate::base::hash::{Keyed, NameIndex, Vacant};
use crate::base::id::HexPair;
use crate::{ConnectionId, IpKey, Limits, Refused, Time, check_name};

/// Grace periods that one tick ends.
const GRACES: usize = 96;

/// All rooms: active ones, which have members, and dormant ones, which are kept for their history.
#[derive(Debug)]
pub(super) struct Rooms {
    by_name: NameIndex,
    slots: Arena<Room>,
    owners: Owners,
    /// Distinguishes the epochs of this process from those of others.
    node: u64,
    epochs: u64,
    stays: u64,
    /// Rooms with members.
    active: usize,
    /// Rooms that keep a history.
    keeping: usize,
    /// The rooms by their keys in the log.
    by_log: Chunks<u32>,
    /// Rooms with a member that entered by its URL.
    lobbies: usize,
    timers: PresenceTimers,
    /// What is left of the presence of rooms that have ended.
    ended: Vec<Presence>,
    /// Users who came to shared rooms, or of whom something else is told there, or who left them.
    moves: VecDeque<Move>,
}

/// A room, a user, and whether the user is there now.
pub(super) type Move = (Arc<str>, Arc<str>, bool);

impl Rooms {
    pub(super) fn new(keyed: Keyed, node: u64) -> Self {
        Self {
            by_name: NameIndex::new(keyed),
            slots: Arena::default(),
            owners: Owners::new(keyed),
            node,
            epochs: 0,
            stays: 0,
            active: 0,
            keeping: 0,
            by_log: Chunks::default(),
            lobbies: 0,
            timers: PresenceTimers::default(),
            ended: Vec::new(),
            moves: VecDeque::new(),
        }
    }

    /// Returns the number of rooms with members.
    pub(super) const fn active(&self) -> usize {
        self.active
    }

    /// Returns the number of rooms that keep a history, with members or without.
    pub(super) const fn keeping(&self) -> usize {
        self.keeping
    }

    /// Returns the number of rooms with a member that entered by its URL.
    pub(super) fn lobbies(&self) -> usize {
        self.lobbies
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.find(name, |room| &self.at(room).name)
    }

    /// Returns the room of this name, or where to [create](Self::create) it.
    pub(super) fn find_or_vacant(&self, name: &str) -> Result<u32, Vacant> {
        self.by_name
            .find_or_vacant(name, |room| &self.at(room).name)
    }

    /// Returns the room of this key in the log.
    pub(super) fn of_log(&self, log: u32) -> u32 {
        self.by_log[log as usize]
    }

    #[inline]
    pub(super) fn at(&self, key: u32) -> &Room {
        &self.slots[key]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, key: u32) -> &mut Room {
        &mut self.slots[key]
    }

    /// Returns the epoch of a room as clients see it.
    pub(super) fn epoch(&self, key: u32) -> Epoch {
        let room = self.at(key);
        match &room.shared {
            Some(epoch) => Epoch::Shared(epoch.clone()),
            None => Epoch::Own(HexPair::new(self.node, room.epoch)),
        }
    }

    /// Returns the users in a room, in the order of joining; without presence, in that of the
    /// `members`, by their slots.
    pub(super) fn users(
        &self,
        connections: &Table,
        key: u32,
        members: impl Iterator<Item = u32>,
    ) -> Vec<u32> {
        let room = self.at(key);
        if let Some(presence) = &room.presence {
            return presence.users().collect();
        }
        let mut known = BTreeSet::new();
        let users = members.map(|slot| connections.at(slot).user);
        users.filter(|&user| known.insert(user)).collect()
    }

    /// Looks at `look` slots from `from` on for active rooms whose names begin with `prefix`. Returns
    /// these, and where to look on, unless those were the last.
    pub(super) fn search(
        &self,
        prefix: &str,
        from: usize,
        look: usize,
    ) -> (Vec<Arc<str>>, Option<usize>) {
        let end = from.saturating_add(look).min(self.slots.keys());
        let rooms = self.slots.range(from..end).map(|(_, room)| room);
        let found = rooms.filter(|room| room.is_active() && room.name.starts_with(prefix));
        let names = found.map(|room| room.name.clone()).collect();
        (names, (end < self.slots.keys()).then_some(end))
    }

    /// Checks that a connection could enter a room now, which has so many `seats` for it and the members.
    /// Returns the room, or where to create it.
    pub(super) fn may_enter(
        &self,
        connection: &ConnectionState,
        name: &str,
        via: Via,
        limits: &Limits,
        seats: usize,
    ) -> Result<Result<u32, Vacant>, JoinError> {
        if !connection.is_open() {
            return Err(JoinError::NotOpen);
        }
        check_name(name, limits.name_bytes).map_err(JoinError::BadName)?;
        let room = self.find_or_vacant(name);
        if room.is_ok_and(|key| connection.is_in(key)) {
            return Err(JoinError::AlreadyIn);
        }
        if connection.rooms.len() >= limits.rooms_per_connection {
            return Err(JoinError::TooManyRooms);
        }
        let members = room.map_or(0, |key| self.at(key).members);
        if members >= seats {
            Err(JoinError::RoomFull)
        } else if members > 0 {
            Ok(room)
        } else if self.active >= limits.rooms {
            Err(JoinError::NoMoreRooms)
        } else if via != Via::Application && self.has_its_rooms(connection.ip, limits) {
            Err(JoinError::NoMoreRoomsForAddress)
        } else {
            Ok(room)
        }
    }

    /// Checks for one of the `seats` of the lobby, for a connection from `ip`, if that is known, which
    /// takes over the seats of `replaced`.
    pub(super) fn lobby_seat(
        &self,
        name: &str,
        ip: Option<IpKey>,
        replaced: Option<&ConnectionState>,
        limits: &Limits,
        seats: usize,
    ) -> Result<(), Refused> {
        let active = self.find(name).filter(|&key| self.at(key).is_active());
        let Some(key) = active else {
            // A room that ends with its only member makes room for this one.
            let alone = || replaced.into_iter().flat_map(|found| self.alone_in(found));
            let frees = alone().next().is_some();
            let of_its_share = alone().any(|room| room.owner.is_some() && room.owner == ip);
            return if seats == 0 || self.active >= limits.rooms + usize::from(frees) {
                Err(Refused::LobbyFull)
            } else if !of_its_share && ip.is_some_and(|ip| self.has_its_rooms(ip, limits)) {
                Err(Refused::IpLimit)
            } else {
                Ok(())
            };
        };
        let inside = replaced.is_some_and(|found| found.is_in(key));
        if self.at(key).members >= seats + usize::from(inside) {
            return Err(Refused::LobbyFull);
        }
        Ok(())
    }

    /// Adds a connection to a room, in which it is not. If the users present change, an update is due
    /// at `update_at`.
    pub(super) fn enter(
        &mut self,
        connection: &mut ConnectionState,
        users: &mut Users,
        key: u32,
        lobby: bool,
        update_at: Time,
    ) {
        let room = &mut self.slots[key];
        let moved = room.moved;
        connection.rooms.push(Membership {
            room: key,
            lobby,
            moved,
        });
        room.members += 1;
        room.lobby_members += usize::from(lobby);
        if lobby && room.lobby_members == 1 {
            self.lobbies += 1;
        }
        let Some(presence) = &mut room.presence else {
            return;
        };
        let is_new = presence.occupants.get(connection.user).is_none();
        let is_due = presence.joined(users, connection.user);
        if is_new && room.shared.is_some() {
            let user = users.at(connection.user).name.clone();
            self.moves.push_back((room.name.clone(), user, true));
        }
        if is_due {
            self.schedule_update(key, update_at);
        }
    }

    /// Removes a connection from a room, which is inactive without its last member. Returns its name,
    /// or `None` if the connection was not in it. With `grace`, the user stays present until then.
    pub(super) fn leave(
        &mut self,
        connections: &mut Table,
        users: &mut Users,
        id: ConnectionId,
        key: u32,
        grace: Option<Time>,
        update_at: Time,
    ) -> Option<Arc<str>> {
        let connection = connections.get_mut(id).ok()?;
        let mut memberships = connection.rooms.iter();
        let at = memberships.position(|member| member.room == key)?;
        let user = connection.user;
        let membership = connection.rooms.swap_remove(at);
        let room = self.at_mut(key);
        room.members -= 1;
        room.lobby_members -= usize::from(membership.lobby);
        if let Some(presence) = &mut room.presence {
            presence.forget(id);
        }
        let name = room.name.clone();
        if membership.lobby && room.lobby_members == 0 {
            self.lobbies -= 1;
        }
        self.absent(users, key, user, grace, update_at);
        if !self.at(key).is_active() {
            self.deactivate(users, key);
        }
        Some(name)
    }

    /// Returns whether the clients of this address may create no more rooms.
    fn has_its_rooms(&self, ip: IpKey, limits: &Limits) -> bool {
        self.excess_of(ip, limits).is_some()
    }

    /// Returns how many rooms the clients of an address hold, and their share, if they get no more.
    pub(super) fn excess_of(&self, ip: IpKey, limits: &Limits) -> Option<(usize, usize)> {
        self.owners.excess(ip, self.active, limits.rooms)
    }

    /// Returns the rooms of which a connection is the only member.
    fn alone_in<'a>(
        &'a self,
        connection: &'a ConnectionState,
    ) -> impl Iterator<Item = &'a Room> + 'a {
        let rooms = connection.rooms.iter().map(|member| self.at(member.room));
        rooms.filter(|room| room.members == 1)
    }
}

#[cfg(test)]
mod tests;

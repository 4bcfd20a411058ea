//! Rooms and their members.

use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;

use super::presence::Presence;
use super::switchboard::Switchboard;
use crate::hash::{Keyed, NameIndex, Vacant};
use crate::id::HexPair;
use crate::protocol::ServerMessage;
use crate::switchboard::action::Notice;
use crate::switchboard::capacity::ReserveOne;
use crate::switchboard::connection::Membership;
use crate::switchboard::counters::Level;
use crate::switchboard::errors::JoinError;
use crate::switchboard::owners::Owners;
use crate::switchboard::pool::Latest;
use crate::switchboard::queue::NO_ROOM;
use crate::{CloseReason, ConnectionId, IpKey, SlowPolicy, StaleId, Time, check_name};

/// What makes a connection enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// The URL that the client connected to.
    Url,
    /// A request of the client.
    Request,
    /// The application.
    Application,
}

/// A connection in a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) slot: u32,
    /// The index in the connection's list of rooms.
    pub(super) membership: u32,
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: Arc<str>,
    /// Distinguishes the successive rooms under one key.
    pub(super) epoch: u64,
    /// The address of the client that created it; `None` if the application did.
    pub(super) owner: Option<IpKey>,
    /// The last number used.
    pub(super) seq: u64,
    pub(super) members: Vec<Member>,
    /// Members that entered by their URL.
    pub(super) lobby_members: usize,
    pub(super) slow: SlowPolicy,
    /// The latest frame sent to its members.
    pub(super) latest: Latest,
    pub(super) presence: Option<Box<Presence>>,
}

impl Room {
    /// Returns what marks its messages in queues. Unlike the key, it is not soon reused by another
    /// room.
    pub(super) const fn tag(&self) -> u32 {
        (self.epoch % NO_ROOM as u64) as u32
    }
}

/// All rooms, each of which has members.
#[derive(Debug)]
pub(super) struct RoomTable {
    by_name: NameIndex,
    rooms: Slab<Room>,
    pub(super) owners: Owners,
    /// Distinguishes the epochs of this process from those of others.
    node: u64,
    epochs: u64,
    /// Rooms with a member that entered by its URL.
    pub(super) lobbies: usize,
}

impl RoomTable {
    pub(super) fn new(keyed: Keyed, node: u64) -> Self {
        let by_name = NameIndex::new(keyed);
        Self {
            by_name,
            rooms: Slab::new(),
            owners: Owners::new(keyed),
            node,
            epochs: 0,
            lobbies: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.find(name, |room| &self.at(room).name)
    }

    /// Returns the room of this name, or where to create it.
    pub(super) fn find_or_vacant(&self, name: &str) -> Result<u32, Vacant> {
        self.by_name
            .find_or_vacant(name, |room| &self.at(room).name)
    }

    pub(super) fn at(&self, key: u32) -> &Room {
        &self.rooms[key as usize]
    }

    pub(super) fn at_mut(&mut self, key: u32) -> &mut Room {
        &mut self.rooms[key as usize]
    }

    pub(super) fn get_mut(&mut self, key: u32, epoch: u64) -> Option<&mut Room> {
        self.rooms
            .get_mut(key as usize)
            .filter(|room| room.epoch == epoch)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Room)> {
        self.rooms.iter().map(|(key, room)| (key as u32, room))
    }

    pub(super) fn named(&self) -> usize {
        self.by_name.len()
    }

    /// Returns the epoch of a room as clients see it.
    pub(super) fn epoch(&self, epoch: u64) -> HexPair {
        HexPair::new(self.node, epoch)
    }

    fn create(
        &mut self,
        vacant: Vacant,
        name: &str,
        owner: Option<IpKey>,
        slow: SlowPolicy,
        presence: bool,
    ) -> u32 {
        self.epochs += 1;
        if let Some(ip) = owner {
            self.owners.add(ip);
        }
        self.rooms.reserve_one();
        let key = self.rooms.insert(Room {
            name: name.into(),
            epoch: self.epochs,
            owner,
            seq: 0,
            members: Vec::new(),
            lobby_members: 0,
            slow,
            latest: Latest::default(),
            presence: presence.then(Box::default),
        }) as u32;
        self.by_name
            .insert(vacant, key, |room| &self.rooms[room as usize].name);
        key
    }

    fn remove(&mut self, key: u32) -> Room {
        let room = self.rooms.remove(key as usize);
        self.by_name.remove(&room.name, key);
        if let Some(ip) = room.owner {
            self.owners.remove(ip);
        }
        room
    }
}

impl Switchboard {
    /// Adds a connection to a room on behalf of the application. With the JSON protocol the client
    /// is told as if it had asked.
    pub fn join(&mut self, now: Time, id: ConnectionId, room: &str) -> Result<(), JoinError> {
        self.advance_clock(now);
        self.enter_room(id, room, Via::Application)
    }

    /// Removes a connection from a room on behalf of the application, and drops what is queued for
    /// it from there. Returns whether it was in the room.
    pub fn leave(&mut self, now: Time, id: ConnectionId, room: &str) -> Result<bool, StaleId> {
        self.advance_clock(now);
        let connection = self.connections.get_mut(id)?;
        let Some(key) = self.rooms.find(room) else {
            return Ok(false);
        };
        if !connection.rooms.iter().any(|member| member.room == key) {
            return Ok(false);
        }
        let before = connection.queue.bytes();
        let tag = self.rooms.at(key).tag();
        let dropped = self.outbox.purge(connection, tag);
        self.counters.dropped("left", u64::from(dropped));
        self.queue_shrank(id, before);
        self.leave_voluntarily(id, key);
        self.send_message(
            id,
            &ServerMessage::Unsubscribed {
                channel: room,
                id: None,
            },
        );
        Ok(true)
    }

    /// Returns the connections in a room.
    pub fn members(&self, room: &str) -> Vec<ConnectionId> {
        let Some(key) = self.rooms.find(room) else {
            return Vec::new();
        };
        let members = self.rooms.at(key).members.iter();
        members
            .map(|member| self.connections.id_at(member.slot))
            .collect()
    }

    /// Returns the rooms of a connection.
    pub fn rooms_of(&self, id: ConnectionId) -> Result<Vec<Arc<str>>, StaleId> {
        let memberships = self.connections.get(id)?.rooms.iter();
        Ok(memberships
            .map(|member| self.room_name(member.room))
            .collect())
    }

    pub(super) fn is_member(&self, id: ConnectionId, key: u32) -> bool {
        self.connections
            .get(id)
            .is_ok_and(|found| found.rooms.iter().any(|member| member.room == key))
    }

    /// Checks that a connection could enter a room now. Returns the room, or where to create it.
    pub(super) fn may_enter(
        &self,
        id: ConnectionId,
        name: &str,
        via: Via,
    ) -> Result<Result<u32, Vacant>, JoinError> {
        let limits = &self.config.limits;
        let connection = self.connections.get(id)?;
        if !connection.is_open() {
            return Err(JoinError::NotOpen);
        }
        check_name(name, limits.name_bytes).map_err(JoinError::BadName)?;
        let room = self.rooms.find_or_vacant(name);
        if room.is_ok_and(|key| self.is_member(id, key)) {
            return Err(JoinError::AlreadyIn);
        }
        if connection.rooms.len() >= limits.rooms_per_connection {
            return Err(JoinError::TooManyRooms);
        }
        match room {
            Err(_) if self.rooms.len() >= limits.rooms => Err(JoinError::NoMoreRooms),
            Err(_) if via != Via::Application && self.has_its_rooms(connection.ip) => {
                Err(JoinError::NoMoreRoomsForAddress)
            }
            Ok(key) if self.rooms.at(key).members.len() >= limits.room_members => {
                Err(JoinError::RoomFull)
            }
            _ => Ok(room),
        }
    }

    /// Returns whether the clients of this address may create no more rooms.
    pub(super) fn has_its_rooms(&self, ip: IpKey) -> bool {
        let (taken, limit) = (self.rooms.len(), self.config.limits.rooms);
        self.rooms.owners.is_greedy(ip, taken, limit)
    }

    /// Adds a connection to a room and tells the client: `subscribed`, then presence. For a lobby,
    /// the seat was checked before.
    pub(super) fn enter_room(
        &mut self,
        id: ConnectionId,
        name: &str,
        via: Via,
    ) -> Result<(), JoinError> {
        let room = if via == Via::Url {
            self.rooms.find_or_vacant(name)
        } else {
            self.may_enter(id, name, via)?
        };
        self.enter_room_answering(id, name, room, via, None)
    }

    /// Like [`Self::enter_room`] without its checks, as the answer to a request.
    pub(super) fn enter_room_answering(
        &mut self,
        id: ConnectionId,
        name: &str,
        room: Result<u32, Vacant>,
        via: Via,
        request: Option<&crate::protocol::RequestId<'_>>,
    ) -> Result<(), JoinError> {
        let connection = self.connections.get(id)?;
        if !connection.is_open() {
            return Err(JoinError::NotOpen);
        }
        let lobby = via == Via::Url;
        let owner = (via != Via::Application).then_some(connection.ip);
        let key = room.unwrap_or_else(|vacant| self.create_room(vacant, name, owner));
        let connection = self.connections.get_mut(id)?;
        let user = connection.user;
        let room = self.rooms.at_mut(key);
        let membership = connection.rooms.len() as u32;
        let index = room.members.len() as u32;
        connection.rooms.push(Membership {
            room: key,
            index,
            lobby,
            seen: 0,
        });
        room.members.reserve_one();
        room.members.push(Member {
            slot: id.slot,
            membership,
        });
        room.lobby_members += usize::from(lobby);
        if lobby && room.lobby_members == 1 {
            self.rooms.lobbies += 1;
        }
        let room = self.rooms.at(key);
        let (channel, seq) = (room.name.clone(), room.seq);
        let epoch = self.rooms.epoch(room.epoch);
        self.notify(Notice::Joined {
            id,
            room: channel.clone(),
        });
        // Before anything is sent, because a connection that this is too much for leaves again.
        self.presence_joined(key, user);
        let message = ServerMessage::Subscribed {
            channel: &channel,
            seq,
            epoch: epoch.as_str(),
            id: request,
        };
        self.send_message(id, &message);
        self.send_presence_list(id, key);
        Ok(())
    }

    /// Removes a connection that stays open from a room. Returns whether it was in the room.
    pub(super) fn leave_voluntarily(&mut self, id: ConnectionId, key: u32) -> bool {
        if let Ok(connection) = self.connections.get_mut(id) {
            let mut memberships = connection.rooms.iter();
            if memberships.any(|member| member.room == key && member.lobby) {
                connection.left_lobby(self.rooms.at(key).name.clone());
            }
        }
        self.leave_room(id, key, false)
    }

    /// Removes a connection from a room. Returns whether it was in the room.
    pub(super) fn leave_room(&mut self, id: ConnectionId, key: u32, grace: bool) -> bool {
        let Ok(connection) = self.connections.get_mut(id) else {
            return false;
        };
        let Some(at) = connection
            .rooms
            .iter()
            .position(|member| member.room == key)
        else {
            return false;
        };
        let user = connection.user;
        let membership = connection.rooms.swap_remove(at);
        if let Some(moved) = connection.rooms.get(at) {
            self.rooms.at_mut(moved.room).members[moved.index as usize].membership = at as u32;
        }
        let room = self.rooms.at_mut(key);
        room.members.swap_remove(membership.index as usize);
        if let Some(&moved) = room.members.get(membership.index as usize) {
            self.connections.at_mut(moved.slot).rooms[moved.membership as usize].index =
                membership.index;
        }
        room.lobby_members -= usize::from(membership.lobby);
        if membership.lobby && room.lobby_members == 0 {
            self.rooms.lobbies -= 1;
        }
        let name = self.room_name(key);
        self.notify(Notice::Left { id, room: name });
        self.presence_left(key, user, grace);
        if self.rooms.at(key).members.is_empty() {
            let room = self.rooms.remove(key);
            self.presence_ended(room);
        }
        true
    }

    /// Removes a connection from all its rooms; returns their names.
    pub(super) fn leave_rooms(&mut self, id: ConnectionId, reason: CloseReason) -> Vec<Arc<str>> {
        let Ok(connection) = self.connections.get(id) else {
            return Vec::new();
        };
        let keys: Vec<u32> = connection.rooms.iter().map(|member| member.room).collect();
        let names = keys.iter().map(|&key| self.room_name(key)).collect();
        for key in keys {
            self.leave_room(id, key, reason.is_peer_initiated());
        }
        if let Ok(connection) = self.connections.get_mut(id) {
            connection.rooms = SmallVec::new();
        }
        names
    }

    fn create_room(&mut self, vacant: Vacant, name: &str, owner: Option<IpKey>) -> u32 {
        let rule = self
            .config
            .room_rules
            .iter()
            .find(|rule| name.starts_with(&rule.prefix));
        let slow = rule.and_then(|rule| rule.slow).unwrap_or(self.config.slow);
        let presence = rule
            .and_then(|rule| rule.presence)
            .unwrap_or(self.config.presence.enabled);
        let key = self.rooms.create(vacant, name, owner, slow, presence);
        self.note_level(Level::Rooms, self.rooms.len(), self.config.limits.rooms);
        key
    }
}

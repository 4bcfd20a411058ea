//! Rooms and messages to them.

use switchboard_core::{ConnectionId, SlowPolicy, check_name};

use super::presence::Crowd;
use super::queue::{Is, Item, Kind, framed};
use super::{Conn, Model, Note, Room, texts};

/// The expected receipt of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its number.
    pub seq: Option<u64>,
    /// Queues that took it.
    pub queued: usize,
    /// Members that were excluded.
    pub excluded: usize,
    /// Older messages dropped for it.
    pub dropped_oldest: usize,
    /// Members for which it was dropped.
    pub dropped_newest: usize,
    /// Members closed because it did not fit.
    pub closed: usize,
}

/// Exclusions of a broadcast.
#[derive(Clone, Debug, Default)]
pub struct Excluded {
    /// These connections.
    pub connections: Vec<ConnectionId>,
    /// These users.
    pub users: Vec<String>,
}

impl Model {
    fn rule<T: Copy>(
        &self,
        room: &str,
        pick: impl Fn(&switchboard_core::RoomRule) -> Option<T>,
        otherwise: T,
    ) -> T {
        let mut rules = self.config.room_rules.iter();
        let rule = rules.find(|rule| room.starts_with(&rule.prefix));
        rule.and_then(pick).unwrap_or(otherwise)
    }

    fn policy(&self, room: &str) -> SlowPolicy {
        self.rule(room, |rule| rule.slow, self.config.slow)
    }

    /// Returns why a connection may not enter, as a key of `texts::words`.
    pub fn may_enter(&self, id: ConnectionId, room: &str) -> Result<(), &'static str> {
        let limits = &self.config.limits;
        let Some(conn) = self.conns.get(&id) else {
            return Err("stale");
        };
        if !conn.is_open() {
            return Err("not_open");
        }
        if check_name(room, limits.name_bytes).is_err() {
            return Err("bad_name");
        }
        if conn.rooms.iter().any(|(name, _)| name == room) {
            return Err("already_subscribed");
        }
        if conn.rooms.len() >= limits.rooms_per_connection {
            return Err("too_many_rooms");
        }
        match self.rooms.get(room) {
            None if self.rooms.len() >= limits.rooms => Err("no_more_rooms"),
            Some(found) if found.members.len() >= limits.room_members => Err("room_full"),
            _ => Ok(()),
        }
    }

    /// The application adds a connection to a room.
    pub fn join(&mut self, id: ConnectionId, room: &str) -> Result<(), &'static str> {
        self.may_enter(id, room)?;
        self.enter_room(id, room, false, None);
        Ok(())
    }

    pub(crate) fn enter_room(
        &mut self,
        id: ConnectionId,
        name: &str,
        lobby: bool,
        request: Option<&str>,
    ) {
        if !self.rooms.contains_key(name) {
            let present = self.rule(name, |rule| rule.presence, self.config.presence.enabled);
            self.lives += 1;
            let room = Room {
                life: self.lives,
                seq: 0,
                members: Vec::new(),
                crowd: present.then(Crowd::default),
            };
            self.rooms.insert(name.to_owned(), room);
        }
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        room.members.push(id);
        let (seq, life) = (room.seq, room.life);
        let Some(conn) = self.conn(id) else { return };
        conn.rooms.push((name.to_owned(), lobby));
        let user = conn.user.clone();
        self.notes.push(Note::Joined(id, name.to_owned()));
        self.presence_joined(name, &user);
        let epoch = format!("{}-{life:x}", self.node);
        self.tell(id, texts::subscribed(name, seq, &epoch, request));
        self.tell_list(id, name);
    }

    /// Removes a connection from a room; returns whether it was a member.
    pub(crate) fn leave_room(&mut self, id: ConnectionId, name: &str, grace: bool) -> bool {
        let Some(conn) = self.conn(id) else {
            return false;
        };
        let before = conn.rooms.len();
        conn.rooms.retain(|(room, _)| room != name);
        if conn.rooms.len() == before {
            return false;
        }
        let user = conn.user.clone();
        if let Some(room) = self.rooms.get_mut(name) {
            room.members.retain(|&member| member != id);
        }
        self.notes.push(Note::Left(id, name.to_owned()));
        self.presence_left(name, &user, grace);
        if self
            .rooms
            .get(name)
            .is_some_and(|room| room.members.is_empty())
        {
            self.rooms.remove(name);
        }
        true
    }

    /// The application removes a connection from a room, with the room's queued messages.
    pub fn leave(&mut self, id: ConnectionId, name: &str) -> bool {
        let Some(life) = self.rooms.get(name).map(|room| room.life) else {
            return false;
        };
        let Some(conn) = self.conn(id) else {
            return false;
        };
        if !conn.rooms.iter().any(|(room, _)| room == name) {
            return false;
        }
        let dropped = conn.queue.remove(|item| item.room == Some(life));
        self.dropped("left", dropped);
        self.leave_room(id, name, false);
        self.tell(id, texts::unsubscribed(name, None));
        true
    }

    /// Returns the number of rooms that were entered by the URL.
    pub fn lobbies(&self) -> usize {
        let entered = |id: &ConnectionId, name: &str| {
            self.conns[id]
                .rooms
                .iter()
                .any(|(room, lobby)| room == name && *lobby)
        };
        let rooms = self.rooms.iter();
        rooms
            .filter(|(name, room)| room.members.iter().any(|id| entered(id, name)))
            .count()
    }

    /// Publishes a numbered message.
    pub fn publish(
        &mut self,
        name: &str,
        content: &str,
        sender: Option<&str>,
        exclude: &Excluded,
    ) -> Result<Tally, &'static str> {
        let Some(room) = self.rooms.get(name) else {
            return Ok(Tally::default());
        };
        let (seq, life) = (room.seq + 1, room.life);
        let text = texts::message(name, content, sender, seq);
        let mut item = Item::new(framed(text.len()), Is::Json(text), Kind::Message);
        if item.len > self.config.limits.queue_bytes {
            return Err("too_large");
        }
        item.room = Some(life);
        let members = room.members.clone();
        if let Some(room) = self.rooms.get_mut(name) {
            room.seq = seq;
        }
        let policy = self.policy(name);
        let mut tally = self.fan_out(&members, &item, policy, exclude);
        tally.seq = Some(seq);
        Ok(tally)
    }

    /// Sends a raw message to a room.
    pub fn broadcast_raw(
        &mut self,
        name: &str,
        text: &str,
        exclude: &Excluded,
    ) -> Result<Tally, &'static str> {
        let mut item = self.raw_item(text)?;
        let Some(room) = self.rooms.get(name) else {
            return Ok(Tally::default());
        };
        item.room = Some(room.life);
        let members = room.members.clone();
        let policy = self.policy(name);
        Ok(self.fan_out(&members, &item, policy, exclude))
    }

    /// Sends a raw message to all connections.
    pub fn broadcast_all(&mut self, text: &str, exclude: &Excluded) -> Result<Tally, &'static str> {
        let item = self.raw_item(text)?;
        let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
        let ids: Vec<ConnectionId> = open.map(|(&id, _)| id).collect();
        Ok(self.fan_out(&ids, &item, SlowPolicy::Disconnect, exclude))
    }

    /// Sends a message to a user's connections.
    pub fn send_to_user(&mut self, user: &str, text: &str) -> Result<Tally, &'static str> {
        let item = self.raw_item(text)?;
        Ok(self.send_to_devices(user, &item))
    }

    pub(crate) fn send_to_devices(&mut self, user: &str, item: &Item) -> Tally {
        let devices = self.users.get(user).cloned().unwrap_or_default();
        self.fan_out(&devices, item, SlowPolicy::Disconnect, &Excluded::default())
    }

    /// Sends a message to one connection.
    pub fn send_text(&mut self, id: ConnectionId, text: &str) -> Result<Tally, &'static str> {
        match self.conns.get(&id) {
            None => return Err("stale"),
            Some(conn) if !conn.is_open() => return Err("not_open"),
            Some(_) => {}
        }
        let item = self.raw_item(text)?;
        Ok(self.send(id, item))
    }

    fn raw_item(&self, text: &str) -> Result<Item, &'static str> {
        let item = Item::new(framed(text.len()), Is::Text(text.to_owned()), Kind::Message);
        if item.len > self.config.limits.queue_bytes {
            Err("too_large")
        } else {
            Ok(item)
        }
    }

    fn fan_out(
        &mut self,
        ids: &[ConnectionId],
        item: &Item,
        policy: SlowPolicy,
        exclude: &Excluded,
    ) -> Tally {
        let mut tally = Tally::default();
        let mut slow = Vec::new();
        for &id in ids {
            let user = &self.conns[&id].user;
            if exclude.connections.contains(&id) || exclude.users.contains(user) {
                tally.excluded += 1;
                continue;
            }
            if !self.fits(id, item.len) {
                if policy == SlowPolicy::DropNewest {
                    tally.dropped_newest += 1;
                    continue;
                }
                tally.dropped_oldest += self.make_way(id, item.len) as usize;
            }
            if self.fits(id, item.len) {
                let mut copy = item.clone();
                if policy == SlowPolicy::DropOldest {
                    copy.kind = Kind::Droppable;
                }
                self.push(id, copy);
                tally.queued += 1;
            } else {
                tally.closed += 1;
                slow.push(id);
            }
        }
        self.dropped("drop_oldest", tally.dropped_oldest as u64);
        self.dropped("drop_newest", tally.dropped_newest as u64);
        for id in slow {
            self.end(id, "slow_consumer", None);
        }
        tally
    }

    /// Returns the rooms of a connection, sorted.
    pub fn rooms_of(conn: &Conn) -> Vec<String> {
        let mut names: Vec<String> = conn.rooms.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }
}

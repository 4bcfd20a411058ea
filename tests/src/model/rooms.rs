//! Rooms and messages to them.

use switchboard_core::{ConnectionId, SlowPolicy, check_name};

use super::presence::Crowd;
use super::queue::{Is, Item, Kind, Lag, framed};
use super::{Conn, Model, Note, Room, Wish, texts};

/// The expected receipt of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its number.
    pub seq: Option<u64>,
    /// Members that are going to get it.
    pub accepted: usize,
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
    pub(super) fn rule<T: Copy>(
        &self,
        room: &str,
        pick: impl Fn(&switchboard_core::RoomRule) -> Option<T>,
        otherwise: T,
    ) -> T {
        let mut rules = self.config.room_rules.iter();
        let rule = rules.find(|rule| room.starts_with(&rule.prefix));
        rule.and_then(pick).unwrap_or(otherwise)
    }

    pub(super) fn policy(&self, room: &str) -> SlowPolicy {
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
        if !self.has_seat(room, Some(&conn.user), 0) {
            return Err("room_full");
        }
        match self.rooms.get(room) {
            None if self.rooms.len() >= limits.rooms => Err("no_more_rooms"),
            _ => Ok(()),
        }
    }

    /// The application adds a connection to a room.
    pub fn join(&mut self, id: ConnectionId, room: &str) -> Result<(), &'static str> {
        self.may_enter(id, room)?;
        self.enter_room(id, room, false, None, &Wish::Rule);
        Ok(())
    }

    pub(crate) fn enter_room(
        &mut self,
        id: ConnectionId,
        name: &str,
        lobby: bool,
        request: Option<&str>,
        wish: &Wish,
    ) {
        if !self.rooms.contains_key(name) {
            let enabled = self.config.presence.enabled;
            let present = self.rule(name, |rule| rule.presence.enabled, enabled);
            let mut room = self.dormant.remove(name).unwrap_or_else(|| {
                self.lives += 1;
                Room::new(self.lives)
            });
            room.crowd = present.then(Crowd::default);
            self.rooms.insert(name.to_owned(), room);
        }
        let keeps = self.keeps();
        let node = self.node.clone();
        let beginning = if keeps {
            Some(self.begin(id, name, wish))
        } else {
            None
        };
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        room.members.push(id);
        let (seq, epoch) = (room.seq, room.epoch(&node));
        let (first, recovered) = match &beginning {
            Some(beginning) => (Some(beginning.first), beginning.recovered),
            None => (None, None),
        };
        self.stays += 1;
        let stay = self.stays;
        let Some(conn) = self.conn(id) else { return };
        conn.rooms.push((name.to_owned(), lobby));
        conn.stays.insert(name.to_owned(), stay);
        conn.queue.rooms.push(Lag {
            stay,
            items: beginning.map_or(Vec::new(), |beginning| beginning.items),
        });
        let user = conn.user.clone();
        self.notes.push(Note::Joined(id, name.to_owned()));
        self.release_seat(name, &user);
        self.presence_joined(name, &user);
        let told = texts::subscribed(name, (seq, &epoch), (first, recovered), request);
        self.tell(id, told);
        self.tell_list(id, name);
    }

    /// Removes a connection from a room; returns whether it was a member.
    pub(crate) fn leave_room(&mut self, id: ConnectionId, name: &str, grace: bool) -> bool {
        let Some(conn) = self.conn(id) else {
            return false;
        };
        let Some(at) = conn.rooms.iter().position(|(room, _)| room == name) else {
            return false;
        };
        // The order decides which seats are held where not all may be.
        conn.rooms.swap_remove(at);
        if let Some(stay) = conn.stays.remove(name) {
            conn.queue.leave_and_get(stay);
        }
        let (user, last) = (conn.user.clone(), conn.queue.last_stamp());
        // What ends it comes after what it recovers.
        self.stamp = self.stamp.max(last);
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
            let room = self.rooms.remove(name);
            if let Some(room) = room.filter(|_| self.keeps()) {
                self.dormant.insert(name.to_owned(), room);
                self.put_off_end(name);
            }
        }
        true
    }

    /// A member leaves: if it is still recovering, or too much waits for it, it does not get the rest.
    pub(crate) fn give_up_rest(&mut self, id: ConnectionId, name: &str) {
        let limits = self.config.limits;
        let Some(conn) = self.conn(id) else { return };
        let Some(&stay) = conn.stays.get(name) else {
            return;
        };
        let [certain, possible] = conn.queue.recovers(stay);
        let (messages, bytes) = conn.queue.due(stay);
        let fits = conn.queue.own_messages() + messages <= limits.queue_messages / 2
            && conn.queue.own_bytes() + bytes <= limits.queue_bytes / 2;
        let why = if certain {
            "and left before it had all"
        } else if !fits {
            "left while much waited"
        } else {
            self.doubt |= possible;
            return;
        };
        conn.stays.remove(name);
        let dropped = conn.queue.leave(stay);
        *self.came.entry(why).or_default() += 1;
        self.dropped("left", dropped);
    }

    /// The application removes a connection from a room, with the room's queued messages.
    pub fn leave(&mut self, id: ConnectionId, name: &str) -> bool {
        let Some(conn) = self.conn(id) else {
            return false;
        };
        if !conn.rooms.iter().any(|(room, _)| room == name) {
            return false;
        }
        let stay = conn.stays.remove(name);
        let dropped = stay.map_or(0, |stay| conn.queue.leave(stay));
        if conn.blocked && conn.queue.is_empty() {
            conn.blocked = false;
            conn.stalled_from = None;
            conn.stall_check = None;
        }
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
        if !self.exists_to_publish(name) {
            return Ok(Tally::default());
        }
        let seq = self.any_room(name).map_or(0, |room| room.seq) + 1;
        let text = texts::message(name, content, sender, seq);
        let item = Item::new(framed(text.len()), Is::Json(text), Kind::Message);
        if item.len > self.config.limits.queue_bytes {
            return Err("too_large");
        }
        let mut tally = self.send_to_members(name, &item, exclude)?;
        if let Some(room) = self.any_room(name) {
            room.seq = seq;
        }
        self.keep(name, Some(seq), &item, &exclude.users);
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
        let item = self.raw_item(text)?;
        if self.any_room(name).is_none() {
            return Ok(Tally::default());
        }
        let there = self.rooms.contains_key(name);
        let tally = self.send_to_members(name, &item, exclude)?;
        if there {
            self.keep(name, None, &item, &[]);
        }
        Ok(tally)
    }

    /// Returns whether a member is behind by more than so many times the limit, with this many
    /// more messages and bytes. Where that is not certain, there is doubt from now on.
    pub(super) fn is_behind(
        &mut self,
        id: ConnectionId,
        name: &str,
        times: usize,
        more: (usize, usize),
    ) -> bool {
        let limits = &self.config.limits;
        let (messages, bytes) = (limits.queue_messages * times, limits.queue_bytes * times);
        let conn = &self.conns[&id];
        let over = conn.stays.get(name).map(|&stay| {
            let over = |lag: (usize, usize)| lag.0 + more.0 > messages || lag.1 + more.1 > bytes;
            conn.queue.lag(stay).map(over)
        });
        let [certain, possible] = over.unwrap_or_default();
        self.doubt |= certain != possible;
        certain
    }

    /// Returns whether a room's members are so far behind that nothing more is taken for it.
    pub(super) fn is_full(&mut self, name: &str) -> bool {
        let members = self.rooms[name].members.clone();
        let drops = self.policy(name) == SlowPolicy::DropNewest;
        !drops
            && members
                .iter()
                .any(|&id| self.is_behind(id, name, 2, (0, 0)))
    }

    /// Publishes to a room, to those that are not excluded.
    fn send_to_members(
        &mut self,
        name: &str,
        item: &Item,
        exclude: &Excluded,
    ) -> Result<Tally, &'static str> {
        if self.dormant.contains_key(name) {
            self.stamp += 1;
            return Ok(Tally::default());
        }
        if self.is_full(name) {
            return Err("busy");
        }
        let members = self.rooms[name].members.clone();
        let is_excluded = |conn: &Conn, id| {
            exclude.connections.contains(&id) || exclude.users.contains(&conn.user)
        };
        let out = members.iter().copied();
        let out: Vec<_> = out
            .filter(|&id| is_excluded(&self.conns[&id], id))
            .collect();
        self.publish_to(name, item, &out);
        let mut tally = Tally {
            excluded: out.len(),
            ..Tally::default()
        };
        let slow: Vec<_> = match self.policy(name) {
            SlowPolicy::Disconnect => {
                let blocked = members.iter().copied();
                let blocked = blocked.filter(|id| self.conns[id].blocked);
                let blocked: Vec<_> = blocked.collect();
                let behind = blocked.into_iter();
                behind
                    .filter(|&id| self.is_behind(id, name, 1, (0, 0)))
                    .collect()
            }
            _ => Vec::new(),
        };
        tally.closed = slow.iter().filter(|id| !out.contains(id)).count();
        tally.accepted = members.len() - out.len() - tally.closed;
        for id in slow {
            self.end(id, "slow_consumer", None);
        }
        Ok(tally)
    }

    /// Appends a message to a room. What follows where it drops messages is not predicted.
    pub(super) fn publish_to(&mut self, name: &str, item: &Item, out: &[ConnectionId]) {
        self.stamp += 1;
        let mut item = item.clone();
        (item.stamp, item.published, item.of_room) = (self.stamp, self.stamp, true);
        let drops = self.policy(name) != SlowPolicy::Disconnect;
        for id in self.rooms[name].members.clone() {
            item.excluded = out.contains(&id);
            let Some(conn) = self.conn(id) else { continue };
            if let Some(&stay) = conn.stays.get(name) {
                conn.queue.publish(stay, item.clone());
            }
            if drops && self.is_behind(id, name, 1, (0, 0)) {
                self.doubt = true;
            }
        }
    }

    /// Sends a raw message to all connections.
    pub fn broadcast_all(&mut self, text: &str, exclude: &Excluded) -> Result<Tally, &'static str> {
        let item = self.raw_item(text)?;
        let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
        let ids: Vec<ConnectionId> = open.map(|(&id, _)| id).collect();
        Ok(self.send_to_all(&ids, &item, exclude))
    }

    /// Sends a message to a user's connections.
    pub fn send_to_user(&mut self, user: &str, text: &str) -> Result<Tally, &'static str> {
        let item = self.raw_item(text)?;
        if self.is_busy_user(user, item.len) {
            return Err("busy");
        }
        Ok(self.send_to_devices(user, &item))
    }

    pub(crate) fn send_to_devices(&mut self, user: &str, item: &Item) -> Tally {
        let devices = self.users.get(user).cloned().unwrap_or_default();
        self.send_to_all(&devices, item, &Excluded::default())
    }

    /// Sends a message to one connection.
    pub fn send_text(&mut self, id: ConnectionId, text: &str) -> Result<Tally, &'static str> {
        match self.conns.get(&id) {
            None => return Err("stale"),
            Some(conn) if !conn.is_open() => return Err("not_open"),
            Some(_) => {}
        }
        let item = self.raw_item(text)?;
        if self.is_busy_for(id, item.len) {
            return Err("busy");
        }
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

    fn send_to_all(&mut self, ids: &[ConnectionId], item: &Item, exclude: &Excluded) -> Tally {
        let mut tally = Tally::default();
        let mut slow = Vec::new();
        for &id in ids {
            let user = &self.conns[&id].user;
            if exclude.connections.contains(&id) || exclude.users.contains(user) {
                tally.excluded += 1;
            } else if self.fits(id, item.len) {
                self.push(id, item.clone());
                tally.accepted += 1;
            } else {
                tally.closed += 1;
                slow.push(id);
            }
        }
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

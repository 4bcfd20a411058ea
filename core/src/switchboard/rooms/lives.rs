//! How rooms begin and end.
//!
//! ```text
//!            create              activate              deactivate
//!   nothing ────────▶ dormant ─────────────▶ active ──────────────▶ dormant ─▶ nothing
//!                                                            │
//!                                                            └─ without history ─▶ nothing
//! ```

use super::Rooms;
use super::others::Others;
use super::presence::Presence;
use super::room::Room;
use crate::IpKey;
use crate::base::hash::Vacant;
use crate::config::settings::RoomSettings;
use crate::switchboard::users::Users;

/// As much of the presence of a room ends with it, and the rest with later ticks: a connection may be the
/// last one of many rooms.
pub(super) const AT_ONCE: usize = 8;

impl Rooms {
    /// Creates a room without members, whose messages are in the log under this key. Unless it keeps
    /// a history, its first member has to [enter](Self::enter) now.
    pub(in crate::switchboard) fn create(
        &mut self,
        vacant: Vacant,
        name: &str,
        log: u32,
        settings: &RoomSettings,
    ) -> u32 {
        self.epochs += 1;
        let keeps = settings.keeps();
        self.keeping += usize::from(keeps);
        let key = self.slots.insert(Room {
            name: name.into(),
            epoch: self.epochs,
            shared: None,
            began: None,
            moved: 0,
            stay: 0,
            keeps,
            owner: None,
            log,
            members: 0,
            lobby_members: 0,
            has_presence: settings.presence.enabled,
            tells_infos: settings.presence.info,
            presence: None,
        });
        while self.by_log.len() <= log as usize {
            self.by_log.push(key);
        }
        self.by_log[log as usize] = key;
        self.by_name
            .insert(vacant, key, |room| &self.slots[room].name);
        key
    }

    /// Makes a room active, whose first member has to [enter](Self::enter) now: a client from the
    /// address `owner`, or one that the application adds.
    pub(in crate::switchboard) fn activate(&mut self, key: u32, owner: Option<IpKey>) {
        self.active += 1;
        self.stays += 1;
        if let Some(ip) = owner {
            self.owners.add(ip);
        }
        let room = &mut self.slots[key];
        room.stay = self.stays;
        room.owner = owner;
        let tells_infos = room.tells_infos;
        room.presence = room
            .has_presence
            .then(|| Box::new(Presence::new(tells_infos)));
    }

    /// Sets the users who are in a room on other nodes, as nobody has been told yet.
    pub(in crate::switchboard) fn begin_elsewhere(&mut self, key: u32, users: Others) {
        if let Some(presence) = &mut self.at_mut(key).presence {
            presence.begin_elsewhere(users);
        }
    }

    /// Ends what a room has while it has members. It ends itself, unless it keeps a history.
    pub(super) fn deactivate(&mut self, users: &mut Users, key: u32) {
        self.active -= 1;
        let room = &mut self.slots[key];
        if let Some(ip) = room.owner.take() {
            self.owners.remove(ip);
        }
        if let Some(mut presence) = room.presence.take() {
            if room.shared.is_some() {
                let gone = presence.users().map(|user| users.at(user).name.clone());
                let moves = gone.map(|user| (room.name.clone(), user, false));
                self.moves.extend(moves);
            }
            let mut share = AT_ONCE;
            if !presence.end(users, &mut share) {
                self.ended.push(*presence);
            }
        }
        if !room.keeps {
            self.remove(key);
        }
    }

    /// Removes a room without members.
    pub(in crate::switchboard) fn remove(&mut self, key: u32) {
        if let Some(room) = self.slots.remove(key) {
            self.keeping -= usize::from(room.keeps);
            self.by_name.remove(&room.name, key);
        }
    }
}

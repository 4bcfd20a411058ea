//! What members of rooms are told of a user beside the name.

use super::switchboard::Switchboard;
use crate::recorder::Input;
use crate::switchboard::info_updates::InfoUpdate;
use crate::{ConnectionId, PresenceInfo, StaleId, Time};

/// Connections whose rooms are looked at by one call.
const TOLD: usize = 512;

/// Connections that are looked at before it is counted what they cost.
const STEP: usize = 16;

/// The number of rooms that cost as much as one more connection.
const ROOMS: usize = 2;

impl Switchboard {
    /// Sets what the members of rooms are told of the user of a connection; `None`: nothing. For a
    /// connection that is not admitted yet, it counts from then on. The members are told with the next
    /// change of presence. It lasts as long as the user has a connection, and through grace periods.
    ///
    /// Costs a look at each room of the user's connections. Of many connections, it looks at those of some,
    /// and those that follow, the [ticks](Self::tick) that are due at once.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn set_presence(
        &mut self,
        now: Time,
        id: ConnectionId,
        info: Option<PresenceInfo>,
    ) -> Result<(), StaleId> {
        self.record(now, |it| Input::Presence {
            conn: id,
            info: it.presence(info.as_ref()),
        });
        self.advance_clock(now);
        let connection = self.connections.get_mut(id)?;
        if connection.is_open() {
            let user = connection.user;
            self.change_info(user, info);
        } else if let Some(pending) = connection.pending() {
            pending.presence = info;
        }
        Ok(())
    }

    /// Sets what the members of rooms are told of a user. Returns whether the user has a connection.
    pub fn set_user_presence(&mut self, now: Time, user: &str, info: Option<PresenceInfo>) -> bool {
        self.record(now, |it| Input::UserPresence {
            user: it.name(user),
            info: it.presence(info.as_ref()),
        });
        self.advance_clock(now);
        let user = self.users.find(user);
        let user = user.filter(|&user| !self.users.at(user).connections.is_empty());
        if let Some(user) = user {
            self.change_info(user, info);
        }
        user.is_some()
    }

    /// Returns what the members of rooms are told of a user who has a connection on this node.
    pub fn presence_info(&self, user: &str) -> Option<&PresenceInfo> {
        self.users.info(user)
    }

    /// Returns what the members of a room are told of a user there, who may be on another node of a
    /// cluster.
    pub fn presence_info_in(&self, room: &str, user: &str) -> Option<&PresenceInfo> {
        let key = self.rooms.find(room)?;
        if !self.presence_in(key).info {
            return None;
        }
        let presence = self.rooms.at(key).presence.as_ref()?;
        presence.info(&self.users, user)
    }

    pub(super) fn change_info(&mut self, user: u32, info: Option<PresenceInfo>) {
        self.users.set_info(user, info);
        let devices = self.users.at(user).connections.len();
        let user = self.users.at(user).name.clone();
        let last = self.users.last_place(&user);
        let update = InfoUpdate::new(user, last);
        if devices > TOLD {
            self.info_updates.add(update);
        } else {
            self.continue_info_update(update);
        }
    }

    /// Goes on with update the rooms of users with many connections: a part of the first one's.
    pub(super) fn continue_info_updates(&mut self) {
        if let Some(update) = self.info_updates.next() {
            self.continue_info_update(update);
        }
    }

    fn continue_info_update(&mut self, mut update: InfoUpdate) {
        let mut looked = 0;
        while looked < TOLD {
            let places = (update.after, update.last);
            let (slots, next) = self.users.some(&update.user, places, STEP);
            for slot in slots {
                looked += 1 + self.connections.at(slot).rooms.len() / ROOMS;
                self.tell_rooms_of(slot);
            }
            let Some(after) = next else {
                return;
            };
            update.after = after;
        }
        self.info_updates.put_back(update);
    }

    fn tell_rooms_of(&mut self, slot: u32) {
        let connection = self.connections.at(slot);
        for membership in connection.rooms.iter() {
            let key = membership.room;
            let presence = self.config.room_presence(&self.rooms.at(key).name);
            if presence.info {
                let update_at = self.clock.now() + presence.interval;
                let user = connection.user;
                self.rooms.info_changed(&self.users, key, user, update_at);
            }
        }
    }
}

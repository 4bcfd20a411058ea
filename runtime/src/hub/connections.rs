//! Methods of [`Hub`] about connections, users and rooms.

use std::collections::HashSet;
use std::time::Duration;

use switchboard_core::{
    ApplicationCode, CloseReason, ConnectionId, JoinError, PingResult, PresenceInfo, StaleId,
};

use super::handle::Hub;
use crate::sync::Arc;

/// Entries of a list that are looked at under one hold of the lock.
const LOOK: usize = 4_096;

/// Logins whose expiry is set under one hold of the lock.
const EXTENDED: usize = 512;

/// # Connections, users and rooms
impl Hub {
    /// Adds a connection to a room.
    ///
    /// # Errors
    ///
    /// The [`JoinError`] names the limit or the rule that was in the way, or says that the connection has
    /// ended.
    pub fn join(&self, id: ConnectionId, room: &str) -> Result<(), JoinError> {
        self.shared()
            .with(|locked, now| locked.switchboard.join(now, id, room))
    }

    /// Removes a connection from a room. Returns whether it was a member.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn leave(&self, id: ConnectionId, room: &str) -> Result<bool, StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.leave(now, id, room))
    }

    /// Returns the connections in a room, in no particular order.
    ///
    /// Visits a few thousand at a time and releases the node's lock in between. A connection that joins
    /// or leaves during the call may or may not be included.
    pub fn members(&self, room: &str) -> Vec<ConnectionId> {
        let shared = self.shared();
        let (mut members, mut before) = shared.read(|it| it.members_before(room, usize::MAX, LOOK));
        if before > 0 {
            while before > 0 {
                let (part, from) = shared.read(|it| it.members_before(room, before, LOOK));
                members.extend(part);
                before = from;
            }
            members.sort_unstable();
            members.dedup();
        }
        members
    }

    /// Returns the number of seats in a room that are held for lost users
    /// ([`RoomRule::hold_seat`](switchboard_core::RoomRule::hold_seat)). These users are not members.
    pub fn held_seats(&self, room: &str) -> usize {
        self.shared()
            .read(|switchboard| switchboard.held_seats(room))
    }

    /// Returns whether a user has a connection in a room, or a seat there is held for the user.
    pub fn has_seat(&self, room: &str, user: &str) -> bool {
        self.shared()
            .read(|switchboard| switchboard.has_seat(room, user))
    }

    /// Releases the seat that is held for a user in a room. Returns whether one was held.
    /// [`disconnect_user`](Self::disconnect_user) releases all held seats of the user.
    pub fn release_seat(&self, room: &str, user: &str) -> bool {
        self.shared()
            .with(|locked, now| locked.switchboard.release_seat(now, room, user))
    }

    /// Returns the number of connections in a room.
    pub fn member_count(&self, room: &str) -> usize {
        self.shared()
            .read(|switchboard| switchboard.member_count(room))
    }

    /// Returns rooms with members whose names begin with `prefix`, in no particular order, at most
    /// `limit`.
    ///
    /// Visits all rooms, a few thousand at a time, and releases the node's lock in between. A room that
    /// is created or ends during the call may or may not be included.
    pub fn rooms(&self, prefix: &str, limit: usize) -> Vec<Arc<str>> {
        let (mut rooms, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from
            && rooms.len() < limit
        {
            let (found, next) = self
                .shared()
                .read(|switchboard| switchboard.rooms(prefix, start, LOOK));
            rooms.extend(found);
            from = next;
        }
        rooms.truncate(limit);
        rooms
    }

    /// Returns the users in a room, in the order of joining; without presence, in no particular order.
    /// On a node of a cluster, returns the users on all nodes if the room has members on this node, and
    /// none otherwise.
    ///
    /// Visits a few thousand at a time and releases the node's lock in between. A user who joins or
    /// leaves during the call may or may not be included.
    pub fn room_users(&self, room: &str) -> Vec<Arc<str>> {
        let shared = self.shared();
        let Some((mut users, mut next)) = shared.read(|it| it.room_users_after(room, 0, LOOK))
        else {
            return self.users_of_members(room);
        };
        if next.is_some() {
            while let Some(after) = next {
                let part = shared.read(|it| it.room_users_after(room, after, LOOK));
                let (part, following) = part.unwrap_or_default();
                users.extend(part);
                next = following;
            }
            // A user who left and joined again during the call is in two parts.
            let mut known = HashSet::new();
            users.retain(|user| known.insert(user.clone()));
        }
        users
    }

    fn users_of_members(&self, room: &str) -> Vec<Arc<str>> {
        let mut known = HashSet::new();
        let mut users = Vec::new();
        for part in self.members(room).chunks(LOOK) {
            let of_part: Vec<_> = self.shared().read(|switchboard| {
                let users = part.iter().filter_map(|&id| switchboard.user_of(id));
                users.collect()
            });
            users.extend(
                of_part
                    .into_iter()
                    .filter(|user| known.insert(user.clone())),
            );
        }
        users
    }

    /// Returns the rooms that a connection is in.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn rooms_of(&self, id: ConnectionId) -> Result<Vec<Arc<str>>, StaleId> {
        self.shared().read(|switchboard| switchboard.rooms_of(id))
    }

    /// Stops compressing messages to a connection, whatever was negotiated. For clients whose messages
    /// contain both a secret and data that somebody else chose (RFC 7692, section 8).
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn stop_compressing(&self, id: ConnectionId) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, _| locked.switchboard.stop_compressing(id))
    }

    /// Closes a connection with the given reason.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn close(&self, id: ConnectionId, reason: CloseReason) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.close(now, id, reason))
    }

    /// Closes a connection with an application-defined code and a human-readable text.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn close_with(
        &self,
        id: ConnectionId,
        code: ApplicationCode,
        text: &str,
    ) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.close_with(now, id, code, text))
    }

    /// Closes all connections of a user and returns their number.
    pub fn disconnect_user(&self, user: &str, reason: CloseReason) -> usize {
        self.shared()
            .with(|locked, now| locked.switchboard.disconnect_user(now, user, reason))
    }

    /// Sets the time from now until the login of a connection expires; `None` means never. Overrides
    /// the expiry of the [`Identity`](switchboard_core::Identity). Has no effect on a connection that
    /// is closing.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn extend(&self, id: ConnectionId, expires_in: Option<Duration>) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.extend(now, id, expires_in))
    }

    /// Sets when the logins of all connections of a user expire, and returns their number. Changes some
    /// hundred at a time, between which other calls get their turn.
    pub fn extend_user(&self, user: &str, expires_in: Option<Duration>) -> usize {
        let ids = self.connections_of(user);
        let extend = |part: &[ConnectionId]| {
            self.shared()
                .with(|locked, now| locked.switchboard.extend_each(now, part, expires_in))
        };
        ids.chunks(EXTENDED).map(extend).sum()
    }

    /// Sets the presence info of a connection's user; `None` removes it. Members of the user's rooms
    /// receive it with the next change of presence, within `presence.interval`. It lasts as long as the
    /// user has a connection.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection has ended.
    pub fn set_presence(
        &self,
        id: ConnectionId,
        info: Option<PresenceInfo>,
    ) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.set_presence(now, id, info))
    }

    /// Sets the presence info of a user. Returns whether the user has a connection.
    pub fn set_user_presence(&self, user: &str, info: Option<PresenceInfo>) -> bool {
        self.shared()
            .with(|locked, now| locked.switchboard.set_user_presence(now, user, info))
    }

    /// Returns the presence info of a user who has a connection on this node.
    pub fn presence_info(&self, user: &str) -> Option<PresenceInfo> {
        self.shared()
            .read(|switchboard| switchboard.presence_info(user).cloned())
    }

    /// Returns the presence info of a user as the members of a room see it. The user may be on another
    /// node of a cluster.
    pub fn presence_info_in(&self, room: &str, user: &str) -> Option<PresenceInfo> {
        self.shared()
            .read(|switchboard| switchboard.presence_info_in(room, user).cloned())
    }

    /// Pings all connections of a user. Completes when all have answered, or after `timeout`.
    pub async fn ping_user(&self, user: &str, timeout: Duration) -> Vec<PingResult> {
        let receiver = self.shared().with(|locked, now| {
            let ticket = locked.switchboard.ping_user(now, user, timeout);
            locked.expect_ping(ticket)
        });
        receiver.await.unwrap_or_default()
    }

    /// Returns whether the user has a connection.
    pub fn is_connected(&self, user: &str) -> bool {
        self.shared()
            .read(|switchboard| switchboard.is_connected(user))
    }

    /// Returns the user's connections, oldest first.
    ///
    /// Visits a few thousand at a time and releases the node's lock in between. A connection that joins
    /// or leaves during the call may or may not be included.
    pub fn connections_of(&self, user: &str) -> Vec<ConnectionId> {
        let (mut ids, mut next) = (Vec::new(), Some(0));
        while let Some(after) = next {
            let (part, following) = self
                .shared()
                .read(|it| it.connections_of_after(user, after, LOOK));
            ids.extend(part);
            next = following;
        }
        ids
    }

    /// Returns the user of a connection.
    pub fn user_of(&self, id: ConnectionId) -> Option<Arc<str>> {
        self.shared().read(|switchboard| switchboard.user_of(id))
    }

    /// Returns the time since the last input from any of the user's connections.
    pub fn last_heard(&self, user: &str) -> Option<Duration> {
        let shared = self.shared();
        let (mut latest, mut next) = (None, Some(0));
        while let Some(after) = next {
            let (heard, following) =
                shared.read(|it| it.last_heard_after(shared.now(), user, after, LOOK));
            latest = latest.into_iter().chain(heard).min();
            next = following;
        }
        latest
    }

    /// Returns the latest measured round-trip time of a connection.
    pub fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.shared().read(|switchboard| switchboard.round_trip(id))
    }
}

//! The seats of rooms, and those that are held for lost users.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::recorder::Input;
use crate::switchboard::relay::{ClusterRequest, ClusterSeat, Joining};
use crate::{ConnectionId, Time};

/// Held seats that one tick makes free.
const ENDS: usize = 512;

impl Switchboard {
    /// Returns the number of seats in a room that are held for lost users
    /// ([`RoomRule::hold_seat`](crate::RoomRule::hold_seat)). These users are not members.
    pub fn held_seats(&self, room: &str) -> usize {
        self.held_seats.for_others(room, None)
    }

    /// Returns whether a user has a connection in a room, or a seat there is held for the user.
    pub fn has_seat(&self, room: &str, user: &str) -> bool {
        let key = self.rooms.find(room);
        let mut devices = self.users.connections(user);
        self.held_seats.is_held(room, user)
            || key.is_some_and(|key| devices.any(|slot| self.connections.at(slot).is_in(key)))
    }

    /// Makes the seat free that is held for a user in a room. Returns whether one was held.
    pub fn release_seat(&mut self, now: Time, room: &str, user: &str) -> bool {
        self.record(now, |it| Input::ReleaseSeat {
            room: it.name(room),
            user: it.name(user),
        });
        self.advance_clock(now);
        let released = self.held_seats.release(room, user);
        if released {
            self.pass_on_seat(&room.into(), user);
        }
        released
    }

    /// Returns how many members a room may have, beside the seats that are held for others than `user`.
    pub(super) fn seats_in(&self, room: &str, user: Option<&str>) -> usize {
        let members = self.config.room_members(room);
        members.saturating_sub(self.held_seats.for_others(room, user))
    }

    /// Holds the seat of a connection that is lost and was the last one of its user in the room. Returns
    /// whether it does.
    ///
    /// No seat is held for an anonymous connection, which cannot return. One user can hold no more
    /// seats than one connection could have, and all users together no more than all connections could
    /// have.
    pub(super) fn hold_seat(
        &mut self,
        id: ConnectionId,
        key: u32,
        room: &Arc<str>,
        until: Time,
    ) -> bool {
        let Ok(connection) = self.connections.get(id) else {
            return false;
        };
        let user = self.users.at(connection.user);
        let mut others = user.connections.iter();
        if user.anonymous || others.any(|slot| self.connections.at(slot).is_in(key)) {
            return false;
        }
        let limits = &self.config.limits;
        let most = limits.rooms_per_connection;
        let (own, all) = self.held_seats.held(&user.name);
        if own >= most || all >= most.saturating_mul(limits.connections) {
            return false;
        }
        self.held_seats.hold(room, &user.name, until);
        true
    }

    /// A connection takes the seat that is held for its user, if there is one, in the room that it has
    /// entered.
    pub(super) fn take_held_seat(&mut self, id: ConnectionId, room: &str) {
        if let Some(user) = self.user_of(id) {
            self.held_seats.release(room, &user);
        }
    }

    /// Returns whether a seat is held for the user of a connection.
    pub(super) fn has_held_seat(&self, id: ConnectionId, room: &str) -> bool {
        let user = self.user_of(id);
        user.is_some_and(|user| self.held_seats.is_held(room, &user))
    }

    /// Returns whether a connection that enters a room gets the seat that is held for its user, and no
    /// other one of the user waits for that.
    pub(super) fn gets_held_seat(&self, id: ConnectionId, room: &str) -> bool {
        let Some(user) = self.user_of(id) else {
            return false;
        };
        let relay = self.relay.as_ref();
        let shared = relay.and_then(|relay| relay.rooms.get(room));
        let mut waiting = shared.into_iter().flat_map(|room| &room.waiting);
        self.held_seats.is_held(room, &user) && !waiting.any(|it| self.waits_for_held(it, &user))
    }

    /// Makes all seats free that are held for a user.
    pub(super) fn release_seats(&mut self, user: &str) {
        for room in self.held_seats.release_all(user) {
            self.pass_on_seat(&room, user);
        }
    }

    /// Makes the seats free that have been held for long enough.
    pub(super) fn tick_held_seats(&mut self) {
        let now = self.clock.now();
        for _ in 0..ENDS {
            let Some((room, user)) = self.held_seats.pop_due(now) else {
                break;
            };
            self.pass_on_seat(&room, &user);
        }
    }

    /// Gives the seat of a room over all nodes back, if it has such seats.
    pub(super) fn give_seat(&mut self, room: &Arc<str>) {
        if self.has_common_seats(room) {
            let room = room.clone();
            self.ask_cluster(ClusterRequest::GiveSeat { room });
        }
    }

    fn has_common_seats(&self, room: &str) -> bool {
        let settings = self.shared_settings(room);
        settings.is_some_and(|settings| settings.members_total.is_some())
    }

    /// Passes on a seat that is no longer held: to a connection of the user that waits for it to enter
    /// the room, or else to the cluster.
    fn pass_on_seat(&mut self, room: &Arc<str>, user: &str) {
        if !self.has_common_seats(room) {
            return;
        }
        let relay = self.relay.as_ref();
        let shared = relay.and_then(|relay| relay.rooms.get(room));
        let mut waiting = shared.into_iter().flat_map(|room| &room.waiting);
        let next = waiting.position(|joining| self.waits_for_held(joining, user));
        if let Some(next) = next
            && let Some(relay) = &mut self.relay
        {
            relay.room(room).waiting[next].seat = ClusterSeat::Granted;
        } else {
            self.give_seat(room);
        }
    }

    fn waits_for_held(&self, joining: &Joining, user: &str) -> bool {
        let waits = joining.seat == ClusterSeat::Held;
        waits
            && self
                .user_of(joining.id)
                .is_some_and(|found| *found == *user)
    }
}

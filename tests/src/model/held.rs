//! Seats of rooms that are held for users who were lost.

use switchboard_core::ConnectionId;

use super::{Model, Nanos, nanos, texts};

impl Model {
    /// Returns whether a room has a seat for this user, beside its members and the seats held for others.
    /// `given` more members may be there.
    pub(super) fn has_seat(&self, room: &str, user: Option<&str>, given: usize) -> bool {
        let seats = self.rule(room, |rule| rule.members, self.config.limits.room_members);
        let members = self.rooms.get(room).map_or(0, |room| room.members.len());
        let held = self
            .held
            .keys()
            .filter(|(held, whose)| held == room && user.is_none_or(|user| whose != user));
        members + held.count() < seats + given
    }

    /// Holds the seat that a user had in a room, where the connection ended for this reason.
    pub(super) fn hold_seat(&mut self, id: ConnectionId, room: &str, key: &str) {
        let Some(hold) = self.hold_of(room) else {
            return;
        };
        let conn = &self.conns[&id];
        let user = conn.user.clone();
        let is_there = self.rooms.get(room).is_some_and(|room| {
            let mut members = room.members.iter();
            members.any(|id| self.conns[id].user == user)
        });
        if !texts::is_lost(key) || conn.anonymous || is_there {
            return;
        }
        let limits = &self.config.limits;
        let most = limits.rooms_per_connection;
        let own = self.held.keys().filter(|(_, whose)| *whose == user).count();
        if own < most && self.held.len() < most * limits.connections {
            self.held.insert((room.to_owned(), user), self.now + hold);
        } else {
            // Of connections that are lost at one time, it is not predicted which is the first.
            let mut ends = self.held.iter();
            let is_new =
                |(room, until)| self.hold_of(room).map(|hold| self.now + hold) == Some(until);
            self.doubt |= ends.any(|((room, _), &until)| is_new((room, until)));
        }
    }

    /// Returns for how long a seat of a room is held.
    fn hold_of(&self, room: &str) -> Option<Nanos> {
        self.rule(room, |rule| Some(rule.hold_seat), None)
            .map(nanos)
    }

    /// The user of a connection has entered a room, or is put out.
    pub(super) fn release_seat(&mut self, room: &str, user: &str) {
        self.held.remove(&(room.to_owned(), user.to_owned()));
    }

    pub(super) fn tick_held(&mut self) {
        let now = self.now;
        self.held.retain(|_, until| *until > now);
    }

    pub(super) fn next_held(&self) -> Option<Nanos> {
        self.held.values().min().copied()
    }
}

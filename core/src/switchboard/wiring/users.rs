//! Users and their connections, as the application asks for them.

use std::sync::Arc;
use std::time::Duration;

use super::switchboard::Switchboard;
use crate::base::time::nanos;
use crate::recorder::{Cause, Input};
use crate::switchboard::connection::{ConnectionState, NONE};
use crate::{CloseReason, ConnectionId, StaleId, Time};

impl Switchboard {
    /// Returns whether the user has an admitted connection.
    pub fn is_connected(&self, user: &str) -> bool {
        self.users.connections(user).next().is_some()
    }

    /// Returns the user's admitted connections, the oldest first.
    pub fn connections_of(&self, user: &str) -> Vec<ConnectionId> {
        self.users
            .connections(user)
            .map(|slot| self.connections.id_at(slot))
            .collect()
    }

    /// Returns at most `most` of the user's admitted connections, the oldest first, and after which place
    /// others follow, if there are any. `after` is 0 for the first part, then that place. Of few connections,
    /// it returns all.
    ///
    /// A connection that stays is in one of the parts, whoever comes or goes between them, and none is in
    /// two.
    pub fn connections_of_after(
        &self,
        user: &str,
        after: u64,
        most: usize,
    ) -> (Vec<ConnectionId>, Option<u64>) {
        let (slots, next) = self.users.some(user, (after, u64::MAX), most);
        (
            slots.map(|slot| self.connections.id_at(slot)).collect(),
            next,
        )
    }

    /// Returns how long before `now` anything arrived from a connection of the user, or `None` if
    /// there is none. Stalls of the host do not count.
    pub fn last_heard(&self, now: Time, user: &str) -> Option<Duration> {
        let (heard, _) = self.last_heard_after(now, user, 0, usize::MAX);
        heard
    }

    /// Does the same for a part of the user's connections, like
    /// [`connections_of_after`](Self::connections_of_after).
    pub fn last_heard_after(
        &self,
        now: Time,
        user: &str,
        after: u64,
        most: usize,
    ) -> (Option<Duration>, Option<u64>) {
        let now = self.clock.liveness_at(now);
        let (slots, next) = self.users.some(user, (after, u64::MAX), most);
        let heard = slots.map(|slot| now.since(self.connections.at(slot).last_heard));
        (heard.min(), next)
    }

    /// Closes all connections of the user, on all nodes of a cluster; returns the number of those on
    /// this node, where the seats that are held for the user in rooms are free, too. Of many
    /// connections it closes some, and those that follow, the [ticks](Self::tick) that are due at
    /// once.
    pub fn disconnect_user(&mut self, now: Time, user: &str, reason: CloseReason) -> usize {
        self.record(now, |it| Input::DisconnectUser {
            user: it.name(user),
            reason,
            everywhere: false,
        });
        self.advance_clock(now);
        let here = self.disconnect_here(user, reason);
        self.kick(user, reason, None);
        here
    }

    pub(super) fn disconnect_here(&mut self, user: &str, reason: CloseReason) -> usize {
        let number = self.users.count(user);
        if let Some(end) = self.users.end_all(user, reason) {
            self.effects.end_user(end);
        } else {
            for id in self.connections_of(user) {
                self.end_later(id, reason, |_| Cause::rule("application"));
            }
        }
        self.settle();
        self.release_seats(user);
        number
    }

    /// Sets when the login of a connection expires, from `now` on; `None`: never. Without effect on a
    /// connection that is not admitted yet, or is closing.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn extend(
        &mut self,
        now: Time,
        id: ConnectionId,
        expires_in: Option<Duration>,
    ) -> Result<(), StaleId> {
        self.record(now, |_| Input::Extend {
            conn: id,
            expires_in: expires_in.map(nanos),
        });
        self.advance_clock(now);
        if self.connections.get(id)?.is_open() {
            let now = self.clock.now();
            self.set_expiry(id, expires_in.map(|expires_in| now + expires_in));
        }
        Ok(())
    }

    /// Sets when the logins of all connections of the user expire; returns their number.
    pub fn extend_user(&mut self, now: Time, user: &str, expires_in: Option<Duration>) -> usize {
        self.extend_each(now, &self.connections_of(user), expires_in)
    }

    /// Sets when the logins of these connections expire; returns the number of those that are open.
    pub fn extend_each(
        &mut self,
        now: Time,
        ids: &[ConnectionId],
        expires_in: Option<Duration>,
    ) -> usize {
        let mut extended = 0;
        for &id in ids {
            let found = self.connections.get(id);
            extended += usize::from(found.is_ok_and(ConnectionState::is_open));
            // It is without effect on others.
            let _ = self.extend(now, id, expires_in);
        }
        extended
    }

    /// Returns the user of an open connection.
    pub fn user_of(&self, id: ConnectionId) -> Option<Arc<str>> {
        let user = self.connections.get(id).ok()?.user;
        (user != NONE).then(|| self.users.at(user).name.clone())
    }
}

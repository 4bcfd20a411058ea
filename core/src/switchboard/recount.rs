//! A recount of what connections hold. It counts one connection at a time and follows those that change, so
//! that it is exact whenever it has caught up.

use std::collections::BTreeMap;

use super::chunks::Chunks;
use super::connection::{ConnectionState, Membership};
use super::few::Few;
use super::phase::Seat;
#[cfg(test)]
use super::{table::Table, users::Users};
use crate::IpKey;
#[cfg(test)]
use crate::base::hash::Keyed;

/// What one connection holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Its seat and its address; `None` if the slot is free.
    seat: Option<(Seat, IpKey)>,
    ip_seat: bool,
    armed: u32,
    expires: bool,
    partial: u32,
    /// If it is open: its user, and whether that is anonymous.
    user: Option<(u32, bool)>,
    /// Whether it is the connection of its session.
    in_session: bool,
    rooms: Few<Membership>,
}

impl Held {
    /// Returns what a connection holds. `anonymous` and `in_session` are what only its user knows.
    pub(super) fn of(connection: &ConnectionState, anonymous: bool, in_session: bool) -> Self {
        Self {
            seat: Some((connection.phase.seat(), connection.ip)),
            ip_seat: connection.ip_seat,
            armed: connection.armed.count_ones(),
            expires: connection.expires().is_some(),
            partial: connection.partial,
            user: connection.is_open().then_some((connection.user, anonymous)),
            in_session,
            rooms: connection.rooms.clone(),
        }
    }
}

/// Amounts by key. Those of which all are 0 have no entry.
type Amounts<K, const N: usize> = BTreeMap<K, [usize; N]>;

/// What the connections counted so far hold.
#[derive(Debug, Default)]
pub(super) struct Recount {
    held: Chunks<Held>,
    /// Connections by the kind of their seats.
    seats: [usize; 5],
    /// By address: connections that hold a seat of it, and those that are not admitted.
    pub(super) addresses: Amounts<IpKey, 2>,
    /// Timers that are armed.
    pub(super) armed: usize,
    /// Logins that expire.
    pub(super) expiring: usize,
    /// Bytes of unfinished messages.
    pub(super) partial: usize,
    /// Sessions that have a connection.
    pub(super) sessions: usize,
    /// Members by room.
    rooms: Amounts<u32, 1>,
    /// Members by room that entered by their URL.
    lobbies: Amounts<u32, 1>,
    /// Members by room and user.
    present: Amounts<(u32, u32), 1>,
    /// Open connections by user.
    users: Amounts<u32, 1>,
    /// Those of anonymous users.
    anonymous: Amounts<u32, 1>,
}

impl Recount {
    /// Counts what all connections hold.
    #[cfg(test)]
    pub(super) fn of_all(connections: &Table, users: &Users) -> Self {
        let mut counted = Self::default();
        for slot in 0..connections.slots() as u32 {
            let found = connections.in_slot(slot);
            let held = found.map(|(id, found)| users.held(id, found, connections));
            counted.count(slot, held.unwrap_or_default());
        }
        counted
    }

    /// Counts what connections hold whose users do not matter.
    #[cfg(test)]
    pub(super) fn of(connections: &Table) -> Self {
        Self::of_all(connections, &Users::new(Keyed::COMMON))
    }

    /// Returns the number of slots that have been counted.
    pub(super) fn counted(&self) -> usize {
        self.held.len()
    }

    /// Counts what the connection in a slot holds now: that after the counted ones, or one of those again.
    pub(super) fn count(&mut self, slot: u32, held: Held) {
        self.change(&held, true);
        match self.held.get_mut(slot as usize) {
            None => self.held.push(held),
            Some(before) => {
                let before = std::mem::replace(before, held);
                self.change(&before, false);
            }
        }
    }

    /// Returns the number of connections that hold this kind of seat.
    pub(super) const fn seats(&self, seat: Seat) -> usize {
        self.seats[seat as usize]
    }

    /// Returns the number of connections.
    pub(super) fn connections(&self) -> usize {
        self.seats.iter().sum()
    }

    /// Returns the number of rooms with members.
    pub(super) fn active_rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Returns the number of rooms with a member that entered by its URL.
    pub(super) fn lobbies(&self) -> usize {
        self.lobbies.len()
    }

    /// Returns the number of a room's members, and of those that entered by their URL.
    pub(super) fn members(&self, room: u32) -> (usize, usize) {
        (of(&self.rooms, &room), of(&self.lobbies, &room))
    }

    /// Returns the number of a user's connections in a room.
    pub(super) fn present(&self, room: u32, user: u32) -> usize {
        of(&self.present, &(room, user))
    }

    /// Returns the number of a user's open connections.
    pub(super) fn connections_of(&self, user: u32) -> usize {
        of(&self.users, &user)
    }

    /// Returns the number of users with an open connection, and of anonymous ones.
    pub(super) fn users(&self) -> (usize, usize) {
        (self.users.len(), self.anonymous.len())
    }

    /// Adds what a connection holds, or subtracts it.
    fn change(&mut self, held: &Held, adds: bool) {
        let Some((seat, ip)) = held.seat else {
            return;
        };
        tally(&mut self.seats[seat as usize], 1, adds);
        let at_address = [usize::from(held.ip_seat), usize::from(seat.is_entering())];
        post(&mut self.addresses, ip, at_address, adds);
        tally(&mut self.armed, held.armed as usize, adds);
        tally(&mut self.expiring, usize::from(held.expires), adds);
        tally(&mut self.partial, held.partial as usize, adds);
        tally(&mut self.sessions, usize::from(held.in_session), adds);
        for &Membership { room, lobby, .. } in held.rooms.iter() {
            post(&mut self.rooms, room, [1], adds);
            post(&mut self.lobbies, room, [usize::from(lobby)], adds);
            if let Some((user, _)) = held.user {
                post(&mut self.present, (room, user), [1], adds);
            }
        }
        if let Some((user, anonymous)) = held.user {
            post(&mut self.users, user, [1], adds);
            post(&mut self.anonymous, user, [usize::from(anonymous)], adds);
        }
    }
}

fn of<K: Ord>(amounts: &Amounts<K, 1>, key: &K) -> usize {
    amounts.get(key).map_or(0, |&[amount]| amount)
}

/// Adds an amount to a sum, or subtracts it.
const fn tally(sum: &mut usize, amount: usize, adds: bool) {
    *sum = if adds { *sum + amount } else { *sum - amount };
}

/// Adds amounts to those of a key, or subtracts them.
fn post<K: Ord + Copy, const N: usize>(
    sums: &mut Amounts<K, N>,
    key: K,
    amounts: [usize; N],
    adds: bool,
) {
    if amounts == [0; N] {
        return;
    }
    let held = sums.entry(key).or_insert([0; N]);
    for (sum, amount) in held.iter_mut().zip(amounts) {
        tally(sum, amount, adds);
    }
    if *held == [0; N] {
        sums.remove(&key);
    }
}

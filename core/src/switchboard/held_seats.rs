//! Seats of rooms that are held for users whose last connection there was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::audit::{Inconsistency, same};
use crate::Time;

/// The seats that are held. There may be some in a room that has no members.
#[derive(Debug, Default)]
pub(super) struct HeldSeats {
    /// By room and user.
    rooms: BTreeMap<Arc<str>, BTreeMap<Arc<str>, End>>,
    /// The rooms in which a user has a seat.
    users: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// The ends, in order.
    ends: BTreeMap<End, (Arc<str>, Arc<str>)>,
    numbers: u64,
}

/// Until when a seat is held, and the number of the hold.
type End = (Time, u64);

impl HeldSeats {
    /// Returns the number of seats that are held in a room for others than `user`.
    pub(super) fn for_others(&self, room: &str, user: Option<&str>) -> usize {
        let Some(users) = self.rooms.get(room) else {
            return 0;
        };
        let own = user.is_some_and(|user| users.contains_key(user));
        users.len() - usize::from(own)
    }

    pub(super) fn is_held(&self, room: &str, user: &str) -> bool {
        let users = self.rooms.get(room);
        users.is_some_and(|users| users.contains_key(user))
    }

    /// Returns in how many rooms a user has a seat, and how many seats are held in all.
    pub(super) fn held(&self, user: &str) -> (usize, usize) {
        let own = self.users.get(user).map_or(0, BTreeSet::len);
        (own, self.ends.len())
    }

    /// Holds a seat for a user, who has none in the room.
    pub(super) fn hold(&mut self, room: &Arc<str>, user: &Arc<str>, until: Time) {
        self.numbers += 1;
        let end = (until, self.numbers);
        let users = self.rooms.entry(room.clone()).or_default();
        users.insert(user.clone(), end);
        let rooms = self.users.entry(user.clone()).or_default();
        rooms.insert(room.clone());
        self.ends.insert(end, (room.clone(), user.clone()));
    }

    /// Holds the seat no longer, because the user takes it, or for another reason. Returns whether it was
    /// held.
    pub(super) fn release(&mut self, room: &str, user: &str) -> bool {
        let Some(users) = self.rooms.get_mut(room) else {
            return false;
        };
        let Some(end) = users.remove(user) else {
            return false;
        };
        if users.is_empty() {
            self.rooms.remove(room);
        }
        if let Some(rooms) = self.users.get_mut(user) {
            rooms.remove(room);
            if rooms.is_empty() {
                self.users.remove(user);
            }
        }
        self.ends.remove(&end);
        true
    }

    /// Holds none of a user's seats any longer. Returns in which rooms there were some.
    pub(super) fn release_all(&mut self, user: &str) -> Vec<Arc<str>> {
        let rooms = self.users.get(user);
        let rooms: Vec<_> = rooms.into_iter().flatten().cloned().collect();
        for room in &rooms {
            self.release(room, user);
        }
        rooms
    }

    /// Returns when the next seat is free.
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        let &(until, _) = self.ends.first_key_value()?.0;
        Some(until)
    }

    /// Takes the next seat that has been held for long enough: its room and its user.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Arc<str>, Arc<str>)> {
        let (&(until, _), (room, user)) = self.ends.first_key_value()?;
        if until > now {
            return None;
        }
        let seat = (room.clone(), user.clone());
        self.release(&seat.0, &seat.1);
        Some(seat)
    }

    /// Compares the indices with each other.
    pub(super) fn audit(&self) -> Result<(), Inconsistency> {
        let by_room = self.rooms.iter().flat_map(|(room, users)| {
            let seats = users.iter();
            seats.map(|(user, end)| (*end, (room.clone(), user.clone())))
        });
        let by_room: BTreeMap<_, _> = by_room.collect();
        same("held seats by their ends", &self.ends, &by_room)?;
        let by_user = self.users.iter().flat_map(|(user, rooms)| {
            let seats = rooms.iter();
            seats.map(|room| (room.clone(), user.clone()))
        });
        let by_user: BTreeSet<_> = by_user.collect();
        let by_room: BTreeSet<_> = by_room.into_values().collect();
        same("held seats by their users", by_user, by_room)?;
        let empty = self.rooms.values().any(BTreeMap::is_empty)
            || self.users.values().any(BTreeSet::is_empty);
        same("rooms and users without held seats", empty, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> (HeldSeats, [Arc<str>; 4]) {
        let [tea, milk, ann, ben] = ["tea", "milk", "ann", "ben"].map(Arc::from);
        let mut seats = HeldSeats::default();
        seats.hold(&tea, &ann, Time::from_millis(20));
        seats.hold(&tea, &ben, Time::from_millis(10));
        seats.hold(&milk, &ann, Time::from_millis(20));
        seats.audit().unwrap();
        (seats, [tea, milk, ann, ben])
    }

    #[test]
    fn a_held_seat_is_taken_for_all_but_its_user() {
        let (seats, _) = held();
        assert_eq!(seats.for_others("tea", None), 2);
        assert_eq!(seats.for_others("tea", Some("ann")), 1);
        assert_eq!(seats.for_others("milk", Some("ben")), 1);
        assert_eq!(seats.for_others("rum", Some("ann")), 0);
        assert_eq!(seats.held("ann"), (2, 3));
        assert!(seats.is_held("tea", "ben") && !seats.is_held("milk", "ben"));
    }

    #[test]
    fn seats_become_free_in_the_order_of_their_ends() {
        let (mut seats, [tea, milk, ann, ben]) = held();
        assert_eq!(seats.next(), Some(Time::from_millis(10)));
        assert_eq!(seats.pop_due(Time::from_millis(9)), None);
        let mut free = Vec::new();
        while let Some(seat) = seats.pop_due(Time::from_millis(20)) {
            seats.audit().unwrap();
            free.push(seat);
        }
        assert_eq!(free, [(tea.clone(), ben), (tea, ann.clone()), (milk, ann)]);
        assert_eq!((seats.next(), seats.held("ann")), (None, (0, 0)));
    }

    #[test]
    fn a_released_seat_is_free_at_once() {
        let (mut seats, [tea, milk, ..]) = held();
        assert!(seats.release("tea", "ben"));
        assert!(!seats.release("tea", "ben"));
        assert_eq!(seats.next(), Some(Time::from_millis(20)));
        assert_eq!(seats.release_all("ann"), [milk, tea]);
        assert_eq!(seats.pop_due(Time::MAX), None);
        seats.audit().unwrap();
    }
}

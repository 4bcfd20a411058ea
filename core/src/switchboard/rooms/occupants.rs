//! The occupants of one room, in the order of joining.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Bound;

use smallvec::SmallVec;

use crate::switchboard::capacity;

/// A user in a room.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct Present {
    pub(in crate::switchboard) user: u32,
    pub(in crate::switchboard) connections: u32,
    /// Set during the grace period: the number of this absence.
    pub(in crate::switchboard) grace: Option<NonZeroU64>,
}

impl Present {
    const fn new(user: u32) -> Self {
        Self {
            user,
            connections: 1,
            grace: None,
        }
    }
}

/// Up to this many are searched linearly, which is faster and takes a fifth of the memory.
const FEW: usize = 24;

/// The users in one room.
#[derive(Debug)]
pub(in crate::switchboard) enum Occupants {
    /// In the order of joining.
    Few(Vec<Present>),
    Many(Box<Many>),
}

#[derive(Debug, Default)]
pub(in crate::switchboard) struct Many {
    /// The place in the order of joining and the user, by user.
    users: BTreeMap<u32, (u64, Present)>,
    order: BTreeMap<u64, u32>,
    /// The last place that was used.
    places: u64,
}

impl Default for Occupants {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Occupants {
    pub(in crate::switchboard) fn len(&self) -> usize {
        match self {
            Self::Few(users) => users.len(),
            Self::Many(many) => many.users.len(),
        }
    }

    pub(in crate::switchboard) fn get(&self, user: u32) -> Option<&Present> {
        match self {
            Self::Few(users) => users.iter().find(|present| present.user == user),
            Self::Many(many) => many.users.get(&user).map(|(_, present)| present),
        }
    }

    pub(in crate::switchboard) fn get_mut(&mut self, user: u32) -> Option<&mut Present> {
        match self {
            Self::Few(users) => users.iter_mut().find(|present| present.user == user),
            Self::Many(many) => many.users.get_mut(&user).map(|(_, present)| present),
        }
    }

    /// Adds a user who is not present, with one connection. `place` grows from one addition to the
    /// next, by more than the number of users.
    pub(in crate::switchboard) fn add(&mut self, user: u32, place: u64) {
        let present = Present::new(user);
        match self {
            Self::Few(users) if users.len() < FEW => {
                if users.len() == users.capacity() {
                    users.reserve_exact(capacity::growth(users.len()));
                }
                users.push(present);
            }
            Self::Few(users) => {
                // After all places that there were when there were many before.
                let mut many = Many {
                    places: place,
                    ..Many::default()
                };
                for present in users.drain(..).chain([present]) {
                    many.add(present);
                }
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.add(present),
        }
    }

    /// Removes a user; returns whether the user was present.
    pub(in crate::switchboard) fn remove(&mut self, user: u32) -> bool {
        match self {
            Self::Few(users) => {
                let at = users.iter().position(|present| present.user == user);
                if let Some(at) = at {
                    users.remove(at);
                }
                at.is_some()
            }
            Self::Many(many) => {
                let Some((place, _)) = many.users.remove(&user) else {
                    return false;
                };
                many.order.remove(&place);
                // With hysteresis, so that alternate additions and removals at the limit do not
                // convert each time.
                if many.users.len() <= FEW / 2 {
                    *self = Self::Few(self.iter().copied().collect());
                }
                true
            }
        }
    }

    /// Removes the user who joined last.
    pub(in crate::switchboard) fn pop(&mut self) -> Option<Present> {
        match self {
            Self::Few(users) => users.pop(),
            Self::Many(many) => {
                let (_, user) = many.order.pop_last()?;
                many.users.remove(&user).map(|(_, present)| present)
            }
        }
    }

    /// Returns at most `most` users after a place in the order of joining, and the place after
    /// which others follow, if there are any. Of few users, it returns all.
    pub(in crate::switchboard) fn after(
        &self,
        after: u64,
        most: usize,
    ) -> (impl Iterator<Item = u32>, Option<u64>) {
        let (users, next): (SmallVec<[u32; FEW]>, _) = match self {
            Self::Few(users) => (users.iter().map(|present| present.user).collect(), None),
            Self::Many(many) => {
                let range = (Bound::Excluded(after), Bound::Unbounded);
                let mut rest = many.order.range(range);
                let part: SmallVec<[_; FEW]> = rest.by_ref().take(most).collect();
                let last = part.last().map(|&(&place, _)| place);
                let next = rest.next().and(last);
                (part.into_iter().map(|(_, &user)| user).collect(), next)
            }
        };
        (users.into_iter(), next)
    }

    /// Returns whether each user has a place in the order of joining.
    pub(in crate::switchboard) fn is_ordered(&self) -> bool {
        match self {
            Self::Few(_) => true,
            Self::Many(many) => many.order.len() == many.users.len(),
        }
    }

    /// Iterates in the order of joining.
    pub(in crate::switchboard) fn iter(&self) -> impl Iterator<Item = &Present> {
        let (few, many) = match self {
            Self::Few(users) => (users.as_slice(), None),
            Self::Many(many) => ([].as_slice(), Some(many)),
        };
        let many = many.into_iter().flat_map(|many| {
            let order = many.order.values();
            order.filter_map(|user| many.users.get(user).map(|(_, present)| present))
        });
        few.iter().chain(many)
    }
}

impl Many {
    fn add(&mut self, present: Present) {
        self.places += 1;
        self.order.insert(self.places, present.user);
        self.users.insert(present.user, (self.places, present));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under miri")]
    fn the_order_of_joining_survives_growing_shrinking_and_going() {
        let mut occupants = Occupants::default();
        let mut expected: Vec<u32> = Vec::new();
        let mut rng = fastrand::Rng::with_seed(1);
        for step in 0..4_000_u64 {
            // Crosses the limit between few and many in both directions.
            let grows = step / 60 % 2 == 0;
            let user = rng.u32(0..200);
            if !expected.contains(&user) && (grows || rng.u8(0..4) == 0) {
                occupants.add(user, step << 32);
                expected.push(user);
            } else if !grows && !expected.is_empty() {
                let user = expected.remove(rng.usize(0..expected.len()));
                assert!(occupants.remove(user));
                assert!(!occupants.remove(user));
            }
            let users: Vec<u32> = occupants.iter().map(|present| present.user).collect();
            assert_eq!(users, expected);
            let (mut parts, mut after) = (Vec::new(), Some(0));
            while let Some(place) = after {
                let (part, next) = occupants.after(place, 10);
                parts.extend(part);
                after = next;
            }
            assert_eq!(parts, expected);
            assert_eq!(occupants.len(), expected.len());
            for user in 0..200 {
                let found = occupants.get(user).map(|present| present.user);
                assert_eq!(found, expected.contains(&user).then_some(user));
                assert_eq!(occupants.get_mut(user).is_some(), found.is_some());
            }
        }
    }
}

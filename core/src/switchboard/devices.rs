//! The connections of one user, the oldest first.

use std::collections::BTreeMap;
use std::ops::Bound;

use smallvec::SmallVec;

/// Up to this many are searched linearly, which is faster and takes a fraction of the memory.
const FEW: usize = 24;

/// By how much the place of a connection in the order of admission is above that of the one before it,
/// so that there are places for a few.
pub(super) const STEP: u64 = FEW as u64 + 1;

/// The slots of one user's connections, in the order of admission. Most users have one.
#[derive(Debug, Default)]
pub(super) enum Devices {
    #[default]
    None,
    One(u32),
    Few(Box<SmallVec<[u32; 6]>>),
    /// Until the last one is gone, so that each keeps its place.
    Many(Box<Many>),
}

/// Indexed by slot, so that removing one of many connections is not linear.
#[derive(Debug, Default)]
pub(super) struct Many {
    /// The place in the order of admission, by slot.
    places: BTreeMap<u32, u64>,
    order: BTreeMap<u64, u32>,
}

impl Devices {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Few(slots) => slots.len(),
            Self::Many(many) => many.places.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the oldest.
    pub(super) fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// Returns the place of the newest, if they are many. Those that are few have none, and have all come
    /// after those that once were many.
    pub(super) fn last_place(&self) -> Option<u64> {
        let Self::Many(many) = self else {
            return None;
        };
        many.order.last_key_value().map(|(&place, _)| place)
    }

    /// Returns the oldest of many, if its place is at most this one.
    pub(super) fn first_until(&self, last: u64) -> Option<u32> {
        let Self::Many(many) = self else {
            return None;
        };
        let (&place, &slot) = many.order.first_key_value()?;
        (place <= last).then_some(slot)
    }

    /// Returns at most `most` slots, the oldest first, and the place after which others follow, if there
    /// are any: of many, those after a place and up to another; of few, all after 0.
    pub(super) fn between(
        &self,
        after: u64,
        last: u64,
        most: usize,
    ) -> (SmallVec<[u32; FEW]>, Option<u64>) {
        let Self::Many(many) = self else {
            let all = if after == 0 { usize::MAX } else { 0 };
            return (self.iter().take(all).collect(), None);
        };
        if after >= last {
            return (SmallVec::new(), None);
        }
        let range = (Bound::Excluded(after), Bound::Included(last));
        let mut rest = many.order.range(range);
        let (mut slots, mut place) = (SmallVec::new(), None);
        for (&at, &slot) in rest.by_ref().take(most) {
            slots.push(slot);
            place = Some(at);
        }
        (slots, rest.next().and(place))
    }

    /// Adds a new slot as the newest. `place` is by [`STEP`] above that of any slot that was added to
    /// any user's before.
    pub(super) fn add(&mut self, slot: u32, place: u64) {
        match self {
            Self::None => *self = Self::One(slot),
            &mut Self::One(first) => {
                *self = Self::Few(Box::new([first, slot].into_iter().collect()));
            }
            Self::Few(slots) if slots.len() < FEW => slots.push(slot),
            Self::Few(slots) => {
                let mut many = Many::default();
                let places = place - slots.len() as u64..=place;
                for (slot, place) in slots.drain(..).chain([slot]).zip(places) {
                    many.add(slot, place);
                }
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.add(slot, place),
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        match self {
            Self::None => {}
            Self::One(found) => {
                if *found == slot {
                    *self = Self::None;
                }
            }
            Self::Few(slots) => {
                slots.retain(|found| *found != slot);
                if let &[only] = slots.as_slice() {
                    *self = Self::One(only);
                }
            }
            Self::Many(many) => {
                if let Some(place) = many.places.remove(&slot) {
                    many.order.remove(&place);
                }
                if many.places.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    /// Returns whether a slot is among them.
    pub(super) fn contains(&self, slot: u32) -> bool {
        match self {
            Self::None => false,
            Self::One(found) => *found == slot,
            Self::Few(slots) => slots.contains(&slot),
            Self::Many(many) => many.places.contains_key(&slot),
        }
    }

    /// Iterates over the slots, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (few, many) = match self {
            Self::None => ([].as_slice(), None),
            Self::One(slot) => (std::slice::from_ref(slot), None),
            Self::Few(slots) => (slots.as_slice(), None),
            Self::Many(many) => ([].as_slice(), Some(many.order.values())),
        };
        few.iter().chain(many.into_iter().flatten()).copied()
    }
}

impl Many {
    fn add(&mut self, slot: u32, place: u64) {
        self.places.insert(slot, place);
        self.order.insert(place, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Devices, and the last place that was given.
    #[derive(Default)]
    struct World {
        devices: Devices,
        place: u64,
    }

    impl World {
        fn add(&mut self, slot: u32) {
            self.place += STEP;
            self.devices.add(slot, self.place);
        }

        fn in_parts(&self, most: usize) -> Vec<u32> {
            let (mut slots, mut next) = (Vec::new(), Some(0));
            while let Some(after) = next {
                let (part, following) = self.devices.between(after, u64::MAX, most);
                slots.extend(part);
                next = following;
            }
            slots
        }
    }

    #[test]
    fn the_order_of_admission_survives_growing_and_shrinking() {
        let mut world = World::default();
        let mut expected: Vec<u32> = Vec::new();
        let mut rng = fastrand::Rng::with_seed(1);
        for step in 0..4_000 {
            // Crosses the limit between few and many in both directions.
            let grows = step / 60 % 2 == 0;
            let slot = rng.u32(0..200);
            if !expected.contains(&slot) && (grows || rng.u8(0..4) == 0) {
                world.add(slot);
                expected.push(slot);
            } else if !grows && !expected.is_empty() {
                let slot = expected.remove(rng.usize(0..expected.len()));
                world.devices.remove(slot);
                world.devices.remove(slot);
            }
            let devices = &world.devices;
            assert_eq!(devices.iter().collect::<Vec<_>>(), expected);
            assert_eq!(devices.len(), expected.len());
            assert_eq!(devices.is_empty(), expected.is_empty());
            assert_eq!(devices.first(), expected.first().copied());
            assert_eq!(world.in_parts(rng.usize(1..20)), expected);
        }
    }

    #[test]
    fn more_than_a_few_are_not_searched_one_by_one_until_all_are_gone() {
        let mut world = World::default();
        for slot in 0..1_000 {
            world.add(slot);
            let searched = !matches!(world.devices, Devices::Many(_));
            assert_eq!(searched, world.devices.len() <= FEW);
        }
        for slot in 0..1_000 {
            assert!(matches!(world.devices, Devices::Many(_)));
            world.devices.remove(slot);
        }
        assert!(matches!(world.devices, Devices::None));
    }

    #[test]
    fn those_up_to_a_place_are_those_that_were_there_the_oldest_first() {
        let mut world = World::default();
        for slot in 0..FEW as u32 {
            world.add(slot);
        }
        assert_eq!(world.devices.last_place(), None, "they are few");
        for slot in 100..150 {
            world.add(slot);
        }
        let first = world.devices.last_place().expect("they are many");
        world.add(200);
        let second = world.devices.last_place().expect("they are many");
        world.add(201);
        world.devices.remove(3);
        let expected = (0..FEW as u32).filter(|&slot| slot != 3).chain(100..150);
        let (slots, next) = world.devices.between(0, first, usize::MAX);
        assert!(slots.into_iter().eq(expected.clone()) && next.is_none());
        let mut ended = Vec::new();
        while let Some(slot) = world.devices.first_until(first) {
            world.devices.remove(slot);
            ended.push(slot);
        }
        assert!(ended.into_iter().eq(expected));
        assert_eq!(world.devices.first_until(second), Some(200));
        world.devices.remove(200);
        assert_eq!(world.devices.first_until(second), None);
        assert!(world.devices.iter().eq([201]));
    }

    #[test]
    fn those_that_come_after_all_are_gone_have_later_places() {
        let mut world = World::default();
        for slot in 0..30 {
            world.add(slot);
        }
        let (part, next) = world.devices.between(0, u64::MAX, 20);
        let (after, last) = (next.expect("others follow"), world.devices.last_place());
        let last = last.expect("they are many");
        assert_eq!(part.len(), 20);
        for slot in 0..30 {
            world.devices.remove(slot);
        }
        for slot in 0..60 {
            let (slots, next) = world.devices.between(after, last, 20);
            assert!(slots.is_empty() && next.is_none(), "{slot} is another one");
            assert_eq!(world.devices.first_until(last), None);
            world.add(slot);
        }
    }
}

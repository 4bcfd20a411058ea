//! The connections of one user, the oldest first.

use std::collections::BTreeMap;

use smallvec::SmallVec;

/// Up to this many are searched linearly, which is faster and takes a fraction of the memory.
const FEW: usize = 24;

/// The slots of one user's connections, in the order of admission. Most users have one.
#[derive(Debug, Default)]
pub(super) enum Devices {
    #[default]
    None,
    One(u32),
    Few(Box<SmallVec<[u32; 6]>>),
    Many(Box<Many>),
}

/// Indexed by slot, so that removing one of many connections is not linear.
#[derive(Debug, Default)]
pub(super) struct Many {
    /// The place in the order of admission, by slot.
    places: BTreeMap<u32, u64>,
    order: BTreeMap<u64, u32>,
    /// The last place that was used.
    last: u64,
    /// The last place of those that are to end.
    ending: u64,
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

    /// Notes that all are to end, if they are many. Returns the last place of them.
    pub(super) fn end_all(&mut self) -> Option<u64> {
        let Self::Many(many) = self else {
            return None;
        };
        many.ending = many.last;
        Some(many.last)
    }

    /// Returns the oldest if it is to end: if its place is at most this one.
    pub(super) fn first_to_end(&self, last: u64) -> Option<u32> {
        let Self::Many(many) = self else {
            return None;
        };
        let (&place, &slot) = many.order.first_key_value()?;
        (place <= last).then_some(slot)
    }

    /// Adds a new slot as the newest.
    pub(super) fn add(&mut self, slot: u32) {
        match self {
            Self::None => *self = Self::One(slot),
            &mut Self::One(first) => {
                *self = Self::Few(Box::new([first, slot].into_iter().collect()));
            }
            Self::Few(slots) if slots.len() < FEW => slots.push(slot),
            Self::Few(slots) => {
                let mut many = Many::default();
                for slot in slots.drain(..).chain([slot]) {
                    many.add(slot);
                }
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.add(slot),
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
                // With hysteresis, so that alternate additions and removals at the limit do not
                // convert each time. Those that are to end are known by their places.
                let oldest = many.order.keys().next();
                let ends = oldest.is_some_and(|&place| place <= many.ending);
                if many.places.len() <= FEW / 2 && !ends {
                    *self = Self::Few(Box::new(self.iter().collect()));
                }
            }
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
    fn add(&mut self, slot: u32) {
        self.last += 1;
        self.places.insert(slot, self.last);
        self.order.insert(self.last, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_admission_survives_growing_and_shrinking() {
        let mut devices = Devices::default();
        let mut expected: Vec<u32> = Vec::new();
        let mut rng = fastrand::Rng::with_seed(1);
        for step in 0..4_000 {
            // Crosses the limit between few and many in both directions.
            let grows = step / 60 % 2 == 0;
            let slot = rng.u32(0..200);
            if !expected.contains(&slot) && (grows || rng.u8(0..4) == 0) {
                devices.add(slot);
                expected.push(slot);
            } else if !grows && !expected.is_empty() {
                let slot = expected.remove(rng.usize(0..expected.len()));
                devices.remove(slot);
                devices.remove(slot);
            }
            assert_eq!(devices.iter().collect::<Vec<_>>(), expected);
            assert_eq!(devices.len(), expected.len());
            assert_eq!(devices.is_empty(), expected.is_empty());
            assert_eq!(devices.first(), expected.first().copied());
        }
    }

    #[test]
    fn more_than_a_few_are_not_searched_one_by_one() {
        let mut devices = Devices::default();
        for slot in 0..1_000 {
            devices.add(slot);
            let searched = !matches!(devices, Devices::Many(_));
            assert_eq!(searched, devices.len() <= FEW);
        }
        for slot in 0..1_000 {
            devices.remove(slot);
            let searched = !matches!(devices, Devices::Many(_));
            assert_eq!(searched, devices.len() <= FEW / 2);
        }
        assert!(devices.is_empty());
    }

    #[test]
    fn those_that_are_to_end_are_those_that_were_there_the_oldest_first() {
        let mut devices = Devices::default();
        for slot in 0..FEW as u32 {
            devices.add(slot);
        }
        assert_eq!(devices.end_all(), None, "they are few");
        for slot in 100..150 {
            devices.add(slot);
        }
        let first = devices.end_all().expect("they are many");
        devices.add(200);
        let second = devices.end_all().expect("they are many");
        devices.add(201);
        devices.remove(3);
        let mut ended = Vec::new();
        while let Some(slot) = devices.first_to_end(first) {
            devices.remove(slot);
            ended.push(slot);
        }
        let expected = (0..FEW as u32).filter(|&slot| slot != 3).chain(100..150);
        assert!(ended.into_iter().eq(expected));
        assert_eq!(devices.first_to_end(second), Some(200));
        devices.remove(200);
        assert_eq!(devices.first_to_end(second), None);
        assert!(devices.iter().eq([201]));
        assert!(matches!(devices, Devices::Few(_)));
    }
}

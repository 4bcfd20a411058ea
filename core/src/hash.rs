//! Hashing of what clients choose: keyed, so that they cannot choose what collides.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// A map over names and addresses. Looked up, never iterated: its order is not deterministic.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// That no slot has a certain name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacant(u64);

/// Where in a slab a name is: the names themselves lie there only.
#[derive(Debug)]
pub(crate) struct NameIndex {
    keyed: Keyed,
    slots: HashTable<u32>,
}

impl NameIndex {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            slots: HashTable::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slot with a name; `name_at` says what is called how.
    pub(crate) fn find<'a>(&self, name: &str, name_at: impl Fn(u32) -> &'a str) -> Option<u32> {
        self.find_or_vacant(name, name_at).ok()
    }

    /// The slot with a name, or where to [`insert`](Self::insert) it.
    pub(crate) fn find_or_vacant<'a>(
        &self,
        name: &str,
        name_at: impl Fn(u32) -> &'a str,
    ) -> Result<u32, Vacant> {
        let hash = self.keyed.hash_one(name);
        let found = self.slots.find(hash, |&slot| name_at(slot) == name);
        found.copied().ok_or(Vacant(hash))
    }

    /// Adds a slot whose name is not in the index.
    pub(crate) fn insert<'a>(
        &mut self,
        vacant: Vacant,
        slot: u32,
        name_at: impl Fn(u32) -> &'a str,
    ) {
        let hash = |&slot: &u32| self.keyed.hash_one(name_at(slot));
        self.slots.insert_unique(vacant.0, slot, hash);
    }

    pub(crate) fn remove(&mut self, name: &str, slot: u32) {
        let hash = self.keyed.hash_one(name);
        if let Ok(found) = self.slots.find_entry(hash, |&found| found == slot) {
            found.remove();
        }
    }
}

/// What a seed is expanded into. The values are outputs of a keyed hash, so that those a client sees
/// (epochs, and delays drawn by the generator) tell nothing about the others.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// The key of all maps.
    pub(crate) keyed: Keyed,
    /// The part that the epochs of all rooms share.
    pub(crate) epochs: u64,
    /// Delays, phases and orders.
    pub(crate) rng: fastrand::Rng,
}

impl Secrets {
    pub(crate) fn expand(seed: u64) -> Self {
        let derive = |label: u64| SipHasher13::new_with_keys(seed, label).finish();
        Self {
            keyed: Keyed(derive(0), derive(1)),
            epochs: derive(2),
            rng: fastrand::Rng::with_seed(derive(3)),
        }
    }
}

/// The key of a switchboard's maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed(u64, u64);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_see_is_no_output_of_the_generator_that_makes_the_keys() {
        for seed in [0, 1, 7, u64::MAX] {
            let secrets = Secrets::expand(seed);
            let Keyed(first, second) = secrets.keyed;
            let values = [first, second, secrets.epochs, secrets.rng.get_seed()];
            for (at, value) in values.iter().enumerate() {
                assert!(!values[..at].contains(value), "a value stands twice");
                // Whoever knows the state of a generator at one value knows all that follow.
                let mut rng = fastrand::Rng::with_seed(seed);
                assert!((0..64).all(|_| rng.u64(..) != *value));
            }
        }
    }
}

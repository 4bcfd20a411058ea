//! Keyed hashing of client-chosen names, so that clients cannot provoke collisions.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// A map keyed by names or addresses. Its order depends on the key, so it must not be iterated.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// Proof that no slot has a certain name; see [`NameIndex::insert`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacant(u64);

/// An index from names to slots of a slab. The names themselves are stored in the slab only.
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

    /// Returns the slot of a name. `name_at` looks up the name of a slot.
    pub(crate) fn find<'a>(&self, name: &str, name_at: impl Fn(u32) -> &'a str) -> Option<u32> {
        self.find_or_vacant(name, name_at).ok()
    }

    /// Returns the slot of a name, or a token with which to [`insert`](Self::insert) it.
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

/// The secrets derived from a seed. Each is the output of a keyed hash, so the values that clients
/// see (epochs and random delays) reveal nothing about the others.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// The key of all maps.
    pub(crate) keyed: Keyed,
    /// The component shared by the epochs of all rooms.
    pub(crate) epochs: u64,
    /// The source of random delays, phases and orders.
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
                // Knowing a generator's state at one value reveals all later ones.
                let mut rng = fastrand::Rng::with_seed(seed);
                assert!((0..64).all(|_| rng.u64(..) != *value));
            }
        }
    }
}

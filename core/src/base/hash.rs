//! Keyed hashing of client-chosen names, so that clients cannot provoke collisions.
//!
//! Tables are divided into shards, so that growing moves only a small part of a large table.

use std::hash::{BuildHasher, Hash, Hasher};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// Entries of a shard, on average, above which there is one more. A shard has at most about twice as many.
const LOAD: usize = 100;

/// A table in shards by the hash of the key: linear hashing.
///
/// With every hundredth entry one shard is divided into two, so that no call moves many entries, whatever the
/// size of the table.
#[derive(Debug)]
struct Sharded<T> {
    /// At least one. Those from half of the next power of two on, counted from 0, have been divided since there
    /// were so many.
    shards: Vec<HashTable<T>>,
    len: usize,
}

impl<T> Sharded<T> {
    fn new() -> Self {
        Self {
            shards: vec![HashTable::new()],
            len: 0,
        }
    }

    /// Returns the number of a hash's shard, from bits that a small table does not use.
    fn number(&self, hash: u64) -> usize {
        let shards = self.shards.len();
        let half = 1 << shards.ilog2();
        let number = (hash >> 32) as usize & (2 * half - 1);
        if number < shards {
            number
        } else {
            number - half
        }
    }

    fn shard(&self, hash: u64) -> &HashTable<T> {
        &self.shards[self.number(hash)]
    }

    fn shard_mut(&mut self, hash: u64) -> &mut HashTable<T> {
        let number = self.number(hash);
        &mut self.shards[number]
    }

    /// Adds an entry.
    fn insert(&mut self, hash: u64, entry: T, rehash: impl Fn(&T) -> u64) {
        self.shard_mut(hash).insert_unique(hash, entry, &rehash);
        self.added(rehash);
    }

    /// Counts an entry that was added, and divides a shard if there are too many for the shards.
    fn added(&mut self, rehash: impl Fn(&T) -> u64) {
        self.len += 1;
        if self.len <= self.shards.len() * LOAD {
            return;
        }
        let divided = self.shards.len() - (1 << self.shards.len().ilog2());
        let entries = std::mem::take(&mut self.shards[divided]);
        self.shards.push(HashTable::new());
        for entry in entries {
            let hash = rehash(&entry);
            self.shard_mut(hash).insert_unique(hash, entry, &rehash);
        }
    }

    /// Counts an entry that was removed, and frees the memory of its shard with the last one.
    fn removed(&mut self, hash: u64) {
        self.len -= 1;
        let shard = self.shard_mut(hash);
        if shard.is_empty() {
            *shard = HashTable::new();
        }
        if self.len == 0 {
            *self = Self::new();
        }
    }
}

/// A map keyed by names or addresses. It cannot be iterated, as its order depends on the key.
#[derive(Debug)]
pub(crate) struct KeyedMap<K, V> {
    keyed: Keyed,
    entries: Sharded<(K, V)>,
}

impl<K: Clone + Hash + Eq, V> KeyedMap<K, V> {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            entries: Sharded::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let hash = self.keyed.hash_one(key);
        let found = self.entries.shard(hash).find(hash, |entry| entry.0 == *key);
        found.map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = self.keyed.hash_one(key);
        let shard = self.entries.shard_mut(hash);
        let found = shard.find_mut(hash, |entry| entry.0 == *key);
        found.map(|(_, value)| value)
    }

    /// Returns the value of a key, which is the default if there was none.
    pub(crate) fn get_or_default(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        let keyed = self.keyed;
        let hash = keyed.hash_one(key);
        let is_same = |entry: &(K, V)| entry.0 == *key;
        if self.entries.shard(hash).find(hash, is_same).is_none() {
            let rehash = |entry: &(K, V)| keyed.hash_one(&entry.0);
            self.entries
                .insert(hash, (key.clone(), V::default()), rehash);
        }
        let shard = self.entries.shard_mut(hash);
        let found = shard.find_mut(hash, is_same).expect("it was added");
        &mut found.1
    }

    pub(crate) fn remove(&mut self, key: &K) {
        let hash = self.keyed.hash_one(key);
        let shard = self.entries.shard_mut(hash);
        if let Ok(found) = shard.find_entry(hash, |entry| entry.0 == *key) {
            found.remove();
            self.entries.removed(hash);
        }
    }
}

/// Proof that no slot has a certain name; see [`NameIndex::insert`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacant(u64);

/// An index from names to slots of a slab. The names themselves are stored in the slab only.
#[derive(Debug)]
pub(crate) struct NameIndex {
    keyed: Keyed,
    slots: Sharded<u32>,
}

impl NameIndex {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            slots: Sharded::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len
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
        let shard = self.slots.shard(hash);
        let found = shard.find(hash, |&slot| name_at(slot) == name);
        found.copied().ok_or(Vacant(hash))
    }

    /// Adds a slot whose name is not in the index.
    pub(crate) fn insert<'a>(
        &mut self,
        vacant: Vacant,
        slot: u32,
        name_at: impl Fn(u32) -> &'a str,
    ) {
        let keyed = self.keyed;
        let hash = |&slot: &u32| keyed.hash_one(name_at(slot));
        self.slots.insert(vacant.0, slot, hash);
    }

    pub(crate) fn remove(&mut self, name: &str, slot: u32) {
        let hash = self.keyed.hash_one(name);
        let shard = self.slots.shard_mut(hash);
        if let Ok(found) = shard.find_entry(hash, |&found| found == slot) {
            found.remove();
            self.slots.removed(hash);
        }
    }
}

/// An index to slots from keyed hashes, whose originals are elsewhere.
#[derive(Debug)]
pub(crate) struct HashIndex(Sharded<u32>);

impl HashIndex {
    pub(crate) fn new() -> Self {
        Self(Sharded::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len
    }

    /// Returns a slot of this hash. `hash_at` looks up the hash of a slot.
    pub(crate) fn find(&self, hash: u64, hash_at: impl Fn(u32) -> u64) -> Option<u32> {
        let same = |&slot: &u32| hash_at(slot) == hash;
        self.0.shard(hash).find(hash, same).copied()
    }

    /// Adds a slot.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32, hash_at: impl Fn(u32) -> u64) {
        self.0.insert(hash, slot, |&slot| hash_at(slot));
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let shard = self.0.shard_mut(hash);
        if let Ok(found) = shard.find_entry(hash, |&found| found == slot) {
            found.remove();
            self.0.removed(hash);
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
    /// The key of what proves that a client is that of an event stream.
    pub(crate) posts: (u64, u64),
    /// The key of the hashes that stand for payloads in a recording.
    pub(crate) payloads: Keyed,
    /// The source of random delays, phases and orders.
    pub(crate) rng: fastrand::Rng,
}

impl Secrets {
    pub(crate) fn expand(seed: u64) -> Self {
        let derive = |label: u64| SipHasher13::new_with_keys(seed, label).finish();
        Self {
            keyed: Keyed(derive(0), derive(1)),
            epochs: derive(2),
            posts: (derive(4), derive(5)),
            payloads: Keyed(derive(6), derive(7)),
            rng: fastrand::Rng::with_seed(derive(3)),
        }
    }
}

/// The key of a switchboard's maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    /// A key that all nodes have. Clients can provoke collisions.
    pub(crate) const COMMON: Self = Self(0, 0);
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use super::*;

    fn hashed(number: u32) -> u64 {
        Keyed(1, 2).hash_one(number)
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under miri")]
    fn adding_an_entry_moves_few_others_whatever_the_size_of_the_table() {
        let mut index = HashIndex::new();
        let moved = Cell::new(0);
        let mut most = 0;
        for slot in 0..200_000 {
            moved.set(0);
            index.insert(hashed(slot), slot, |slot| {
                moved.set(moved.get() + 1);
                hashed(slot)
            });
            most = most.max(moved.get());
        }
        assert!(most <= 8 * LOAD, "{most}");
        assert_eq!(index.len(), 200_000);
        let largest = index.0.shards.iter().map(HashTable::len).max();
        assert!(largest < Some(3 * LOAD), "{largest:?}");
    }

    #[test]
    fn a_table_finds_what_was_put_in_while_it_grows_and_shrinks() {
        let mut rng = fastrand::Rng::with_seed(5);
        let (mut index, mut plain) = (HashIndex::new(), BTreeSet::new());
        for step in 0..8_000 {
            let grows = step / 2_000 % 2 == 0;
            let slot = rng.u32(0..3_000);
            let found = index.find(hashed(slot), hashed);
            assert_eq!(found.is_some(), plain.contains(&slot));
            if grows && plain.insert(slot) {
                index.insert(hashed(slot), slot, hashed);
            } else if !grows && plain.remove(&slot) {
                index.remove(hashed(slot), slot);
            }
            assert_eq!(index.len(), plain.len());
        }
        for slot in std::mem::take(&mut plain) {
            assert_eq!(index.find(hashed(slot), hashed), Some(slot));
            index.remove(hashed(slot), slot);
        }
        assert_eq!((index.len(), index.0.shards.len()), (0, 1));
    }

    #[test]
    fn what_clients_see_is_no_output_of_the_generator_that_makes_the_keys() {
        for seed in [0, 1, 7, u64::MAX] {
            let secrets = Secrets::expand(seed);
            let Keyed(first, second) = secrets.keyed;
            let values = [
                first,
                second,
                secrets.epochs,
                secrets.posts.0,
                secrets.posts.1,
                secrets.payloads.0,
                secrets.payloads.1,
                secrets.rng.get_seed(),
            ];
            for (at, value) in values.iter().enumerate() {
                assert!(!values[..at].contains(value), "a value stands twice");
                // Knowing a generator's state at one value reveals all later ones.
                let mut rng = fastrand::Rng::with_seed(seed);
                assert!((0..64).all(|_| rng.u64(..) != *value));
            }
        }
    }
}

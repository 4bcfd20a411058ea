//! Hashing of what clients choose: keyed, so that they cannot choose what collides.

use std::collections::HashMap;
use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// A map over names and addresses. Looked up, never iterated: its order is not deterministic.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// The key of a switchboard's maps, drawn from its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed(u64, u64);

impl Keyed {
    pub(crate) fn new(rng: &mut fastrand::Rng) -> Self {
        Self(rng.u64(..), rng.u64(..))
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

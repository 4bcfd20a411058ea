//! A set of pairs in order, of which many have the same first part.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::capacity;

/// Pairs by their first parts, which are stored once.
#[derive(Debug)]
pub(super) struct Grouped<K, V> {
    /// No group is empty, and each is in order.
    groups: BTreeMap<K, VecDeque<V>>,
}

impl<K, V> Default for Grouped<K, V> {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord, V: Copy + Ord> Grouped<K, V> {
    pub(super) fn first(&self) -> Option<(K, V)> {
        let (&key, group) = self.groups.first_key_value()?;
        Some((key, *group.front()?))
    }

    /// Adds a pair; returns whether it was not there. Costs a move of those of its group that come
    /// after it.
    pub(super) fn insert(&mut self, key: K, value: V) -> bool {
        let group = self.groups.entry(key).or_default();
        let at = match group.back() {
            Some(&last) if last >= value => match group.binary_search(&value) {
                Ok(_) => return false,
                Err(at) => at,
            },
            _ => group.len(),
        };
        if group.len() == group.capacity() {
            group.reserve_exact(capacity::growth(group.len()));
        }
        group.insert(at, value);
        true
    }

    pub(super) fn pop_first(&mut self) -> Option<(K, V)> {
        let mut first = self.groups.first_entry()?;
        let key = *first.key();
        let value = first.get_mut().pop_front()?;
        if first.get().is_empty() {
            first.remove();
        }
        Some((key, value))
    }

    /// Removes a pair; returns whether it was there.
    pub(super) fn remove(&mut self, key: K, value: V) -> bool {
        let Some(group) = self.groups.get_mut(&key) else {
            return false;
        };
        let Ok(at) = group.binary_search(&value) else {
            return false;
        };
        group.remove(at);
        if group.is_empty() {
            self.groups.remove(&key);
        }
        true
    }

    /// Returns the pairs after a place, or all of them.
    pub(super) fn after(&self, place: Option<(K, V)>) -> impl Iterator<Item = (K, V)> {
        let from = place.map_or(Bound::Unbounded, |(key, _)| Bound::Included(key));
        let groups = self.groups.range((from, Bound::Unbounded));
        groups.flat_map(move |(&key, group)| {
            let from = match place {
                Some((at, value)) if at == key => group.partition_point(|&it| it <= value),
                _ => 0,
            };
            group.range(from..).map(move |&value| (key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_behaves_like_a_plain_set_of_pairs() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut grouped, mut plain) = (Grouped::default(), BTreeSet::new());
        for step in 0..20_000 {
            let grows = step / 1_000 % 2 == 0;
            let (key, value) = (rng.u8(0..9), rng.u16(0..60));
            if rng.u8(0..8) < if grows { 6 } else { 2 } {
                assert_eq!(grouped.insert(key, value), plain.insert((key, value)));
            } else if rng.bool() {
                assert_eq!(grouped.remove(key, value), plain.remove(&(key, value)));
            } else {
                assert_eq!(grouped.pop_first(), plain.pop_first());
            }
            assert_eq!(grouped.first(), plain.first().copied());
            assert_eq!(grouped.groups.is_empty(), plain.is_empty());
            if step % 16 == 0 {
                assert!(grouped.after(None).eq(plain.iter().copied()));
                let rest = plain.iter().copied().filter(|&it| it > (key, value));
                assert!(grouped.after(Some((key, value))).eq(rest));
            }
        }
    }
}

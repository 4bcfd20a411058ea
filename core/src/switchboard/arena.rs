//! Storage with stable keys, which grows and shrinks in chunks, so that no call copies or frees a long
//! list.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut, Range};

use slab::Slab;

/// No element.
pub(super) const NONE: u32 = u32::MAX;

/// Elements of a chunk.
const CHUNK: usize = 1_024;

/// An empty chunk keeps its memory if that is for at most so many elements.
const SPARE: usize = 16;

/// Elements by key. A key is reused after its element was removed. Chunks at the front fill first, so that
/// those at the end become empty, and free their memory.
#[derive(Debug)]
pub(super) struct Arena<T> {
    /// The first one grows by doubling; each further one is allocated whole.
    chunks: Vec<Slab<T>>,
    /// The chunks that have room.
    vacant: BTreeSet<u32>,
    len: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            vacant: BTreeSet::new(),
            len: 0,
        }
    }
}

impl<T> Arena<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns a number that is above all keys.
    pub(super) fn keys(&self) -> usize {
        match self.chunks.as_slice() {
            [first] => first.capacity(),
            chunks => chunks.len() * CHUNK,
        }
    }

    pub(super) fn insert(&mut self, element: T) -> u32 {
        self.insert_with(|_| element)
    }

    /// Inserts an element that is made for its key.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(u32) -> T) -> u32 {
        let at = match self.vacant.first() {
            Some(&at) => at as usize,
            None => self.add_chunk(),
        };
        let chunk = &mut self.chunks[at];
        if at > 0 && chunk.capacity() == 0 {
            chunk.reserve_exact(CHUNK);
        }
        let entry = chunk.vacant_entry();
        let key = (at * CHUNK + entry.key()) as u32;
        entry.insert(make(key));
        if chunk.len() == CHUNK {
            self.vacant.remove(&(at as u32));
        }
        self.len += 1;
        key
    }

    fn add_chunk(&mut self) -> usize {
        let at = self.chunks.len();
        self.chunks.push(Slab::new());
        self.vacant.insert(at as u32);
        at
    }

    pub(super) fn remove(&mut self, key: u32) -> Option<T> {
        let (at, rest) = place(key);
        let chunk = self.chunks.get_mut(at)?;
        let element = chunk.try_remove(rest)?;
        if chunk.len() == CHUNK - 1 {
            self.vacant.insert(at as u32);
        }
        if chunk.is_empty() {
            // Its keys are given from the first one on again.
            chunk.clear();
            if chunk.capacity() > SPARE {
                *chunk = Slab::new();
            }
        }
        self.len -= 1;
        Some(element)
    }

    #[inline]
    pub(super) fn get(&self, key: u32) -> Option<&T> {
        let (at, rest) = place(key);
        self.chunks.get(at)?.get(rest)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        let (at, rest) = place(key);
        self.chunks.get_mut(at)?.get_mut(rest)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> + Clone {
        let chunks = self.chunks.iter().enumerate();
        chunks.flat_map(|(at, chunk)| {
            let elements = chunk.iter();
            elements.map(move |(rest, element)| ((at * CHUNK + rest) as u32, element))
        })
    }

    /// Returns the elements with these keys.
    pub(super) fn range(&self, keys: Range<usize>) -> impl Iterator<Item = (u32, &T)> {
        let end = keys.end.min(self.keys());
        (keys.start..end).filter_map(|key| Some((key as u32, self.get(key as u32)?)))
    }
}

/// Returns the chunk of a key, and the place in it.
#[inline]
const fn place(key: u32) -> (usize, usize) {
    (key as usize / CHUNK, key as usize % CHUNK)
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, key: u32) -> &T {
        self.get(key).expect("the element is there")
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, key: u32) -> &mut T {
        self.get_mut(key).expect("the element is there")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_arena_finds_what_was_put_in() {
        let mut rng = fastrand::Rng::with_seed(3);
        let (mut arena, mut plain) = (Arena::default(), BTreeMap::new());
        for step in 0..20_000 {
            if rng.u8(..8) < 5 {
                let key = arena.insert(step);
                assert_eq!(plain.insert(key, step), None, "a key is given twice");
            } else {
                let key = rng.u32(..plain.len() as u32 + 2);
                assert_eq!(arena.remove(key), plain.remove(&key));
            }
            assert_eq!(arena.len(), plain.len());
        }
        assert!(
            arena
                .iter()
                .eq(plain.iter().map(|(&key, value)| (key, value)))
        );
    }

    #[test]
    fn chunks_at_the_front_fill_first_and_those_that_are_empty_free_their_memory() {
        let mut arena = Arena::default();
        for number in 0..5 * CHUNK {
            assert_eq!(arena.insert(number) as usize, number);
        }
        for key in 0..4 * CHUNK {
            if key % 2 == 0 {
                arena.remove(key as u32);
            }
        }
        for key in 2 * CHUNK..5 * CHUNK {
            arena.remove(key as u32);
        }
        let held = arena.chunks.iter().filter(|chunk| chunk.capacity() > SPARE);
        assert_eq!(held.count(), 2, "chunks with elements");
        for _ in 0..CHUNK {
            assert!((arena.insert(0) as usize) < 2 * CHUNK);
        }
        assert_eq!(arena.len(), 2 * CHUNK);
    }
}

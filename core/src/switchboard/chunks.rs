//! Lists that grow in chunks, so that no call copies a long list.

use std::ops::{Index, IndexMut};

use crate::switchboard::capacity;

/// Elements of a chunk.
const CHUNK: usize = 1_024;

/// A list. The first chunk grows by less than doubling, as there are many short lists; each further one is
/// allocated whole.
#[derive(Debug)]
pub(in crate::switchboard) struct Chunks<T> {
    first: Vec<T>,
    more: Vec<Vec<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            more: Vec::new(),
        }
    }
}

impl<T> Chunks<T> {
    #[inline]
    pub(in crate::switchboard) fn len(&self) -> usize {
        match self.more.last() {
            None => self.first.len(),
            Some(last) => self.more.len() * CHUNK + last.len(),
        }
    }

    pub(in crate::switchboard) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    #[inline]
    pub(in crate::switchboard) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(CHUNK) {
            None => self.first.get(at),
            Some(rest) => self.more.get(rest / CHUNK)?.get(rest % CHUNK),
        }
    }

    #[inline]
    pub(in crate::switchboard) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(CHUNK) {
            None => self.first.get_mut(at),
            Some(rest) => self.more.get_mut(rest / CHUNK)?.get_mut(rest % CHUNK),
        }
    }

    pub(in crate::switchboard) fn push(&mut self, element: T) {
        let len = self.first.len();
        if len < CHUNK {
            if len == self.first.capacity() {
                let growth = capacity::growth(len).min(CHUNK - len);
                self.first.reserve_exact(growth);
            }
            return self.first.push(element);
        }
        match self.more.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(element),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(element);
                self.more.push(chunk);
            }
        }
    }

    fn pop(&mut self) -> Option<T> {
        let Some(last) = self.more.last_mut() else {
            return self.first.pop();
        };
        let popped = last.pop();
        if last.is_empty() {
            self.more.pop();
        }
        popped
    }

    /// Removes an element, and moves the last one to its place.
    pub(in crate::switchboard) fn swap_remove(&mut self, at: usize) -> Option<T> {
        let last = self.pop()?;
        match self.get_mut(at) {
            Some(place) => Some(std::mem::replace(place, last)),
            None => Some(last),
        }
    }

    pub(in crate::switchboard) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.more.iter().flatten())
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        self.get(at).expect("the element is there")
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        self.get_mut(at).expect("the element is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_chunks_is_a_list() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut list, mut plain) = (Chunks::default(), Vec::new());
        for step in 0..20_000 {
            // It grows for a while, then shrinks.
            if plain.is_empty() || rng.u8(..8) < if step < 12_000 { 5 } else { 3 } {
                list.push(step);
                plain.push(step);
            } else {
                let at = rng.usize(..plain.len());
                assert_eq!(list.swap_remove(at), Some(plain.swap_remove(at)));
            }
            let at = rng.usize(..plain.len() + 2);
            assert_eq!(list.get(at), plain.get(at));
            assert_eq!(
                (list.len(), list.is_empty()),
                (plain.len(), plain.is_empty())
            );
        }
        assert!(list.iter().eq(&plain));
    }
}

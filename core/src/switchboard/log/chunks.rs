//! Lists that grow in chunks, so that no call copies a long list.

use std::ops::{Index, IndexMut};

use crate::switchboard::capacity;

/// Elements of a chunk.
const CHUNK: usize = 1_024;

/// A list. The first chunk grows by less than doubling, as there are many short lists; each further one is
/// allocated whole.
#[derive(Debug)]
pub(super) struct Chunks<T> {
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
    pub(super) fn len(&self) -> usize {
        match self.more.last() {
            None => self.first.len(),
            Some(last) => self.more.len() * CHUNK + last.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(CHUNK) {
            None => self.first.get(at),
            Some(rest) => self.more.get(rest / CHUNK)?.get(rest % CHUNK),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(CHUNK) {
            None => self.first.get_mut(at),
            Some(rest) => self.more.get_mut(rest / CHUNK)?.get_mut(rest % CHUNK),
        }
    }

    pub(super) fn push(&mut self, element: T) {
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
    pub(super) fn swap_remove(&mut self, at: usize) -> Option<T> {
        let last = self.pop()?;
        match self.get_mut(at) {
            Some(place) => Some(std::mem::replace(place, last)),
            None => Some(last),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
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

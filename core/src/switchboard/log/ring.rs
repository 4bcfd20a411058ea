//! A queue with random access, which grows and shrinks in segments, so that no call copies a long
//! one.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

/// Elements of a segment.
const SEGMENT: usize = 512;

/// A queue. `first` grows by doubling up to a segment. Of `rest`, every segment but the last is
/// full.
#[derive(Debug)]
pub(super) struct Ring<T> {
    first: VecDeque<T>,
    rest: VecDeque<VecDeque<T>>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            first: VecDeque::new(),
            rest: VecDeque::new(),
        }
    }
}

impl<T> Ring<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self.rest.back() {
            None => self.first.len(),
            Some(last) => self.first.len() + (self.rest.len() - 1) * SEGMENT + last.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(self.first.len()) {
            None => self.first.get(at),
            Some(later) => self.rest.get(later / SEGMENT)?.get(later % SEGMENT),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(self.first.len()) {
            None => self.first.get_mut(at),
            Some(later) => self.rest.get_mut(later / SEGMENT)?.get_mut(later % SEGMENT),
        }
    }

    pub(super) fn push_back(&mut self, element: T) {
        if self.rest.is_empty() && self.first.len() < SEGMENT {
            return self.first.push_back(element);
        }
        match self.rest.back_mut() {
            Some(last) if last.len() < SEGMENT => last.push_back(element),
            _ => {
                let mut segment = VecDeque::with_capacity(SEGMENT);
                segment.push_back(element);
                self.rest.push_back(segment);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let popped = self.first.pop_front();
        if self.first.is_empty()
            && let Some(next) = self.rest.pop_front()
        {
            self.first = next;
        }
        popped
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.first.front()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flatten())
    }

    /// Frees the memory of an empty ring.
    pub(super) fn give_back(&mut self) {
        *self = Self::default();
    }

    /// Takes the memory of an empty ring.
    pub(super) fn take_buffer(&mut self) -> VecDeque<T> {
        self.rest = VecDeque::new();
        std::mem::take(&mut self.first)
    }

    /// Gives memory to a ring that has none.
    pub(super) fn lend_buffer(&mut self, buffer: impl FnOnce() -> Option<VecDeque<T>>) {
        if self.first.capacity() == 0
            && let Some(buffer) = buffer()
        {
            self.first = buffer;
        }
    }
}

impl<T> IntoIterator for Ring<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<
        std::collections::vec_deque::IntoIter<T>,
        std::iter::Flatten<std::collections::vec_deque::IntoIter<VecDeque<T>>>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.first
            .into_iter()
            .chain(self.rest.into_iter().flatten())
    }
}

impl<T> Index<usize> for Ring<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        self.get(at).expect("the element is there")
    }
}

impl<T> IndexMut<usize> for Ring<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        self.get_mut(at).expect("the element is there")
    }
}

//! A queue with random access, which grows and shrinks in segments, so that no call copies a long
//! one.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use crate::switchboard::capacity;

/// Elements of a segment.
const SEGMENT: usize = 512;

/// A queue. `first` grows up to a segment by less than doubling, as there are many short queues.
///
/// It can be [swept](Self::begin_sweep): its elements are looked at from front to back and kept or
/// not, in as many calls as one likes, between which it is a queue like any other.
#[derive(Debug)]
pub(super) struct Ring<T> {
    first: VecDeque<T>,
    more: Option<Box<More<T>>>,
}

/// What comes after the first segment.
#[derive(Debug)]
struct More<T> {
    /// Of these, every one but the last is full.
    segments: VecDeque<VecDeque<T>>,
    /// The elements to which a sweep has not come yet.
    unswept: Ring<T>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            first: VecDeque::new(),
            more: None,
        }
    }
}

impl<T> Default for More<T> {
    fn default() -> Self {
        Self {
            segments: VecDeque::new(),
            unswept: Ring::default(),
        }
    }
}

impl<T> More<T> {
    fn segmented(&self) -> usize {
        match self.segments.back() {
            None => 0,
            Some(last) => (self.segments.len() - 1) * SEGMENT + last.len(),
        }
    }

    fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(self.segmented()) {
            None => self.segments.get(at / SEGMENT)?.get(at % SEGMENT),
            Some(later) => self.unswept.get(later),
        }
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(self.segmented()) {
            None => self.segments.get_mut(at / SEGMENT)?.get_mut(at % SEGMENT),
            Some(later) => self.unswept.get_mut(later),
        }
    }

    fn push(&mut self, element: T) {
        match self.segments.back_mut() {
            Some(last) if last.len() < SEGMENT => last.push_back(element),
            _ => {
                let mut segment = VecDeque::with_capacity(SEGMENT);
                segment.push_back(element);
                self.segments.push_back(segment);
            }
        }
    }
}

impl<T> Ring<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.more {
            None => self.first.len(),
            Some(more) => self.first.len() + more.segmented() + more.unswept.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.more.is_none()
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(self.first.len()) {
            None => self.first.get(at),
            Some(later) => self.more.as_ref()?.get(later),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(self.first.len()) {
            None => self.first.get_mut(at),
            Some(later) => self.more.as_mut()?.get_mut(later),
        }
    }

    pub(super) fn push_back(&mut self, element: T) {
        match &mut self.more {
            Some(more) if !more.unswept.is_empty() => more.unswept.push_back(element),
            _ => self.append(element),
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let popped = match self.first.pop_front() {
            // A sweep has kept nothing so far.
            None => self.more.as_mut()?.unswept.pop_front(),
            popped => popped,
        };
        if self.first.is_empty()
            && let Some(more) = &mut self.more
            && let Some(next) = more.segments.pop_front()
        {
            self.first = next;
        }
        self.tidy();
        popped
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.get(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map(|at| &self[at])
    }

    /// Begins to look at all elements.
    pub(super) fn begin_sweep(&mut self) {
        debug_assert!(!self.is_swept(), "one sweep at a time");
        let unswept = std::mem::take(self);
        if !unswept.is_empty() {
            self.more = Some(Box::new(More {
                unswept,
                ..More::default()
            }));
        }
    }

    /// Returns whether a sweep has not come to its end.
    pub(super) fn is_swept(&self) -> bool {
        let more = self.more.as_ref();
        more.is_some_and(|more| !more.unswept.is_empty())
    }

    /// Returns the index of the element at which a sweep looks next.
    pub(super) fn swept(&self) -> usize {
        let segmented = self.more.as_ref().map_or(0, |more| more.segmented());
        self.first.len() + segmented
    }

    /// Goes on with a sweep. Returns the next element, unless it stays.
    pub(super) fn sweep(&mut self, stays: bool) -> Option<T> {
        let swept = self.more.as_mut()?.unswept.pop_front()?;
        if stays {
            self.append(swept);
            self.tidy();
            return None;
        }
        self.tidy();
        Some(swept)
    }

    /// Adds an element at the end of the segments.
    fn append(&mut self, element: T) {
        match &mut self.more {
            Some(more) if !more.segments.is_empty() => more.push(element),
            _ if self.first.len() < SEGMENT => {
                let len = self.first.len();
                if len == self.first.capacity() {
                    self.first
                        .reserve_exact(capacity::growth(len).min(SEGMENT - len));
                }
                self.first.push_back(element);
            }
            more => more.get_or_insert_default().push(element),
        }
    }

    /// Ends a sweep that has come to the end, and frees what is empty.
    #[inline]
    fn tidy(&mut self) {
        if let Some(more) = &self.more
            && more.segments.is_empty()
            && more.unswept.is_empty()
        {
            self.more = None;
        }
    }

    /// Takes the memory of an empty ring.
    pub(super) fn take_buffer(&mut self) -> VecDeque<T> {
        self.more = None;
        std::mem::take(&mut self.first)
    }

    /// Gives memory to a ring that has none.
    pub(super) fn lend_buffer(&mut self, buffer: impl FnOnce() -> Option<VecDeque<T>>) {
        if self.is_empty()
            && self.first.capacity() == 0
            && let Some(buffer) = buffer()
        {
            self.first = buffer;
        }
    }
}

impl<T> IntoIterator for Ring<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

/// The elements of a ring, from front to back.
#[derive(Debug)]
pub(super) struct IntoIter<T>(Ring<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_front()
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

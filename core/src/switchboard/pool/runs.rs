//! Runs: consecutive frames of one room as a single node of a queue's list.
//!
//! A member that lags behind by sixteen messages has one run of sixteen frames. A run grows while
//! what is pushed follows its last frame in the room.

use std::num::NonZeroU16;

use slab::Slab;

use super::frames::{SHARED_FROM, StoredFrame};
use crate::switchboard::queue::{Class, List, NONE};
use crate::switchboard::timers::KEPT;

/// One frame, or several that follow each other in the chain of their room.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) next: u32,
    pub(super) room: u32,
    /// Bytes of its frames, counting a cut one as a whole.
    pub(super) bytes: u32,
    pub(super) count: NonZeroU16,
    pub(super) class: Class,
}

// A list node for a single frame should not cost more than this.
const _: () = assert!(size_of::<Option<Run>>() == 24);

impl Run {
    fn new(frame: StoredFrame, room: u32, class: Class) -> Self {
        Self {
            first: frame.key,
            last: frame.key,
            next: NONE,
            room,
            bytes: frame.len as u32,
            count: NonZeroU16::MIN,
            class,
        }
    }

    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    pub(super) const fn count(&self) -> u32 {
        self.count.get() as u32
    }

    /// Returns whether it is a frame that is shared, not copied. Such a frame has a run of its own.
    pub(super) const fn is_large(&self) -> bool {
        self.bytes as usize >= SHARED_FROM && self.count() == 1
    }

    /// Returns the number of messages in it.
    pub(super) const fn messages(&self) -> u32 {
        if self.class.is_message() {
            self.count()
        } else {
            0
        }
    }

    /// Adds a frame if it follows the last one; returns whether it does.
    #[inline]
    fn extend(&mut self, frame: StoredFrame) -> bool {
        let Some(count) = self
            .count
            .checked_add(1)
            .filter(|_| self.last == frame.follows)
        else {
            return false;
        };
        self.last = frame.key;
        self.bytes += frame.len as u32;
        self.count = count;
        true
    }
}

/// The runs of all queues.
#[derive(Debug, Default)]
pub(super) struct Runs(pub(super) Slab<Run>);

impl Runs {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Run> {
        self.0.get(at as usize)
    }

    #[inline]
    pub(super) fn at(&self, at: u32) -> &Run {
        &self.0[at as usize]
    }

    #[inline]
    pub(super) fn remove(&mut self, at: u32) -> Run {
        self.0.remove(at as usize)
    }

    /// Adds a frame to the end of a list, in its last run or in a new one.
    #[inline]
    pub(super) fn push(&mut self, list: &mut List, frame: StoredFrame, room: u32, class: Class) {
        if let Some(tail) = self.0.get_mut(list.tail as usize)
            && tail.extend(frame)
        {
            return;
        }
        let at = self.0.insert(Run::new(frame, room, class)) as u32;
        self.append(list, at);
    }

    /// Adds a run to the end of a list.
    #[inline]
    pub(super) fn append(&mut self, list: &mut List, at: u32) {
        self.0[at as usize].next = NONE;
        if let Some(tail) = self.0.get_mut(list.tail as usize) {
            tail.next = at;
        } else {
            list.head = at;
        }
        list.tail = at;
    }

    /// Links a run after `before`, or to the head of the list if there is none.
    #[inline]
    pub(super) fn link(&mut self, list: &mut List, before: u32, next: u32) {
        match self.0.get_mut(before as usize) {
            Some(run) => run.next = next,
            None => list.head = next,
        }
    }

    /// Prepends `front` to a list.
    pub(super) fn prepend(&mut self, list: &mut List, front: List) {
        if front.is_empty() {
            return;
        }
        self.0[front.tail as usize].next = list.head;
        list.head = front.head;
        if list.tail == NONE {
            list.tail = front.tail;
        }
    }

    /// Detaches the first run of a list that is not empty.
    #[inline]
    pub(super) fn detach(&mut self, list: &mut List) -> u32 {
        let at = list.head;
        let run = &mut self.0[at as usize];
        list.head = std::mem::replace(&mut run.next, NONE);
        if list.head == NONE {
            list.tail = NONE;
        }
        at
    }

    /// Frees the memory of a burst when nothing is stored.
    pub(super) fn give_back(&mut self) {
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = Slab::with_capacity(KEPT);
        }
    }
}

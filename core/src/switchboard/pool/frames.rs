//! The frames of all queues, each stored once, chained in the order in which rooms published them.

use slab::Slab;

use crate::Frame;
use crate::switchboard::queue::NONE;
use crate::switchboard::timers::KEPT;

/// The size from which frames are shared instead of copied into the writer's buffer.
pub(super) const SHARED_FROM: usize = 8 << 10;

/// The largest chain of frames in bytes, because a writer's turn takes no more.
const CHAIN: u32 = 64 << 10;

#[derive(Debug)]
struct Stored {
    frame: Frame,
    /// The number of runs that it is in, plus one while it is being distributed.
    references: u32,
    /// The frame that its room published next; valid only if a run continues with it.
    next: u32,
    /// Distinguishes the successive frames under one key.
    serial: u64,
}

/// A stored frame, while it is being distributed.
#[derive(Clone, Copy, Debug)]
pub(in crate::switchboard) struct StoredFrame {
    pub(super) key: u32,
    /// The previous frame of its room; [`NONE`] if runs do not continue from it.
    pub(super) follows: u32,
    pub(in crate::switchboard) len: usize,
}

/// The frame that a room published last, which may be gone.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::switchboard) struct Latest {
    key: u32,
    /// Bytes of the chain that ends with it.
    bytes: u32,
    /// No frame has serial 0.
    serial: u64,
}

#[derive(Debug, Default)]
pub(super) struct Frames {
    stored: Slab<Stored>,
    serial: u64,
    /// Bytes of all frames.
    bytes: usize,
}

impl Frames {
    /// Returns the bytes of all frames, each counted once.
    pub(super) fn held(&self) -> usize {
        self.bytes
    }

    /// Computes [`Frames::held`] anew.
    pub(super) fn recount(&self) -> usize {
        self.stored
            .iter()
            .map(|(_, stored)| stored.frame.len())
            .sum()
    }

    pub(super) fn len(&self) -> usize {
        self.stored.len()
    }

    /// Returns the number of references to all frames.
    pub(super) fn references(&self) -> usize {
        let stored = self.stored.iter();
        stored.map(|(_, stored)| stored.references as usize).sum()
    }

    /// Stores a frame with one reference.
    pub(super) fn insert(&mut self, frame: Frame) -> StoredFrame {
        let len = frame.len();
        self.serial += 1;
        self.bytes += len;
        let key = self.stored.insert(Stored {
            frame,
            references: 1,
            next: NONE,
            serial: self.serial,
        });
        StoredFrame {
            key: key as u32,
            follows: NONE,
            len,
        }
    }

    /// Stores a frame of a room and chains it to the one before it.
    pub(super) fn insert_after(&mut self, latest: &mut Latest, frame: Frame) -> StoredFrame {
        let mut stored = self.insert(frame);
        if stored.len >= SHARED_FROM {
            // Large frames are written alone.
            *latest = Latest::default();
            return stored;
        }
        let before = self.stored.get_mut(latest.key as usize);
        let mut bytes = stored.len as u32;
        if latest.bytes + bytes <= CHAIN
            && let Some(before) = before.filter(|before| before.serial == latest.serial)
        {
            before.next = stored.key;
            stored.follows = latest.key;
            bytes += latest.bytes;
        }
        *latest = Latest {
            key: stored.key,
            serial: self.serial,
            bytes,
        };
        stored
    }

    pub(super) fn frame(&self, key: u32) -> &Frame {
        &self.stored[key as usize].frame
    }

    pub(super) fn bytes(&self, key: u32) -> &[u8] {
        self.frame(key).as_bytes()
    }

    /// Returns the frame that its room published next, if a run continues with it.
    pub(super) fn next(&self, key: u32) -> u32 {
        self.stored[key as usize].next
    }

    /// Returns the serial of the frame under this key.
    pub(super) fn serial(&self, key: u32) -> u64 {
        self.stored[key as usize].serial
    }

    /// Copies `count` frames of a chain.
    #[inline]
    pub(super) fn copy(&self, first: u32, count: u32, out: &mut Vec<u8>) {
        let mut key = first;
        for _ in 0..count {
            let stored = &self.stored[key as usize];
            out.extend_from_slice(stored.frame.as_bytes());
            key = stored.next;
        }
    }

    #[inline]
    pub(super) fn retain(&mut self, key: u32) {
        self.stored[key as usize].references += 1;
    }

    /// Drops a reference; returns what [`Frames::next`] would have.
    #[inline]
    pub(super) fn release(&mut self, key: u32) -> u32 {
        let stored = &mut self.stored[key as usize];
        let next = stored.next;
        stored.references -= 1;
        if stored.references == 0 {
            self.bytes -= stored.frame.len();
            self.stored.remove(key as usize);
        }
        next
    }

    /// Frees the memory of a burst when nothing is stored.
    pub(super) fn give_back(&mut self) {
        if self.stored.is_empty() && self.stored.capacity() > KEPT {
            self.stored = Slab::with_capacity(KEPT);
        }
    }
}

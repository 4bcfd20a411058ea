//! The storage of all queues: each connection has lists of runs, and each frame is stored once.
//!
//! ```text
//!   push ──▶ urgent ─┐
//!   push ──▶ data ───┴─ take ──▶ flight ── wrote ──▶ gone
//!                 ▲                │
//!                 └── put back ────┘   (but never the frame that was cut)
//! ```
//! A writer *takes* frames, which only marks them; what it could not write is put back to the
//! front. So a frame stays queued until its last byte is written, and slow policies see all of it.

mod dropping;
mod frames;
mod lending;
mod pongs;
mod runs;
mod splitting;
#[cfg(test)]
mod tests;

pub(super) use self::frames::{Latest, StoredFrame};

use self::frames::Frames;
use self::lending::Lent;
use self::runs::Runs;
use super::queue::{Class, List, NO_ROOM, Queue};
use crate::Frame;

/// The runs and frames of all queues.
#[derive(Debug, Default)]
pub(super) struct Pool {
    runs: Runs,
    frames: Frames,
    lent: Lent,
    /// Bytes of the pongs that are not in runs.
    pongs: usize,
}

/// What [`Switchboard::transmit`](super::Switchboard::transmit) returned.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Nothing to write.
    Nothing,
    /// This many bytes were appended to the writer's buffer.
    Copied(usize),
    /// Shared memory from this byte on: one large frame, or small ones that other connections get
    /// as well.
    Shared(Frame, usize),
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) messages: u32,
    /// Whether fewer bytes were written than taken.
    pub(super) blocked: bool,
    /// Whether the ping of an interval was completely written.
    pub(super) ping: bool,
}

/// Identifies a frame, even after its key is reused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    key: u32,
    serial: u64,
}

/// The counts of a queue, computed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recount {
    pub(super) bytes: usize,
    pub(super) messages: u32,
    pub(super) runs: usize,
    /// Frames in the runs.
    pub(super) frames: usize,
    /// Bytes, as the runs state them.
    pub(super) said: usize,
}

impl Pool {
    /// Returns whether a frame may be written before everything queued: not within a partly written
    /// frame, and not before an HTTP response.
    pub(super) fn may_be_overtaken(&self, queue: &Queue) -> bool {
        let first = if queue.flight.is_empty() {
            queue.urgent.head
        } else {
            queue.flight.head
        };
        let run = self.runs.get(first);
        queue.cut == 0 && run.is_none_or(|run| run.class != Class::HTTP)
    }

    /// Returns the bytes held. A frame queued for many connections counts once, and as a whole
    /// until its last byte is written to the last of them.
    pub(super) fn held(&self) -> usize {
        self.frames.held() + self.pongs
    }

    /// Stores a frame until [`Pool::release`]; each queue that it is pushed to keeps it longer.
    pub(super) fn store(&mut self, frame: Frame) -> StoredFrame {
        self.frames.insert(frame)
    }

    /// Like [`Pool::store`], for a frame that a room publishes: it extends runs that end with the
    /// frame before it.
    pub(super) fn store_after(&mut self, latest: &mut Latest, frame: Frame) -> StoredFrame {
        self.frames.insert_after(latest, frame)
    }

    pub(super) fn release(&mut self, stored: StoredFrame) {
        self.frames.release(stored.key);
        self.give_back();
    }

    pub(super) fn push(&mut self, queue: &mut Queue, frame: StoredFrame, room: u32, class: Class) {
        self.frames.retain(frame.key);
        self.runs.push(&mut queue.data, frame, room, class);
        queue.count(frame.len, class);
    }

    /// Pushes a frame before all data, but after earlier urgent frames.
    pub(super) fn push_urgent(&mut self, queue: &mut Queue, frame: StoredFrame, class: Class) {
        self.frames.retain(frame.key);
        self.runs.push(&mut queue.urgent, frame, NO_ROOM, class);
        queue.count(frame.len, class);
    }

    /// Stores, pushes and releases one frame.
    pub(super) fn push_frame(&mut self, queue: &mut Queue, frame: Frame, class: Class) {
        let stored = self.store(frame);
        self.push(queue, stored, NO_ROOM, class);
        self.release(stored);
    }

    /// Takes frames of about `budget` bytes, which are appended to `out` or shared.
    pub(super) fn take(&mut self, queue: &mut Queue, out: &mut Vec<u8>, budget: usize) -> Chunk {
        if queue.taken > 0 {
            return Chunk::Nothing;
        }
        self.offer_pong(queue);
        if queue.flight.is_empty() {
            let Some(at) = self.next(queue, budget, true) else {
                return Chunk::Nothing;
            };
            queue.flight = List { head: at, tail: at };
        }
        let cut = queue.cut as usize;
        let head = queue.flight.head;
        let first = self.runs.at(head);
        if first.is_large() {
            queue.taken = first.bytes - queue.cut;
            return Chunk::Shared(self.frames.frame(first.first).clone(), cut);
        }
        let mut bytes = first.bytes as usize - cut;
        while bytes < budget
            && let Some(at) = self.next(queue, budget - bytes, false)
        {
            self.runs.append(&mut queue.flight, at);
            bytes += self.runs.at(at).bytes as usize;
        }
        queue.taken = bytes as u32;
        if head != queue.flight.tail || cut > 0 {
            self.copy(head, out, cut);
            return Chunk::Copied(bytes);
        }
        let run = self.runs.at(head);
        if let Some(joined) = self.lent.again(run, &self.frames) {
            return Chunk::Shared(joined, 0);
        }
        self.frames.copy(run.first, run.count(), out);
        Chunk::Copied(bytes)
    }

    /// Copies the list of runs from `head` on, skipping `cut` bytes. A frame that is cut has a run
    /// of its own.
    fn copy(&self, head: u32, out: &mut Vec<u8>, cut: usize) {
        let mut at = head;
        if cut > 0 {
            let first = self.runs.at(at);
            out.extend_from_slice(&self.frames.bytes(first.first)[cut..]);
            at = first.next;
        }
        while let Some(run) = self.runs.get(at) {
            self.frames.copy(run.first, run.count(), out);
            at = run.next;
        }
    }

    /// Removes `written` of the taken bytes, and puts the rest back to the front.
    pub(super) fn wrote(&mut self, queue: &mut Queue, written: usize) -> Progress {
        let written = written.min(queue.taken as usize);
        let mut progress = Progress {
            messages: 0,
            blocked: written < queue.taken as usize,
            ping: false,
        };
        queue.taken = 0;
        queue.bytes -= written;
        let mut left = queue.cut as usize + written;
        while let Some(run) = self.runs.get(queue.flight.head)
            && left >= run.bytes as usize
        {
            left -= run.bytes as usize;
            progress.messages += run.messages();
            progress.ping |= run.class.has(Class::PING);
            queue.flight.head = self.free(queue.flight.head).next;
        }
        while let Some(run) = self.runs.get(queue.flight.head)
            && let first = self.frames.bytes(run.first).len()
            && left >= first
        {
            left -= first;
            progress.messages += u32::from(run.class.is_message());
            progress.ping |= run.class.has(Class::PING);
            self.shorten(queue.flight.head);
        }
        queue.cut = left as u32;
        queue.messages -= progress.messages;
        if queue.flight.is_empty() {
            queue.flight = List::EMPTY;
        } else {
            self.put_back(queue);
        }
        progress
    }

    /// Returns a mark for [`Pool::ends_with`], which stays valid after the frame is gone.
    pub(super) fn mark(&self, frame: StoredFrame) -> Mark {
        Mark {
            key: frame.key,
            serial: self.frames.serial(frame.key),
        }
    }

    /// Returns whether this frame is the last one in a queue.
    pub(super) fn ends_with(&self, queue: &Queue, mark: Mark) -> bool {
        let tail = self.runs.get(queue.data.tail);
        tail.is_some_and(|run| run.last() == mark.key)
            && self.frames.serial(mark.key) == mark.serial
    }

    /// Returns the number of runs, of frames, and of references to frames.
    pub(super) fn in_use(&self) -> (usize, usize, usize) {
        (self.runs.len(), self.frames.len(), self.frames.references())
    }

    /// Computes [`Pool::held`] anew, given the queues.
    pub(super) fn recount_held<'a>(&self, queues: impl Iterator<Item = &'a Queue>) -> usize {
        let pongs = queues.filter_map(|queue| queue.pong.as_ref());
        self.frames.recount() + pongs.map(Frame::len).sum::<usize>()
    }

    /// Recounts a queue.
    pub(super) fn recount(&self, queue: &Queue) -> Recount {
        let pong = queue.pong.as_ref().map_or(0, Frame::len);
        let mut found = Recount {
            bytes: pong,
            said: pong,
            ..Recount::default()
        };
        for list in [queue.flight, queue.urgent, queue.data] {
            let mut at = list.head;
            while let Some(run) = self.runs.get(at) {
                let mut key = run.first;
                for _ in 0..run.count() {
                    found.bytes += self.frames.bytes(key).len();
                    key = self.frames.next(key);
                }
                found.said += run.bytes as usize;
                found.messages += run.messages();
                found.frames += run.count() as usize;
                found.runs += 1;
                at = run.next;
            }
        }
        found.bytes -= queue.cut as usize;
        found.said -= queue.cut as usize;
        found
    }

    /// Detaches the next run, urgent before data: as much of it as fits into `most` bytes, or its
    /// first frame if `forced`.
    #[inline]
    fn next(&mut self, queue: &mut Queue, most: usize, forced: bool) -> Option<u32> {
        let list = if queue.urgent.is_empty() {
            &mut queue.data
        } else {
            &mut queue.urgent
        };
        if list.is_empty() {
            return None;
        }
        let run = self.runs.at(list.head);
        if run.bytes as usize > most {
            if !forced && self.frames.bytes(run.first).len() > most {
                return None;
            }
            self.split(list, most);
        } else if !forced && run.is_large() {
            return None;
        }
        Some(self.runs.detach(list))
    }

    /// Puts taken frames back to the front of the data, except one that must go out first: a frame
    /// that is cut, or an HTTP response.
    fn put_back(&mut self, queue: &mut Queue) {
        let mut kept = List::EMPTY;
        if !self.may_be_overtaken(queue) {
            self.split(&mut queue.flight, 0);
            let first = self.runs.detach(&mut queue.flight);
            self.runs.append(&mut kept, first);
        }
        let rest = std::mem::replace(&mut queue.flight, kept);
        let rest = self.put_back_pong(queue, rest);
        self.runs.prepend(&mut queue.data, rest);
    }

    /// Frees the memory of a burst when nothing is queued.
    fn give_back(&mut self) {
        if self.frames.len() == 0 {
            self.frames.give_back();
            self.runs.give_back();
            self.lent = Lent::default();
        }
    }
}

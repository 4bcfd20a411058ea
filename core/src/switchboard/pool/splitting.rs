//! Taking runs apart.

use std::num::NonZeroU16;

use super::Pool;
use super::runs::Run;
use crate::switchboard::queue::List;

impl Pool {
    /// Splits the first run of a list after the frames that fit into `most` bytes, at least one.
    pub(super) fn split(&mut self, list: &mut List, most: usize) {
        let run = self.runs.at(list.head);
        if run.count() == 1 || run.bytes as usize <= most {
            return;
        }
        let (mut end, mut count) = (run.first, NonZeroU16::MIN);
        let mut bytes = self.frames.bytes(end).len();
        loop {
            let next = self.frames.next(end);
            let more = bytes + self.frames.bytes(next).len();
            if more > most {
                break;
            }
            (end, bytes) = (next, more);
            count = count.saturating_add(1);
        }
        let rest = Run {
            first: self.frames.next(end),
            bytes: run.bytes - bytes as u32,
            count: NonZeroU16::new(run.count.get() - count.get()).expect("some frames do not fit"),
            ..*run
        };
        let rest = self.runs.0.insert(rest) as u32;
        if list.tail == list.head {
            list.tail = rest;
        }
        let run = &mut self.runs.0[list.head as usize];
        run.next = rest;
        run.last = end;
        run.bytes = bytes as u32;
        run.count = count;
    }

    /// Releases the first frame of a run that has several; returns its length.
    pub(super) fn shorten(&mut self, at: u32) -> usize {
        let run = &mut self.runs.0[at as usize];
        let len = self.frames.bytes(run.first).len();
        run.first = self.frames.release(run.first);
        run.bytes -= len as u32;
        run.count = NonZeroU16::new(run.count.get() - 1).expect("the run has several frames");
        len
    }

    /// Frees a run that is in no list.
    #[inline]
    pub(super) fn free(&mut self, at: u32) -> Run {
        let run = self.runs.remove(at);
        let mut key = run.first;
        for _ in 0..run.count() {
            key = self.frames.release(key);
        }
        self.give_back();
        run
    }
}

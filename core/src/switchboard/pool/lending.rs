//! Shares the bytes of runs that several writers take one after the other.
//!
//! Members that lag behind by the same messages have equal runs. The first writer copies the
//! frames; for the second one they are joined into one piece of memory, which it and all further
//! ones share.

use super::frames::Frames;
use super::runs::Run;
use crate::Frame;

/// Runs of fewer bytes are copied, which costs less than sharing them.
const LENT_FROM: usize = 512;

/// The run that was taken last.
#[derive(Debug, Default)]
pub(super) struct Lent {
    /// The serial of its first frame.
    serial: u64,
    count: u32,
    /// Its joined bytes, if it was taken more than once.
    joined: Option<Frame>,
}

impl Lent {
    /// Returns the joined bytes of a run if it equals the one that was taken last.
    #[inline]
    pub(super) fn again(&mut self, run: &Run, frames: &Frames) -> Option<Frame> {
        if run.count() == 1 || (run.bytes as usize) < LENT_FROM {
            return None;
        }
        self.lend(run, frames)
    }

    fn lend(&mut self, run: &Run, frames: &Frames) -> Option<Frame> {
        let serial = frames.serial(run.first);
        if (self.serial, self.count) != (serial, run.count()) {
            *self = Self {
                serial,
                count: run.count(),
                joined: None,
            };
            return None;
        }
        let joined = self.joined.get_or_insert_with(|| {
            let mut bytes = Vec::with_capacity(run.bytes as usize);
            frames.copy(run.first, run.count(), &mut bytes);
            Frame::raw(bytes)
        });
        Some(joined.clone())
    }
}

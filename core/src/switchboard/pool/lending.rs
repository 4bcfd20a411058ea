//! Runs that several writers take one after the other: joined once, and lent to all of them.
//!
//! Members who lag behind by the same messages have the same run. The first writer copies it;
//! when the second comes for it, it is joined into one piece of memory, which that one and all
//! that follow are lent.

use super::frames::Frames;
use super::runs::Run;
use crate::Frame;

/// Runs of fewer bytes are copied: that costs less than to share them.
const LENT_FROM: usize = 512;

/// The run that was taken last.
#[derive(Debug, Default)]
pub(super) struct Lent {
    /// Which frame it began with.
    serial: u64,
    count: u32,
    /// All its bytes, if it was taken more than once.
    joined: Option<Frame>,
}

impl Lent {
    /// A run is taken: its bytes as one piece, if it is the one that was taken last.
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

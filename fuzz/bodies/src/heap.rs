//! How much heap something holds, counted by an allocator.

use allocation_counter::measure;

/// The heap that a series of steps of this thread holds.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    held: i64,
    peak: i64,
}

impl Heap {
    /// Does one step. A block that is moved counts twice while it is copied.
    pub(crate) fn during<R>(&mut self, step: impl FnOnce() -> R) -> R {
        let mut result = None;
        let info = measure(|| result = Some(step()));
        self.peak = self.peak.max(self.held + info.bytes_max as i64);
        self.held += info.bytes_current;
        result.expect("the step was done")
    }

    /// What is held between two steps may be twice what was received and a constant; at a moment
    /// within a step a block that grows is there twice.
    #[track_caller]
    pub(crate) fn check(&self, received: usize, constant: i64) {
        let (held, peak, received) = (self.held, self.peak, received as i64);
        assert!(
            held <= 2 * received + constant,
            "{held} bytes are held for {received} received"
        );
        assert!(
            peak <= 4 * received + constant,
            "{peak} bytes were held at once for {received} received"
        );
    }
}

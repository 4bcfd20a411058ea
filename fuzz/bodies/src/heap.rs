//! Measures the heap that something holds, by a counting allocator. The bounds tests use this file
//! too.

use allocation_counter::measure;

/// The heap held by a series of steps on this thread.
#[derive(Debug, Default)]
#[allow(
    dead_code,
    reason = "the tests of the bounds use all of it, the fuzz targets a part"
)]
pub(crate) struct Heap {
    held: i64,
    peak: i64,
    bytes: u64,
    blocks: u64,
    live: i64,
}

#[allow(dead_code, reason = "as above")]
impl Heap {
    /// Runs one step. A block that is moved counts twice while it is copied.
    pub(crate) fn during<R>(&mut self, step: impl FnOnce() -> R) -> R {
        let mut result = None;
        let info = measure(|| result = Some(step()));
        self.peak = self.peak.max(self.held + info.bytes_max.cast_signed());
        self.held += info.bytes_current;
        self.bytes += info.bytes_total;
        self.blocks += info.count_total;
        self.live += info.count_current;
        result.expect("the step was done")
    }

    /// Asserts that between steps at most twice the received bytes plus a constant are held. Within
    /// a step, a growing block exists twice.
    #[track_caller]
    pub(crate) fn check(&self, received: usize, constant: i64) {
        let (held, peak, received) = (self.held, self.peak, received.cast_signed() as i64);
        assert!(
            held <= 2 * received + constant,
            "{held} bytes are held for {received} received"
        );
        assert!(
            peak <= 4 * received + constant,
            "{peak} bytes were held at once for {received} received"
        );
    }

    /// Asserts that everything was freed.
    #[track_caller]
    pub(crate) fn check_empty(&self) {
        assert_eq!(self.held, 0, "bytes are still held");
    }

    /// Returns the bytes held now.
    pub(crate) const fn held(&self) -> i64 {
        self.held
    }

    /// Returns the most bytes that were held at once.
    pub(crate) const fn peak(&self) -> i64 {
        self.peak
    }

    /// Returns the blocks held now.
    pub(crate) const fn live(&self) -> i64 {
        self.live
    }

    /// Returns all bytes ever allocated; a block that is moved counts again.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of allocations and moves.
    pub(crate) const fn blocks(&self) -> u64 {
        self.blocks
    }
}

//! What a room keeps of the messages that all its members have passed.

/// The history of a room.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Leading entries of the log that are no history any more.
    outside: usize,
}

impl History {
    /// Returns whether the front of the log is history.
    pub(super) const fn keeps_front(&self) -> bool {
        self.outside == 0
    }

    /// Notes that the front of the log has gone.
    pub(super) const fn popped(&mut self) {
        self.outside = self.outside.saturating_sub(1);
    }
}

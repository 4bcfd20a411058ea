//! The timer of the simulated runtime.

use std::task::{Context, Poll};
use std::time::Instant;

use super::machine::poll_until;
use crate::runtime::Timer;

/// A timer of the [simulated clock](super::machine).
pub(crate) struct Alarm(Instant);

impl Timer for Alarm {
    fn new(at: Instant) -> Self {
        Self(at)
    }

    fn set(&mut self, at: Instant) {
        self.0 = at;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        poll_until(self.0, context)
    }
}

//! The time of a node, by the clock of its runtime.

use std::time::Instant;

use switchboard_core::Time;

use crate::machine;
use crate::sync::OnceLock;

/// A clock that stands at zero until a runtime starts it.
#[derive(Default)]
pub(crate) struct Clock(OnceLock<Started>);

struct Started {
    origin: Instant,
    now: fn() -> Instant,
}

impl Clock {
    /// Starts the clock, unless it is running.
    pub(crate) fn start(&self, now: fn() -> Instant) {
        self.0.get_or_init(|| Started { origin: now(), now });
    }

    pub(crate) fn now(&self) -> Time {
        let Some(Started { origin, now }) = self.0.get() else {
            return Time::ZERO;
        };
        let nanos = now().saturating_duration_since(*origin).as_nanos();
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns when it will be `time`.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        let origin = self.0.get().map(|started| started.origin);
        origin.unwrap_or_else(machine::now) + time.since(Time::ZERO)
    }
}

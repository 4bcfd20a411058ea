//! An estimate of the broker's clock.

use crate::Time;
use crate::cluster::command::BrokerTime;

/// The last time that the broker reported, and when it did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BrokerClock(Option<(BrokerTime, Time)>);

impl BrokerClock {
    pub(super) fn heard(&mut self, now: Time, at: BrokerTime) {
        self.0 = Some((at, now));
    }

    /// Returns the broker's time now, or a little earlier; `None` before it has reported any.
    pub(super) fn estimate(&self, now: Time) -> Option<BrokerTime> {
        let (at, heard) = self.0?;
        let passed = now.since(heard).as_micros() as u64;
        Some(BrokerTime(at.0.saturating_add(passed)))
    }
}

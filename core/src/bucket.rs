//! Rate limits: the generic cell rate algorithm.

use std::time::Duration;

use crate::{Rate, Rates, Time};

/// A bucket of the GCRA, stored as its *theoretical arrival time*: when it is full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket(Time);

impl Bucket {
    /// Takes `units`, or returns how long to wait until they are available.
    pub(crate) fn charge(&mut self, now: Time, rate: Rate, units: u64) -> Result<(), Duration> {
        let next = self.0.max(now) + cost(rate, units);
        let latest = now + cost(rate, rate.burst);
        if next > latest {
            return Err(next.since(latest));
        }
        self.0 = next;
        Ok(())
    }

    /// Returns when the bucket is full.
    pub(crate) fn full_at(self) -> Time {
        self.0
    }
}

/// Returns the time that `units` take, rounded up so that the rate is never exceeded.
fn cost(rate: Rate, units: u64) -> Duration {
    let nanos = (u128::from(units) * 1_000_000_000).div_ceil(u128::from(rate.per_second.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What a connection may send: messages and bytes, each with its own rate.
///
/// A [`Session`](crate::session::Session) has one, and charges it without the node's lock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    messages: Bucket,
    bytes: Bucket,
}

impl Meter {
    /// Charges a message or control frame with a payload of this many bytes.
    ///
    /// # Errors
    /// How long to wait until it would have been within the rates. Nothing is charged then.
    pub fn charge(&mut self, now: Time, rates: &Rates, bytes: usize) -> Result<(), Duration> {
        let mut next = *self;
        if let Some(rate) = rates.messages {
            next.messages.charge(now, rate, 1)?;
        }
        if let Some(rate) = rates.bytes {
            next.bytes.charge(now, rate, bytes as u64)?;
        }
        *self = next;
        Ok(())
    }

    /// Charges the rest of what a message has turned out to cost, which was charged with `charged` bytes
    /// before. More than the burst counts as the burst, which would never be available otherwise.
    ///
    /// # Errors
    /// As for [`charge`](Self::charge).
    pub fn charge_rest(
        &mut self,
        now: Time,
        rates: &Rates,
        charged: usize,
        cost: usize,
    ) -> Result<(), Duration> {
        let Some(rate) = rates.bytes else {
            return Ok(());
        };
        let rest = rate.burst.min(cost as u64).saturating_sub(charged as u64);
        self.bytes.charge(now, rate, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 3,
    };

    #[test]
    fn a_burst_is_taken_at_once_and_then_one_per_interval() {
        let mut bucket = Bucket::default();
        let start = Time::from_millis(5_000);
        for _ in 0..3 {
            assert_eq!(bucket.charge(start, RATE, 1), Ok(()));
        }
        assert_eq!(
            bucket.charge(start, RATE, 1),
            Err(Duration::from_millis(100))
        );
        let later = start + Duration::from_millis(100);
        assert_eq!(bucket.charge(later, RATE, 1), Ok(()));
        assert!(bucket.charge(later, RATE, 1).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.charge(Time::from_millis(5_000), RATE, 1), Ok(()));
        }
        assert!(bucket.charge(Time::ZERO, RATE, 1).is_err());
    }
}

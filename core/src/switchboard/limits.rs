//! Rate limits: the generic cell rate algorithm, and strikes.

use std::time::Duration;

use crate::time::nanos;
use crate::{Rate, Time};

/// A bucket of the GCRA, stored as its *theoretical arrival time*: when it is full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket(Time);

impl Bucket {
    /// Takes `units`, or returns how long to wait until they are available.
    pub(super) fn charge(&mut self, now: Time, rate: Rate, units: u64) -> Result<(), Duration> {
        let next = self.0.max(now) + cost(rate, units);
        let latest = now + cost(rate, rate.burst);
        if next > latest {
            return Err(next.since(latest));
        }
        self.0 = next;
        Ok(())
    }

    /// Returns when the bucket is full.
    pub(super) fn full_at(self) -> Time {
        self.0
    }
}

/// Returns the time that `units` take, rounded up so that the rate is never exceeded.
fn cost(rate: Rate, units: u64) -> Duration {
    let nanos = (u128::from(units) * 1_000_000_000).div_ceil(u128::from(rate.per_second.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The times of a connection's latest strikes.
#[derive(Debug, Default)]
pub(super) struct Strikes(Vec<Time>);

impl Strikes {
    /// Adds a strike; returns whether the limit within the window is reached.
    pub(super) fn strike(&mut self, now: Time, window: Duration, most: u32) -> bool {
        self.0.retain(|&at| nanos(now.since(at)) < nanos(window));
        self.0.push(now);
        self.0.len() >= most as usize
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

    #[test]
    fn the_tenth_strike_within_the_window_is_the_last() {
        let mut strikes = Strikes::default();
        let window = Duration::from_secs(10);
        for second in 0..9 {
            assert!(!strikes.strike(Time::from_millis(second * 1_000), window, 10));
        }
        assert!(strikes.strike(Time::from_millis(9_999), window, 10));
        assert!(!strikes.strike(Time::from_millis(30_000), window, 10));
    }
}

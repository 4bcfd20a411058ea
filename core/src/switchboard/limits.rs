//! Strikes: violations of a client. Its connection ends after a certain number of them within a time
//! window.

use std::time::Duration;

use crate::Time;
use crate::base::time::nanos;

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

    /// Returns the number of strikes at the last one that count.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

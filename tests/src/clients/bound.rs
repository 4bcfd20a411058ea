//! Bounds on the rate of connection attempts, derived from full jitter.

use std::time::Duration;

/// The ceilings of the delays before the first attempt, the second, and so on, in seconds.
fn ceilings() -> impl Iterator<Item = f64> {
    (0..).map(|tries| (0.5 * 2_f64.powi(tries)).min(20.0))
}

/// Returns the most attempts expected in the second that begins `second` seconds after `clients`
/// lost their connection at once, while no node accepts.
///
/// Attempt `k` follows `k` delays, each uniform up to its ceiling `c`. It falls into a given second
/// with a probability of at most `1 / c_k`; it has happened by time `t` with a probability of at
/// most `t^k / (k! c_1 … c_k)`; and it has happened for certain after all ceilings up to `k`, plus
/// `delay` for each. The expectation is at most the sum over `k`; five standard deviations are
/// added. The bound is tight for the first ten seconds and up to five times too large later.
pub(super) fn after_a_crash(clients: usize, second: u64, delay: Duration) -> usize {
    let end = second as f64 + 1.0;
    let (mut expected, mut until, mut volume) = (0.0, 0.0, 1.0);
    for (k, ceiling) in (1..=400).zip(ceilings()) {
        until += ceiling + delay.as_secs_f64();
        volume *= end / (f64::from(k) * ceiling);
        if until >= second as f64 {
            expected += volume.min(1.0 / ceiling).min(1.0);
        }
    }
    with_deviation(clients as f64 * expected)
}

/// Returns the most attempts in any second while a node with `clients` drains over `window`: their
/// closes are spread evenly over it, and each is told a delay that is uniform over the same time.
pub(super) fn in_a_drain(clients: usize, window: Duration) -> usize {
    with_deviation(clients as f64 / window.as_secs_f64())
}

fn with_deviation(expected: f64) -> usize {
    (expected + 5.0 * (expected + 1.0).sqrt()).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_falls_as_the_delays_grow() {
        let bounds: Vec<usize> = (0..20)
            .map(|second| after_a_crash(10_000, second, Duration::from_millis(100)))
            .collect();
        assert!(bounds[0] < 24_000, "{bounds:?}");
        assert!(bounds[4] < bounds[1] / 3, "{bounds:?}");
        assert!(bounds[8] < bounds[0] / 8, "{bounds:?}");
        // A mean of one attempt in ten seconds would be 1 000.
        assert!(bounds.iter().all(|&most| most > 1_000), "{bounds:?}");
    }
}

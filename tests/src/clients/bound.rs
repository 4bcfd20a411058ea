//! How often clients may knock, by what full jitter promises.

use std::time::Duration;

/// The ceilings of the delays before the first attempt, the second, and so on, in seconds.
fn ceilings() -> impl Iterator<Item = f64> {
    (0..).map(|tries| (0.5 * 2_f64.powi(tries)).min(20.0))
}

/// The most attempts in the second that begins `second` seconds after `clients` lost their connection
/// all at once, with nobody there to let them in.
///
/// Attempt `k` comes after `k` delays, each uniform up to its ceiling `c`. So in any one second it
/// falls with a probability of at most `1 / c_k`, whatever went before; by the time `t` it has come with one of
/// at most `t^k / (k! c_1 … c_k)`; and after all ceilings up to `k`, with `delay` on top of each, it has come.
/// The sum of that over `k` is expected at most; five times its deviation is granted on top. That is near
/// the truth for the first ten seconds, and up to five times too much later.
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

/// The most attempts in any second while a node with `clients` drains over `window`: they are closed
/// evenly over it, and told a delay that is uniform over as much.
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
        // One attempt in ten seconds in the mean would be 1 000.
        assert!(bounds.iter().all(|&most| most > 1_000), "{bounds:?}");
    }
}

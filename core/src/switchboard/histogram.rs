//! Distributions of measured values.

use std::time::Duration;

use serde::Serialize;

/// Quantiles of a distribution.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// A histogram with eight buckets per doubling of microseconds, so that a quantile is off by at
/// most 12 %.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: Box<[u64; Self::BUCKETS]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: Box::new([0; Self::BUCKETS]),
            count: 0,
        }
    }
}

impl Histogram {
    const BUCKETS: usize = 8 * 40;

    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let doubling = micros.ilog2();
        let eighth = if doubling >= 3 {
            (micros >> (doubling - 3)) & 7
        } else {
            0
        };
        let bucket = (doubling as usize * 8 + eighth as usize).min(Self::BUCKETS - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        Quantiles {
            p50: self.quantile(0.5),
            p99: self.quantile(0.99),
        }
    }

    /// Returns the upper end of the quantile's bucket, in milliseconds.
    fn quantile(&self, part: f64) -> f64 {
        let rank = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if count > 0 && seen >= rank {
                let (doubling, eighth) = (bucket / 8, bucket % 8);
                let micros = (1u64 << doubling) as f64 * (1.0 + (eighth as f64 + 1.0) / 8.0);
                return (micros / 10.0).round() / 100.0;
            }
        }
        0.0
    }
}

/// How many values were within each of some bounds.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// The bounds, in ascending order.
    pub bounds: &'static [f64],
    /// For each bound the number of values that are at most that large and belong to no earlier
    /// bound; then the number of those that are larger than all.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}

impl Buckets {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    pub(super) fn record(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_an_eighth_too_high() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantiles(), Quantiles::default());
        for millis in 1..=1_000 {
            histogram.record(Duration::from_millis(millis));
        }
        let Quantiles { p50, p99 } = histogram.quantiles();
        assert!((500.0..=563.0).contains(&p50), "{p50}");
        assert!((990.0..=1_114.0).contains(&p99), "{p99}");
    }

    #[test]
    fn a_value_counts_for_the_first_bound_that_it_does_not_exceed() {
        let mut buckets = Buckets::new(&[1.0, 10.0]);
        for value in [0.0, 1.0, 1.5, 10.0, 11.0] {
            buckets.record(value);
        }
        assert_eq!((buckets.counts, buckets.sum), (vec![2, 2, 1], 23.5));
    }
}

//! A histogram of latencies with buckets of at most 1.6 % width.

const SUB: u32 = 6;

/// Counts of durations in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; (65 - SUB as usize) << SUB],
            total: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// Returns this quantile in microseconds.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let rank = (part * self.total as f64).ceil() as u64;
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank.max(1)
        })?;
        Some(middle(at) / 1_000.0)
    }
}

fn bucket(nanos: u64) -> usize {
    let exponent = nanos.max(1).ilog2();
    if exponent < SUB {
        return nanos as usize;
    }
    let shift = exponent - SUB;
    ((shift as usize) << SUB) + (nanos >> shift) as usize
}

fn middle(bucket: usize) -> f64 {
    let sub = 1 << SUB;
    if bucket < 2 * sub {
        return bucket as f64;
    }
    let shift = bucket / sub - 1;
    let low = (bucket - shift * sub) as f64;
    (low + 0.5) * (shift as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket_of_the_truth() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=100_000).for_each(|nanos| histogram.add(nanos * 100));
        for (part, expected) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
            let found: f64 = histogram.quantile(part).expect("a value");
            assert!((found / expected - 1.0).abs() < 0.016, "{found} {expected}");
        }
        histogram.add(u64::MAX);
        assert!(histogram.quantile(1.0).expect("a value") > 1e15);
    }
}

//! Seeded random delays.

use std::time::Duration;

/// splitmix32, which all clients use (`tests/vectors/README.md`).
#[derive(Clone, Debug)]
pub(super) struct Delays {
    state: u32,
    factor: f64,
}

impl Delays {
    pub(super) fn new(seed: u32, factor: f64) -> Self {
        Self {
            state: seed,
            factor,
        }
    }

    fn random(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9);
        let mut z = self.state;
        z = (z ^ (z >> 16)).wrapping_mul(0x21f0_aaad);
        z = (z ^ (z >> 15)).wrapping_mul(0x735a_2d97);
        z ^ (z >> 15)
    }

    /// Returns a random delay between zero and a bound, which starts at `first` and grows with each
    /// try up to `most`.
    pub(super) fn draw(&mut self, first: Duration, most: Duration, tries: u32) -> Duration {
        let most = millis(most);
        let mut ceiling = millis(first).min(most);
        for _ in 0..tries {
            let grown = most.min((ceiling as f64 * self.factor).floor() as u64);
            // Once the bound stops growing, further tries change nothing.
            if ceiling >= most || grown == ceiling {
                break;
            }
            ceiling = grown;
        }
        let part = u128::from(self.random() >> 11) * (u128::from(ceiling) + 1);
        Duration::from_millis((part >> 21) as u64)
    }
}

/// Converts to whole milliseconds, saturating.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_generator_is_the_one_of_the_vectors() {
        let mut delays = Delays::new(1, 2.0);
        let drawn: Vec<u32> = (0..3).map(|_| delays.random()).collect();
        assert_eq!(drawn, [0x5e2d_1772, 0x14e4_98f0, 0xd20e_a1fd]);
    }

    #[test]
    fn no_factor_makes_a_delay_over_its_ceiling_or_an_endless_loop() {
        for factor in [0.0, 0.5, 1.0, 2.0, -3.0, f64::INFINITY, f64::NAN] {
            let mut delays = Delays::new(7, factor);
            for tries in [0, 1, 10, u32::MAX] {
                assert!(delays.draw(SECOND, SECOND * 20, tries) <= SECOND * 20);
            }
            assert!(delays.draw(Duration::MAX, Duration::MAX, u32::MAX) <= Duration::MAX);
        }
    }
}

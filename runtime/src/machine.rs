//! The clocks and the random seed. In unit tests they come from the schedule checker, so that a
//! schedule can be replayed.

#[cfg(not(test))]
pub(crate) use self::real::{now, seed, wall_clock};

#[cfg(test)]
pub(crate) use crate::schedules::machine::{now, seed, wall_clock};

#[cfg(not(test))]
mod real {
    use std::hash::{BuildHasher, RandomState};
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    /// Returns the Unix time in seconds, or 0 for a clock before 1970.
    pub(crate) fn wall_clock() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    }

    /// Returns the seed of the core's random choices.
    pub(crate) fn seed() -> u64 {
        getrandom::u64().unwrap_or_else(|_| fallback_seed())
    }

    /// Used only if the operating system provides no randomness.
    fn fallback_seed() -> u64 {
        RandomState::new().hash_one(SystemTime::now())
    }
}

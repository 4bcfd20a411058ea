//! What the driver takes from the machine: the time, the date, and one random number. In its unit tests
//! all come from the checker of schedules, so that a schedule can be replayed.

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

    /// Seconds since 1970; of a clock that shows an earlier time, none.
    pub(crate) fn wall_clock() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    }

    /// What the core draws its random choices from.
    pub(crate) fn seed() -> u64 {
        getrandom::u64().unwrap_or_else(|_| fallback_seed())
    }

    /// Only where the operating system has no randomness to give.
    fn fallback_seed() -> u64 {
        RandomState::new().hash_one(SystemTime::now())
    }
}

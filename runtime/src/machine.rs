//! What the driver takes from the machine: the time, and one random number. In its unit tests both
//! come from the checker of schedules, so that a schedule can be replayed.

#[cfg(not(test))]
pub(crate) use self::real::{now, seed};

#[cfg(test)]
pub(crate) use crate::schedules::machine::{now, seed};

#[cfg(not(test))]
mod real {
    use std::hash::{BuildHasher, RandomState};
    use std::time::{Instant, SystemTime};

    pub(crate) fn now() -> Instant {
        Instant::now()
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

//! The clock of the node, and the stalls of its host.
//!
//! There are two times. *Driver time* comes in with each call and never runs backwards here. *Liveness
//! time* is driver time minus the stalls of the host, so that no client is considered dead because this
//! process did not run.

use std::time::Duration;

use crate::Time;

/// The current time, as the latest call stated it.
#[derive(Debug)]
pub(super) struct Clock {
    now: Time,
    started: Time,
    /// The time of the latest tick.
    ticked: Time,
    /// The total time of host stalls.
    stall: Duration,
    /// Up to when host stalls are accounted for.
    accounted: Time,
    /// The wall clock in Unix seconds, and when it was set.
    wall: Option<(Time, u64)>,
}

impl Clock {
    pub(super) fn new(now: Time) -> Self {
        Self {
            now,
            started: now,
            ticked: now,
            stall: Duration::ZERO,
            accounted: now,
            wall: None,
        }
    }

    /// Returns the current driver time.
    #[inline]
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Returns the current liveness time.
    #[inline]
    pub(super) fn liveness(&self) -> Time {
        self.now.before(self.stall)
    }

    /// Returns the liveness time at `now`, or the current one if that is later.
    pub(super) fn liveness_at(&self, now: Time) -> Time {
        now.max(self.now).before(self.stall)
    }

    /// Converts a deadline in liveness time to driver time, if the host does not stall again.
    #[inline]
    pub(super) fn driver_time(&self, at: Time) -> Time {
        at + self.stall
    }

    /// Returns the driver time since the start.
    pub(super) fn uptime(&self, now: Time) -> Duration {
        now.since(self.started)
    }

    /// Returns whether [`advance`](Self::advance) to `now` needs the next deadline, because so long
    /// has passed without a tick that the host may have stalled.
    #[inline]
    pub(super) fn may_have_stalled(&self, now: Time, threshold: Duration) -> bool {
        now.since(self.ticked) > threshold
    }

    /// Advances to `now`, never backwards. If the call comes more than `threshold` after the
    /// deadline that was `due`, the host stalled: returns by how much, and holds liveness time.
    #[inline]
    pub(super) fn advance(
        &mut self,
        now: Time,
        due: Option<Time>,
        threshold: Duration,
    ) -> Option<Duration> {
        let now = now.max(self.now);
        // The host was running at the last call, even if that was past the deadline.
        let late = due.map(|due| now.since(due.max(self.accounted).max(self.now)));
        let stalled = late.filter(|&late| late > threshold);
        if let Some(late) = stalled {
            self.stall += late;
            self.accounted = now;
        }
        self.now = now;
        stalled
    }

    /// Notes that everything that was due has been handled.
    pub(super) fn tick(&mut self) {
        self.ticked = self.now;
    }

    /// Returns this deadline, or the earliest one that makes progress after the latest tick.
    #[inline]
    pub(super) fn after_tick(&self, at: Time) -> Time {
        at.max(self.ticked + Duration::from_nanos(1))
    }

    /// Sets the wall clock, in seconds since 1970.
    pub(super) fn set_wall(&mut self, now: Time, unix_seconds: u64) {
        self.wall = Some((now, unix_seconds));
    }

    /// Returns the wall clock in seconds since 1970, if it was set.
    pub(super) fn unix_seconds(&self) -> Option<u64> {
        let (then, seconds) = self.wall?;
        Some(seconds.saturating_add(self.now.since(then).as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_call_long_after_a_deadline_holds_liveness_time() {
        let mut clock = Clock::new(at(10));
        assert!(!clock.may_have_stalled(at(11), SECOND));
        assert!(clock.may_have_stalled(at(20), SECOND));
        assert_eq!(
            clock.advance(at(20), Some(at(13)), SECOND),
            Some(SECOND * 7)
        );
        assert_eq!((clock.now(), clock.liveness()), (at(20), at(13)));
        assert_eq!(clock.driver_time(at(13)), at(20));
        // The same stall counts once.
        assert_eq!(clock.advance(at(21), Some(at(13)), SECOND), None);
        assert_eq!(clock.liveness(), at(14));
        assert_eq!(clock.liveness_at(at(25)), at(18));
    }

    #[test]
    fn without_a_deadline_waiting_is_no_stall() {
        let mut clock = Clock::new(at(0));
        assert_eq!(clock.advance(at(1_000), None, SECOND), None);
        assert_eq!(clock.liveness(), at(1_000));
        assert_eq!(clock.uptime(at(1_000)), SECOND * 1_000);
    }

    #[test]
    fn time_never_runs_backwards_and_a_deadline_is_after_the_latest_tick() {
        let mut clock = Clock::new(at(5));
        assert_eq!(clock.advance(at(3), None, SECOND), None);
        assert_eq!(clock.now(), at(5));
        clock.tick();
        assert_eq!(clock.after_tick(at(5)), at(5) + Duration::from_nanos(1));
        assert_eq!(clock.after_tick(at(6)), at(6));
    }

    #[test]
    fn the_wall_clock_advances_with_the_driver_time() {
        let mut clock = Clock::new(at(0));
        assert_eq!(clock.unix_seconds(), None);
        clock.set_wall(at(0), 1_000);
        clock.advance(at(60), None, SECOND);
        assert_eq!(clock.unix_seconds(), Some(1_060));
    }
}

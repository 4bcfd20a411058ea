//! A clock that only tests advance, and random numbers that are part of the schedule. It stands in for
//! the clock of [`crate::machine`], so it imports nothing of this crate.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use shuttle::rand::{RngCore, thread_rng};

struct Clock {
    passed: Duration,
    sleepers: Vec<(Instant, Waker)>,
    /// File descriptors are exhausted.
    exhausted: bool,
}

thread_local! {
    // shuttle runs all threads of an execution on one thread of the operating system.
    static CLOCK: RefCell<Clock> = const {
        RefCell::new(Clock { passed: Duration::ZERO, sleepers: Vec::new(), exhausted: false })
    };
}

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

pub(crate) fn now() -> Instant {
    origin() + CLOCK.with_borrow(|clock| clock.passed)
}

pub(crate) fn wall_clock() -> u64 {
    CLOCK.with_borrow(|clock| clock.passed.as_secs())
}

pub(crate) fn seed() -> u64 {
    thread_rng().next_u64()
}

/// Returns a random number below `bound`.
pub(super) fn draw(bound: usize) -> usize {
    (thread_rng().next_u64() % bound as u64) as usize
}

/// Resets the clock and drops its sleepers.
pub(super) fn reset() {
    let sleepers = CLOCK.with_borrow_mut(|clock| {
        clock.passed = Duration::ZERO;
        clock.exhausted = false;
        std::mem::take(&mut clock.sleepers)
    });
    drop(sleepers);
}

/// Simulates whether file descriptors are exhausted.
pub(super) fn exhaust(exhausted: bool) {
    CLOCK.with_borrow_mut(|clock| clock.exhausted = exhausted);
}

pub(super) fn is_exhausted() -> bool {
    CLOCK.with_borrow(|clock| clock.exhausted)
}

/// Advances the clock and wakes the timers that are due.
pub(crate) fn advance(by: Duration) {
    let due = CLOCK.with_borrow_mut(|clock| {
        clock.passed += by;
        let now = origin() + clock.passed;
        let (due, rest) = std::mem::take(&mut clock.sleepers)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        clock.sleepers = rest;
        due
    });
    for (_, waker) in due {
        waker.wake();
    }
}

/// Returns whether the clock has reached `at`; otherwise the task is woken then.
pub(super) fn poll_until(at: Instant, context: &Context<'_>) -> Poll<()> {
    if at <= now() {
        return Poll::Ready(());
    }
    let sleeper = (at, context.waker().clone());
    CLOCK.with_borrow_mut(|clock| {
        let known =
            |(at, waker): &(Instant, Waker)| *at == sleeper.0 && waker.will_wake(&sleeper.1);
        if !clock.sleepers.iter().any(known) {
            clock.sleepers.push(sleeper);
        }
    });
    Poll::Pending
}

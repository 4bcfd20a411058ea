//! The traits that an async runtime implements for everything that runs on it.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::machine;

/// A boxed, sendable future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An async runtime: spawns tasks and has a timer.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// The handle that tasks are spawned with.
    type Executor: Clone + Debug + Send + Sync + 'static;
    /// The timer.
    type Timer: Timer;

    /// Returns the executor to use by default.
    ///
    /// # Errors
    ///
    /// Fails outside of a runtime.
    fn executor() -> io::Result<Self::Executor>;

    /// Spawns a future as a background task.
    fn spawn(executor: &Self::Executor, future: impl Future<Output = ()> + Send + 'static);
}

/// A resettable timer.
pub trait Timer: Send + 'static {
    /// Returns the current time of the clock that this timer waits on. A runtime whose clock can be
    /// paused must return that clock's time; otherwise timers fire early, repeatedly, by the default one.
    fn now() -> Instant {
        machine::now()
    }

    /// Creates a timer that fires at `at`.
    fn new(at: Instant) -> Self;

    /// Resets the timer to fire at `at`.
    fn set(&mut self, at: Instant);

    /// Completes when the timer has fired.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

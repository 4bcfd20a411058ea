//! The traits that an async runtime implements for the driver.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::machine;
use crate::net::{AnySocket, Sockets};

/// A boxed, sendable future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An async runtime: spawns tasks, accepts TCP connections and watches sockets.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// The handle that tasks are spawned with.
    type Executor: Clone + Debug + Send + Sync + 'static;
    /// The timer.
    type Timer: Timer;
    /// The TCP listener.
    type Listener: Send + Sync + 'static;
    /// A listener that has been prepared for accepting.
    type Acceptor: Send + Sync + 'static;
    /// The set of sockets that one event loop watches.
    type Sockets: Sockets;

    /// Returns the executor to use by default.
    ///
    /// # Errors
    ///
    /// Fails outside of a runtime.
    fn executor() -> io::Result<Self::Executor>;

    /// Returns the number of threads that run the executor's tasks.
    fn threads(executor: &Self::Executor) -> usize;

    /// Spawns a future as a background task.
    fn spawn(executor: &Self::Executor, future: impl Future<Output = ()> + Send + 'static);

    /// Yields until other ready tasks, and pending input, have been handled.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Creates an empty set of sockets in the current runtime.
    ///
    /// # Errors
    ///
    /// Fails if too many files are open, for example. The event loop tries again.
    fn sockets() -> io::Result<Self::Sockets>;

    /// Prepares a listener for accepting.
    ///
    /// # Errors
    ///
    /// Fails if the listener cannot be used.
    fn acceptor(executor: &Self::Executor, listener: Self::Listener) -> io::Result<Self::Acceptor>;

    /// Returns the task that connects a hub to the broker of its cluster; `None` if that is not built
    /// in for this runtime.
    #[cfg(any(feature = "redis-tokio", feature = "redis-smol"))]
    #[doc(hidden)]
    fn adapter(
        config: crate::redis::adapter::Config,
        link: impl crate::redis::adapter::Link,
    ) -> Option<BoxFuture<()>> {
        let _ = (config, link);
        None
    }

    /// Accepts the next connection, with `TCP_NODELAY` set, and returns its peer's address.
    fn poll_accept(
        acceptor: &Self::Acceptor,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(AnySocket, IpAddr)>>;
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

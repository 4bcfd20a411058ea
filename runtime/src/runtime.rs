//! What a runtime has to bring.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// A future that can be kept and sent.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a runtime has to bring, besides sockets.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// Its timer.
    type Timer: Timer;

    /// Runs a future to its end, in the background.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Lets everything else that is ready run, input included, before it is done.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// How many threads run what is spawned.
    fn threads(&self) -> usize;
}

/// A timer that can be set again.
pub trait Timer: Send + 'static {
    /// A timer that is done at `at`.
    fn new(at: Instant) -> Self;

    /// Sets it anew.
    fn set(&mut self, at: Instant);

    /// Whether its time has come.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

//! tokio's tasks and timers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use switchboard_runtime::{Runtime, Timer};

/// Where a hub's tasks run.
pub type Executor = tokio::runtime::Handle;

/// The runtime, as the driver wants it.
#[derive(Clone, Debug)]
pub(crate) struct Tokio(pub(crate) Executor);

impl Runtime for Tokio {
    type Timer = Sleep;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future);
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn threads(&self) -> usize {
        self.0.metrics().num_workers()
    }
}

/// tokio's timer.
pub(crate) struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Timer for Sleep {
    fn new(at: Instant) -> Self {
        Self(Box::pin(tokio::time::sleep_until(at.into())))
    }

    fn set(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

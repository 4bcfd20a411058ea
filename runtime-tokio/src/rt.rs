//! Implements the runtime's trait with tokio's tasks and timers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use switchboard_runtime::{Runtime, Timer};

/// The executor that a hub or a client spawns its tasks on.
pub type Executor = tokio::runtime::Handle;

/// The tokio runtime, as the driver's types name it. Methods of [`Hub`](crate::Hub) infer it from their
/// arguments.
#[derive(Debug)]
pub enum Tokio {}

impl Runtime for Tokio {
    type Executor = Executor;
    type Timer = Sleep;

    fn executor() -> io::Result<Executor> {
        Executor::try_current().map_err(io::Error::other)
    }

    fn spawn(executor: &Executor, future: impl Future<Output = ()> + Send + 'static) {
        executor.spawn(future);
    }
}

/// tokio's timer.
pub struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Timer for Sleep {
    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

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

//! Implements the runtime's trait with smol's tasks and timers.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use switchboard_runtime::{Runtime, Timer};

/// The executor that a hub or a client spawns its tasks on.
#[derive(Clone)]
pub struct Executor {
    /// `None` for smol's global executor. Weak, because tasks on an executor must not keep it alive.
    executor: Option<Weak<smol::Executor<'static>>>,
    /// How many threads run it.
    pub(crate) threads: usize,
}

impl Executor {
    /// Uses an executor run by `threads` threads, while the caller keeps it alive.
    #[allow(clippy::needless_pass_by_value)] // By value, because it is shared.
    pub fn new(executor: Arc<smol::Executor<'static>>, threads: usize) -> Self {
        Self {
            executor: Some(Arc::downgrade(&executor)),
            threads,
        }
    }

    /// Uses smol's global executor, which has one thread unless `SMOL_THREADS` says otherwise.
    pub fn global() -> Self {
        let threads = std::env::var("SMOL_THREADS")
            .ok()
            .and_then(|threads| threads.parse().ok());
        Self {
            executor: None,
            threads: threads.unwrap_or(1),
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// The smol runtime, as the driver's types name it. Methods of [`Hub`](crate::Hub) infer it from their
/// arguments.
#[derive(Debug)]
pub enum Smol {}

impl Runtime for Smol {
    type Executor = Executor;
    type Timer = Sleep;

    fn executor() -> io::Result<Executor> {
        Ok(Executor::global())
    }

    fn spawn(executor: &Executor, future: impl Future<Output = ()> + Send + 'static) {
        match &executor.executor {
            Some(executor) => {
                if let Some(executor) = executor.upgrade() {
                    executor.spawn(future).detach();
                }
            }
            None => smol::spawn(future).detach(),
        }
    }
}

/// smol's timer.
pub struct Sleep(smol::Timer);

impl Timer for Sleep {
    fn new(at: Instant) -> Self {
        Self(smol::Timer::at(at))
    }

    fn set(&mut self, at: Instant) {
        self.0.set_at(at);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

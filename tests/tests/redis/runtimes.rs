//! Both runtimes, as a test needs them.

use std::future::Future;
use std::sync::Arc;
use std::thread;

use smol::channel::{Sender, unbounded};
use switchboard_runtime::redis::adapter::Reach;

/// A runtime that runs tasks until it is dropped.
pub(crate) trait Host: 'static {
    type Runtime: Reach;

    fn start() -> Self;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Runs a future on the calling thread.
    fn block_on<T>(future: impl Future<Output = T>) -> T;
}

pub(crate) struct Tokio(tokio::runtime::Runtime);

impl Host for Tokio {
    type Runtime = switchboard_tokio::Tokio;

    fn start() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        Self(runtime.expect("a runtime"))
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future);
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }
}

pub(crate) struct Smol {
    pub(crate) executor: Arc<smol::Executor<'static>>,
    /// Stops the thread when dropped.
    _running: Sender<()>,
}

impl Host for Smol {
    type Runtime = switchboard_smol::Smol;

    fn start() -> Self {
        let executor = Arc::new(smol::Executor::new());
        let (running, stop) = unbounded::<()>();
        let runs = executor.clone();
        thread::spawn(move || {
            let _ = smol::block_on(runs.run(stop.recv()));
        });
        Self {
            executor,
            _running: running,
        }
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(future).detach();
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }
}

/// Makes two tests of each function that takes a [`Host`].
macro_rules! on_both_runtimes {
    ($($test:ident),+ $(,)?) => {
        mod on_tokio {
            $(#[test] fn $test() { super::$test::<crate::runtimes::Tokio>(); })+
        }
        mod on_smol {
            $(#[test] fn $test() { super::$test::<crate::runtimes::Smol>(); })+
        }
    };
}

pub(crate) use on_both_runtimes;

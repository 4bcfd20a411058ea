//! A runtime on the checker's threads, with [`Pipe`]s for sockets.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::Mutex as Unseen;
use std::task::{Context, Poll, Waker};

use shuttle::future::JoinHandle;
use shuttle::sync::Mutex;

use super::alarm::Alarm;
use super::machine::is_exhausted;
use super::pipe::{Pipe, ServerEnd};
use crate::argument::{IntoExecutor, IntoListener, IntoSocket};
use crate::listen::Listen;
use crate::net::AnySocket;
use crate::net::SelfWaking;
use crate::runtime::Runtime;

#[derive(Debug)]
pub(super) enum Simulated {}

/// An executor that keeps the handles of its tasks, to wait for their end.
#[derive(Clone)]
pub(super) struct Crew(Arc<Inner>);

struct Inner {
    threads: usize,
    /// Number of tasks to drop instead of running them.
    drops: Unseen<usize>,
    tasks: Unseen<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").finish_non_exhaustive()
    }
}

impl Crew {
    pub(super) fn new(threads: usize) -> Self {
        Self::with(threads, 0)
    }

    /// An executor that drops the first `drops` tasks; all of them if the runtime has shut down.
    pub(super) fn with(threads: usize, drops: usize) -> Self {
        Self(Arc::new(Inner {
            threads,
            drops: Unseen::new(drops),
            tasks: Unseen::new(Vec::new()),
        }))
    }

    /// Waits until all tasks have ended. A task that never ends shows as a deadlock.
    pub(super) fn join(&self) {
        loop {
            let task = self.0.tasks.lock().expect("unseen").pop();
            let Some(task) = task else { return };
            shuttle::future::block_on(task).expect("nobody cancels");
        }
    }
}

impl Runtime for Simulated {
    type Executor = Crew;
    type Timer = Alarm;

    fn executor() -> io::Result<Crew> {
        unreachable!("the hub is told where to spawn")
    }

    fn spawn(crew: &Crew, future: impl Future<Output = ()> + Send + 'static) {
        let drops = {
            let mut drops = crew.0.drops.lock().expect("unseen");
            let dropped = *drops > 0;
            *drops -= usize::from(dropped);
            dropped
        };
        if drops {
            return;
        }
        let task = shuttle::future::spawn(future);
        crew.0.tasks.lock().expect("unseen").push(task);
    }
}

impl Listen for Simulated {
    type Listener = Arc<Listener>;
    type Acceptor = Arc<Listener>;
    type Sockets = SelfWaking;

    fn threads(crew: &Crew) -> usize {
        crew.0.threads
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        shuttle::future::yield_now()
    }

    fn sockets() -> io::Result<SelfWaking> {
        if is_exhausted() {
            return Err(io::Error::other("too many open files"));
        }
        Ok(SelfWaking)
    }

    fn acceptor(_: &Crew, listener: Arc<Listener>, _: usize) -> io::Result<Arc<Listener>> {
        Ok(listener)
    }

    fn poll_accept(
        listener: &Arc<Listener>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(AnySocket, IpAddr)>> {
        let mut state = listener.0.lock().expect("no panic");
        if let Some(stream) = state.arrived.pop_front() {
            return Poll::Ready(stream.into_socket());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl IntoExecutor<Simulated> for Crew {
    fn into_executor(self) -> Crew {
        self
    }
}

impl IntoListener<Simulated> for Arc<Listener> {
    fn into_listener(self) -> Arc<Listener> {
        self
    }
}

impl IntoSocket<Simulated> for ServerEnd {
    fn into_socket(self) -> io::Result<(AnySocket, IpAddr)> {
        let peer = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0001));
        Ok((AnySocket::new(self), peer))
    }
}

/// A listener that tests hand streams to.
pub(super) struct Listener(Mutex<Arrivals>);

struct Arrivals {
    arrived: VecDeque<ServerEnd>,
    waker: Option<Waker>,
}

impl Listener {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arrivals {
            arrived: VecDeque::new(),
            waker: None,
        })))
    }

    pub(super) fn arrive(&self, pipe: &Arc<Pipe>) {
        let mut state = self.0.lock().expect("no panic");
        state.arrived.push_back(ServerEnd::new(pipe.clone()));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

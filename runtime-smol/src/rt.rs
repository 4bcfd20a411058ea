//! Implements the driver's runtime traits with smol's tasks and timers.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
#[cfg(unix)]
use std::sync::OnceLock;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::{TcpListener, TcpStream};
#[cfg(feature = "redis")]
use switchboard_runtime::BoxFuture;
#[cfg(feature = "redis")]
use switchboard_runtime::redis::adapter::{Config, Link, run};
use switchboard_runtime::{
    AnySocket, Foreign, IntoExecutor, IntoListener, IntoSocket, PolledBy, Runtime, Timer,
};

use crate::socket::Polled;
use crate::tcp;

/// The executor that a hub spawns its tasks on.
#[derive(Clone)]
pub struct Executor {
    /// `None` for smol's global executor. Weak, because tasks on an executor must not keep it alive.
    executor: Option<Weak<smol::Executor<'static>>>,
    threads: usize,
}

impl Executor {
    /// Uses an executor that `threads` threads run, as long as the caller keeps it alive.
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
    type Listener = TcpListener;
    type Acceptor = tcp::Acceptor;
    type Sockets = tcp::Sockets;

    fn executor() -> io::Result<Executor> {
        Ok(Executor::global())
    }

    fn threads(executor: &Executor) -> usize {
        executor.threads
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

    async fn yield_now() {
        if let Some(socket) = ever_writable()
            && socket.writable().await.is_ok()
        {
            return;
        }
        // Returning at once would not yield.
        smol::future::yield_now().await;
    }

    fn sockets() -> io::Result<tcp::Sockets> {
        tcp::sockets()
    }

    fn acceptor(_: &Executor, listener: TcpListener) -> io::Result<tcp::Acceptor> {
        tcp::acceptor(listener)
    }

    #[cfg(feature = "redis")]
    fn adapter(config: Config, link: impl Link) -> Option<BoxFuture<()>> {
        Some(Box::pin(run::<Self>(config, link)))
    }

    fn poll_accept(
        acceptor: &tcp::Acceptor,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(AnySocket, IpAddr)>> {
        tcp::poll_accept(acceptor, context)
    }
}

impl IntoExecutor<Smol> for Executor {
    fn into_executor(self) -> Executor {
        self
    }
}

impl IntoListener<Smol> for TcpListener {
    fn into_listener(self) -> TcpListener {
        self
    }
}

impl IntoSocket<Smol> for TcpStream {
    fn into_socket(self) -> io::Result<(AnySocket, IpAddr)> {
        tcp::socket(self)
    }
}

/// Returns a socket that is always writable and never written to.
///
/// smol runs up to 200 tasks before it polls its reactor, so a plain yield among few tasks lets no input
/// in. Waiting for a socket polls the reactor, and this socket is ready at once.
#[cfg(unix)]
fn ever_writable() -> Option<&'static Async<UnixStream>> {
    static PAIR: OnceLock<Option<(Async<UnixStream>, UnixStream)>> = OnceLock::new();
    let pair = PAIR.get_or_init(|| {
        let (near, far) = UnixStream::pair().ok()?;
        Some((Async::new(near).ok()?, far))
    });
    pair.as_ref().map(|(near, _)| near)
}

#[cfg(not(unix))]
fn ever_writable() -> Option<&'static Async<std::net::TcpStream>> {
    None
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> PolledBy<Smol> for Foreign<S> {
    type Stream = Polled<S>;

    fn adapt(self) -> Polled<S> {
        Polled(self.0)
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn input_that_is_there_is_read_before_a_yield_is_over() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = Async::new(listener.accept().unwrap().0).unwrap();
        let read = Arc::new(AtomicUsize::new(0));
        let counter = read.clone();
        let executor = smol::Executor::new();
        let reader = executor.spawn(async move {
            while far.read_with(|mut far| far.read(&mut [0])).await.unwrap() > 0 {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        smol::block_on(executor.run(async {
            for sent in 1..=100 {
                // Lets the reader wait for its socket again.
                Smol::yield_now().await;
                near.write_all(&[1]).unwrap();
                // One poll of the reactor wakes both, in either order.
                Smol::yield_now().await;
                smol::future::yield_now().await;
                assert_eq!(read.load(Ordering::SeqCst), sent);
            }
            drop(near);
            reader.await;
        }));
    }
}

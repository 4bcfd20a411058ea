//! The hub of one runtime, and the accept loop.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::net::IpAddr;
use std::ops::Deref;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use switchboard_core::response::PageResponse;
use switchboard_core::{Config, ConfigError, DrainReport, Request};

use crate::application::Application;
use crate::driver::{Host, host};
use crate::hub::Hub;
use crate::net::{AnySocket, PolledSocket};
use crate::node::{Arrival, Pages};
use crate::runtime::{BoxFuture, Polls, Runtime, Timer};
use crate::shield::warn;
use crate::sync::Arc;

/// Pause after an error of `accept`, such as too many open files.
const REST: Duration = Duration::from_millis(50);

/// Number of connections to accept before yielding.
const ACCEPTS: usize = 16;

/// A [`Hub`] bound to a runtime, with the methods that take streams. Cheap to clone, usable from any
/// task or thread. Dereferences to [`Hub`] for everything else.
pub struct RuntimeHub<R: Runtime> {
    hub: Hub,
    host: Arc<Host>,
    executor: Option<R::Executor>,
}

impl<R: Runtime> Clone for RuntimeHub<R> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            host: self.host.clone(),
            executor: self.executor.clone(),
        }
    }
}

impl<R: Runtime> fmt::Debug for RuntimeHub<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hub.fmt(f)
    }
}

impl<R: Runtime> Deref for RuntimeHub<R> {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

impl<R: Runtime> RuntimeHub<R> {
    /// Creates a hub without connections.
    ///
    /// # Errors
    ///
    /// An inconsistent configuration is an error that names the field, the value and the rule.
    pub fn new(config: Config, application: impl Application) -> Result<Self, ConfigError> {
        let (hub, host) = host(config, application, R::Timer::now)?;
        Ok(Self {
            hub,
            host,
            executor: None,
        })
    }

    /// Sets the executor of the hub's tasks. By default it is the runtime of the first `serve` or
    /// `accept`.
    #[must_use]
    pub fn spawn_on(self, executor: R::Executor) -> Self {
        Self {
            executor: Some(executor),
            ..self
        }
    }

    /// Takes a TCP stream that the application accepted itself and expects a request on it. `early`
    /// contains bytes that were already read from it.
    ///
    /// # Errors
    ///
    /// Fails outside of a runtime while the hub has not started, or if the hub's runtime has shut down.
    pub fn accept(&self, stream: R::TcpStream, early: Vec<u8>) -> io::Result<()> {
        let (socket, peer) = R::socket(stream)?;
        self.attach(socket, peer, Arrival::Fresh(None), early)
    }

    /// Takes any other stream that can be read and written, such as a TLS stream.
    ///
    /// `limits.unsent_bytes` does not apply to it: set `TCP_NOTSENT_LOWAT` on the underlying TCP socket.
    /// Otherwise a slow reader is noticed only when the kernel's send buffer is full, too.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_stream<T>(&self, stream: T, peer: IpAddr, early: Vec<u8>) -> io::Result<()>
    where
        R: Polls<T>,
    {
        self.accept_polled(stream, peer, Arrival::Fresh(None), early)
    }

    /// Takes a stream that the application has already upgraded: the 101 response has been sent, and
    /// `request` is the request that it answered.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_upgraded<T>(
        &self,
        stream: T,
        peer: IpAddr,
        request: Request,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        R: Polls<T>,
    {
        self.accept_polled(stream, peer, Arrival::Upgraded(Box::new(request)), early)
    }

    fn accept_polled<T>(
        &self,
        stream: T,
        peer: IpAddr,
        arrival: Arrival,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        R: Polls<T>,
    {
        let socket = AnySocket::new(PolledSocket::new(R::adapt(stream)));
        self.attach(socket, peer, arrival, early)
    }

    fn attach(
        &self,
        socket: AnySocket,
        peer: IpAddr,
        arrival: Arrival,
        early: Vec<u8>,
    ) -> io::Result<()> {
        let executor = || self.executor();
        self.host
            .attach::<R>(executor, socket, peer, arrival, early)
    }

    fn executor(&self) -> io::Result<R::Executor> {
        self.executor.clone().map_or_else(R::executor, Ok)
    }
}

/// Accepts connections until the hub is drained. Created by `serve`; await it.
#[must_use = "`Serve` does nothing unless awaited"]
pub struct Serve<R: Runtime> {
    listener: R::Listener,
    hub: RuntimeHub<R>,
    pages: Option<Pages>,
}

impl<R: Runtime> Serve<R> {
    /// Accepts all connections of `listener` into `hub`, until the hub is drained.
    pub fn new(listener: R::Listener, hub: RuntimeHub<R>) -> Self {
        Self {
            listener,
            hub,
            pages: None,
        }
    }

    /// Answers requests that are not upgrades, such as pages, statistics and health checks. Without this
    /// they get 404. HTTP/1.0 is accepted for them, because the health checks of some proxies use it.
    pub fn with_pages<F, A>(self, pages: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = PageResponse> + Send + 'static,
    {
        Self {
            pages: Some(Arc::new(move |request| Box::pin(pages(request)))),
            ..self
        }
    }

    async fn run(self) -> io::Result<DrainReport> {
        let Self {
            listener,
            hub,
            pages,
        } = self;
        let executor = hub.executor()?;
        hub.host.start::<R>(|| Ok(executor.clone()))?;
        let acceptor = R::acceptor(&executor, listener)?;
        let mut drained = pin!(hub.drained());
        let mut turn: usize = 0;
        loop {
            turn += 1;
            if turn.is_multiple_of(ACCEPTS) {
                R::yield_now().await;
            }
            let accepted = poll_fn(|context| match drained.as_mut().poll(context) {
                Poll::Ready(report) => Poll::Ready(Err(report)),
                Poll::Pending => R::poll_accept(&acceptor, context).map(Ok),
            });
            match accepted.await {
                Ok(Ok((socket, peer))) => {
                    hub.attach(socket, peer, Arrival::Fresh(pages.clone()), Vec::new())?;
                }
                Ok(Err(error)) => {
                    warn!(%error, "accept failed");
                    let mut rest = R::Timer::new(R::Timer::now() + REST);
                    poll_fn(|context| rest.poll(context)).await;
                }
                Err(report) => return Ok(report),
            }
        }
    }
}

impl<R: Runtime> IntoFuture for Serve<R> {
    type Output = io::Result<DrainReport>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

//! The handle of one runtime, and the loop of a listener.

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

/// How long accepting rests after an error that others cause, such as too many open files.
const REST: Duration = Duration::from_millis(50);

/// Connections that are accepted before everybody else gets a turn.
const ACCEPTS: usize = 16;

/// A [`Hub`] that knows its runtime, and so the ways into it: cheap to clone, usable from any task
/// or thread. What does not take a stream stands at [`Hub`], to which it dereferences.
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
    /// A hub without connections. What does not go together in `config` is an error that names the
    /// field, the value and the rule.
    pub fn new(config: Config, application: impl Application) -> Result<Self, ConfigError> {
        let (hub, host) = host(config, application, R::Timer::now)?;
        Ok(Self {
            hub,
            host,
            executor: None,
        })
    }

    /// Where its tasks run. By default in the runtime that `serve` or `accept` is called in.
    #[must_use]
    pub fn spawn_on(self, executor: R::Executor) -> Self {
        Self {
            executor: Some(executor),
            ..self
        }
    }

    /// Takes a TCP stream that the application accepted itself; a request is expected on it. `early`
    /// are bytes that were read from it already.
    ///
    /// An error where the hub does not run yet and this is called outside of the runtime, or where the
    /// runtime of the hub has ended. The same holds for the other ways in.
    pub fn accept(&self, stream: R::TcpStream, early: Vec<u8>) -> io::Result<()> {
        let (socket, peer) = R::socket(stream)?;
        self.attach(socket, peer, Arrival::Fresh(None), early)
    }

    /// Takes any other stream that can be read and written, such as one over TLS.
    ///
    /// `limits.unsent_bytes` cannot be applied to it: under such a stream set `TCP_NOTSENT_LOWAT` on the
    /// TCP socket, or a slow reader is noticed only when the kernel's send buffer is full too.
    pub fn accept_stream<T>(&self, stream: T, peer: IpAddr, early: Vec<u8>) -> io::Result<()>
    where
        R: Polls<T>,
    {
        self.accept_polled(stream, peer, Arrival::Fresh(None), early)
    }

    /// Takes a stream that the application has upgraded itself: the 101 response is sent, and
    /// `request` says what it was asked for.
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

/// A listener at work; await it.
#[must_use = "it does nothing unless awaited"]
pub struct Serve<R: Runtime> {
    listener: R::Listener,
    hub: RuntimeHub<R>,
    pages: Option<Pages>,
}

impl<R: Runtime> Serve<R> {
    /// Takes every connection of a listener into the hub, until the hub is drained.
    pub fn new(listener: R::Listener, hub: RuntimeHub<R>) -> Self {
        Self {
            listener,
            hub,
            pages: None,
        }
    }

    /// Answers requests that are no upgrade: a page, statistics, a health check. Without this they
    /// are answered with 404. Such requests may be of HTTP/1.0, as the health checks of some proxies
    /// are.
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
                    warn!(%error, "cannot accept");
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

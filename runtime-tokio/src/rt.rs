//! Implements the driver's runtime traits with tokio's tasks and timers.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

#[cfg(feature = "redis")]
use switchboard_runtime::BoxFuture;
#[cfg(feature = "redis")]
use switchboard_runtime::redis::adapter::{Config, Link, run};
use switchboard_runtime::{
    AnySocket, Foreign, IntoExecutor, IntoListener, IntoSocket, PolledBy, Runtime, Timer,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::socket::Polled;
use crate::tcp;

/// The executor that a hub spawns its tasks on.
pub type Executor = tokio::runtime::Handle;

/// The tokio runtime, as the driver's types name it. Methods of [`Hub`](crate::Hub) infer it from their
/// arguments.
#[derive(Debug)]
pub enum Tokio {}

impl Runtime for Tokio {
    type Executor = Executor;
    type Timer = Sleep;
    type Listener = TcpListener;
    type Acceptor = tcp::Acceptor;
    type Sockets = tcp::Sockets;

    fn executor() -> io::Result<Executor> {
        Executor::try_current().map_err(io::Error::other)
    }

    fn threads(executor: &Executor) -> usize {
        executor.metrics().num_workers()
    }

    fn spawn(executor: &Executor, future: impl Future<Output = ()> + Send + 'static) {
        executor.spawn(future);
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sockets() -> io::Result<tcp::Sockets> {
        tcp::sockets()
    }

    fn acceptor(executor: &Executor, listener: TcpListener) -> io::Result<tcp::Acceptor> {
        let _entered = executor.enter();
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

impl IntoExecutor<Tokio> for Executor {
    fn into_executor(self) -> Executor {
        self
    }
}

impl IntoListener<Tokio> for TcpListener {
    fn into_listener(self) -> TcpListener {
        self
    }
}

impl IntoSocket<Tokio> for TcpStream {
    fn into_socket(self) -> io::Result<(AnySocket, IpAddr)> {
        tcp::socket(self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> PolledBy<Tokio> for Foreign<S> {
    type Stream = Polled<S>;

    fn adapt(self) -> Polled<S> {
        Polled(self.0)
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

//! Lets servers run on tokio: how connections are accepted, and sockets watched.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};

#[cfg(feature = "redis")]
use switchboard_runtime::BoxFuture;
#[cfg(feature = "redis")]
use switchboard_runtime::redis::adapter::{Config, Link, run};
use switchboard_runtime::{
    AnySocket, Foreign, IntoExecutor, IntoListener, IntoSocket, Listen, PolledBy,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::rt::{Executor, Tokio};
use crate::socket::Polled;
use crate::tcp;

impl Listen for Tokio {
    type Listener = TcpListener;
    type Acceptor = tcp::Acceptor;
    type Sockets = tcp::Sockets;

    fn threads(executor: &Executor) -> usize {
        executor.metrics().num_workers()
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sockets() -> io::Result<tcp::Sockets> {
        tcp::sockets()
    }

    fn acceptor(
        executor: &Executor,
        listener: TcpListener,
        unsent_bytes: usize,
    ) -> io::Result<tcp::Acceptor> {
        let _entered = executor.enter();
        tcp::acceptor(listener, unsent_bytes)
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

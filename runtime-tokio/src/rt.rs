//! tokio's tasks and timers.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use switchboard_runtime::{Polls, Runtime, Timer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::socket::{Polled, Tcp};

/// Where a hub's tasks run.
pub type Executor = tokio::runtime::Handle;

/// The runtime, as the driver wants it.
#[derive(Debug)]
pub enum Tokio {}

impl Runtime for Tokio {
    type Executor = Executor;
    type Timer = Sleep;
    type Listener = TcpListener;
    type TcpStream = TcpStream;
    type TcpSocket = Tcp;

    fn executor() -> Executor {
        Executor::current()
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

    fn poll_accept(
        listener: &TcpListener,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<TcpStream>> {
        listener.poll_accept(context).map_ok(|(stream, _)| stream)
    }

    fn socket(stream: TcpStream) -> io::Result<(Tcp, IpAddr)> {
        let peer = stream.peer_addr()?.ip();
        stream.set_nodelay(true)?;
        Ok((Tcp(stream), peer))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Polls<T> for Tokio {
    type Stream = Polled<T>;

    fn adapt(stream: T) -> Polled<T> {
        Polled(stream)
    }
}

/// tokio's timer.
pub struct Sleep(Pin<Box<tokio::time::Sleep>>);

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

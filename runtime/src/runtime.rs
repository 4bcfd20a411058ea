//! What a runtime has to bring.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::machine;
use crate::net::{AnySocket, Sockets, Stream};

/// A future that can be kept and sent.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a runtime has to bring.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Where its tasks run.
    type Executor: Clone + Debug + Send + Sync + 'static;
    /// Its timer.
    type Timer: Timer;
    /// Its TCP listener.
    type Listener: Send + Sync + 'static;
    /// Its TCP stream.
    type TcpStream: Send + 'static;
    /// A listener at work.
    type Acceptor: Send + Sync + 'static;
    /// What the sockets of an event loop are watched with.
    type Sockets: Sockets;

    /// Where tasks run if nobody says otherwise; an error where this is called outside of any runtime.
    fn executor() -> io::Result<Self::Executor>;

    /// How many threads run what is spawned there.
    fn threads(executor: &Self::Executor) -> usize;

    /// Runs a future to its end, in the background.
    fn spawn(executor: &Self::Executor, future: impl Future<Output = ()> + Send + 'static);

    /// Lets everything else that is ready run, input included, before it is done.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Something to watch sockets with, by the runtime that this is called in.
    fn sockets() -> io::Result<Self::Sockets>;

    /// Takes over a listener.
    fn acceptor(executor: &Self::Executor, listener: Self::Listener) -> io::Result<Self::Acceptor>;

    /// The next connection, without Nagle's delay, and whose it is.
    fn poll_accept(
        acceptor: &Self::Acceptor,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(AnySocket, IpAddr)>>;

    /// Makes a socket of a stream, without Nagle's delay, and says whose it is.
    fn socket(stream: Self::TcpStream) -> io::Result<(AnySocket, IpAddr)>;
}

/// A runtime that knows how to poll streams of this type.
pub trait Polls<T>: Runtime {
    /// The stream in the driver's shape.
    type Stream: Stream;

    /// Brings it into that shape.
    fn adapt(stream: T) -> Self::Stream;
}

/// A timer that can be set again.
pub trait Timer: Send + 'static {
    /// The time by the clock that this timer waits on. A runtime whose clock can be paused has to give
    /// the time of that clock: otherwise its timers come early by the clock here, again and again.
    fn now() -> Instant {
        machine::now()
    }

    /// A timer that is done at `at`.
    fn new(at: Instant) -> Self;

    /// Sets it anew.
    fn set(&mut self, at: Instant);

    /// Whether its time has come.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

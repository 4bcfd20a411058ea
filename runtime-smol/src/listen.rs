//! Lets servers run on smol: how connections are accepted, and sockets watched.

use std::io;
use std::net::IpAddr;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::sync::OnceLock;
use std::task::{Context, Poll};

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::{TcpListener, TcpStream};
#[cfg(feature = "redis")]
use switchboard_runtime::BoxFuture;
#[cfg(feature = "redis")]
use switchboard_runtime::redis::adapter::{Config, Link, run};
use switchboard_runtime::{
    AnySocket, Foreign, IntoExecutor, IntoListener, IntoSocket, Listen, PolledBy,
};

use crate::rt::{Executor, Smol};
use crate::socket::Polled;
use crate::tcp;

impl Listen for Smol {
    type Listener = TcpListener;
    type Acceptor = tcp::Acceptor;
    type Sockets = tcp::Sockets;

    fn threads(executor: &Executor) -> usize {
        executor.threads
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

    fn acceptor(
        _: &Executor,
        listener: TcpListener,
        unsent_bytes: usize,
    ) -> io::Result<tcp::Acceptor> {
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::Arc;
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

//! Adapts tokio to the suite.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use crate::suite::streams::Held;

pub(crate) use crate::suite::runtime::{WebSocket, bind, bind_to};
pub(crate) use switchboard_tokio::*;
pub(crate) use tokio::io::{AsyncReadExt, AsyncWriteExt};
pub(crate) use tokio::net::{TcpListener, TcpStream};
pub(crate) use tokio_rustls::TlsAcceptor;
pub(crate) use tokio_tungstenite as websocket;
pub(crate) use tokio_tungstenite::tungstenite::Message as WebSocketMessage;
pub(crate) use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A runtime for one server; with one thread, the current-thread runtime.
pub(crate) struct Runtime {
    handle: Handle,
    stop: Arc<Notify>,
}

impl Runtime {
    pub(crate) fn new(threads: usize) -> Self {
        let mut builder = match threads {
            1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        if threads > 1 {
            builder.worker_threads(threads);
        }
        let runtime = builder.enable_all().build().expect("a runtime");
        let (handle, stop) = (runtime.handle().clone(), Arc::new(Notify::new()));
        let stopped = stop.clone();
        thread::spawn(move || {
            runtime.block_on(stopped.notified());
            runtime.shutdown_background();
        });
        Self { handle, stop }
    }

    pub(crate) fn executor(&self) -> Executor {
        self.handle.clone()
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(future);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

/// Returns the stream as hyper reads it.
pub(crate) fn hyper_io(stream: TcpStream) -> hyper_util::rt::TokioIo<TcpStream> {
    hyper_util::rt::TokioIo::new(stream)
}

/// Spawns on the caller's runtime.
pub(crate) fn spawn_here(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Returns both ends of an in-memory stream that buffers this many bytes each way.
pub(crate) fn pipe(bytes: usize) -> (tokio::io::DuplexStream, tokio::io::DuplexStream) {
    tokio::io::duplex(bytes)
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.gate.count_read(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let write = |stream: &mut S, context: &mut Context<'_>, bytes: &[u8]| {
            Pin::new(stream).poll_write(context, bytes)
        };
        ready!(self.poll_send(context, write))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

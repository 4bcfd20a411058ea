//! Adapts smol to the suite.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use smol::channel::{Sender, unbounded};
use smol::io::{AsyncRead, AsyncWrite};

use crate::suite::streams::Held;

pub(crate) use crate::suite::runtime::{WebSocket, bind, bind_to};
pub(crate) use async_tungstenite as websocket;
pub(crate) use async_tungstenite::tungstenite::Message as WebSocketMessage;
pub(crate) use async_tungstenite::tungstenite::handshake::derive_accept_key;
pub(crate) use futures_rustls::TlsAcceptor;
pub(crate) use smol::io::{AsyncReadExt, AsyncWriteExt};
pub(crate) use smol::net::{TcpListener, TcpStream};
pub(crate) use switchboard_smol::*;

/// An executor for one server, with this many threads.
pub(crate) struct Runtime {
    executor: Arc<smol::Executor<'static>>,
    threads: usize,
    /// Stops the threads when dropped.
    _running: Sender<()>,
}

impl Runtime {
    pub(crate) fn new(threads: usize) -> Self {
        let executor = Arc::new(smol::Executor::new());
        let (running, stop) = unbounded::<()>();
        for _ in 0..threads {
            let (executor, stop) = (executor.clone(), stop.clone());
            thread::spawn(move || {
                let _ = smol::block_on(executor.run(stop.recv()));
            });
        }
        Self {
            executor,
            threads,
            _running: running,
        }
    }

    pub(crate) fn executor(&self) -> Executor {
        Executor::new(self.executor.clone(), self.threads)
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.executor.spawn(future).detach();
    }
}

/// Returns the stream as hyper reads it.
pub(crate) fn hyper_io(stream: TcpStream) -> smol_hyper::rt::FuturesIo<TcpStream> {
    smol_hyper::rt::FuturesIo::new(stream)
}

/// Spawns on smol's global executor.
pub(crate) fn spawn_here(future: impl Future<Output = ()> + Send + 'static) {
    smol::spawn(future).detach();
}

pub(crate) async fn sleep(time: Duration) {
    smol::Timer::after(time).await;
}

/// Returns both ends of an in-memory stream that buffers this many bytes each way.
pub(crate) fn pipe(bytes: usize) -> (Pipe, Pipe) {
    let (near_reader, far_writer) = piper::pipe(bytes);
    let (far_reader, near_writer) = piper::pipe(bytes);
    let near = Pipe {
        reader: near_reader,
        writer: Some(near_writer),
    };
    let far = Pipe {
        reader: far_reader,
        writer: Some(far_writer),
    };
    (near, far)
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.gate.count_read(read);
        Poll::Ready(Ok(read))
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

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.stream).poll_close(context)
    }
}

/// One end of an in-memory stream.
pub(crate) struct Pipe {
    reader: piper::Reader,
    writer: Option<piper::Writer>,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer = None;
        Poll::Ready(Ok(()))
    }
}

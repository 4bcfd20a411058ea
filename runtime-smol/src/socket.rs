//! smol's streams.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use switchboard_runtime::{Socket, Stream};

/// A TCP stream, written from whatever thread has something to write.
#[derive(Debug)]
pub struct Tcp {
    stream: Arc<Async<TcpStream>>,
    /// The last read took everything there was.
    drained: AtomicBool,
}

impl Tcp {
    pub(crate) fn new(stream: smol::net::TcpStream) -> Self {
        Self {
            stream: stream.into(),
            drained: AtomicBool::new(false),
        }
    }
}

impl Socket for Tcp {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            // After a short read it is known that the next would be in vain.
            if !self.drained.swap(false, Ordering::Relaxed) {
                match self.stream.get_ref().read(buffer) {
                    Ok(bytes) => {
                        let short = bytes > 0 && bytes < buffer.len();
                        self.drained.store(short, Ordering::Relaxed);
                        return Poll::Ready(Ok(bytes));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            let ready = self.stream.poll_readable(context);
            if ready.is_pending() {
                self.drained.store(true, Ordering::Relaxed);
            }
            ready!(ready)?;
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.get_ref().write(bytes)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_writable(context)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }
}

/// Any other stream.
#[derive(Debug)]
pub struct Polled<T>(pub(crate) T);

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for Polled<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}

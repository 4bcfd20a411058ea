//! The byte stream of a connection, in the traits that the client library reads and writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::inbound::Meter;
use crate::net::Stream;
use crate::sync::Arc;

/// Bytes of one read: the buffer is zeroed before each.
const READ: usize = 64 << 10;

/// A stream that is read in turns, and that fails where an answer is too long.
pub(super) struct Metered<S> {
    stream: Pin<Box<S>>,
    meter: Arc<Meter>,
}

impl<S: Stream> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self {
            stream: Box::pin(stream),
            meter,
        }
    }
}

impl<S: Stream> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.meter.may_read() {
            // The rest of the task has its turn first.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let unread = buffer.remaining().min(READ);
        let unread = buffer.initialize_unfilled_to(unread);
        let count = ready!(self.stream.as_mut().poll_read(context, unread))?;
        if !self.meter.has_read(count) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_close(context)
    }
}

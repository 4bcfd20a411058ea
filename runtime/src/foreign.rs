//! Streams that can only be polled: TLS, or what another library upgraded.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::socket::Socket;

/// A stream in the shape that both runtimes' traits can be brought to.
pub trait Stream: Send + 'static {
    /// Reads; 0 is the end.
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Writes.
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>>;

    /// Hands on what it holds back.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the write side.
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A [`Socket`] made of a [`Stream`]: whoever writes does so with the waker of the connection's own
/// task, which is woken when there is a reason to try again.
pub struct Foreign<T> {
    inner: Mutex<Inner<T>>,
    /// The last attempt to write did not get through, and nothing has happened since.
    stuck: AtomicBool,
}

struct Inner<T> {
    stream: Pin<Box<T>>,
    /// Of the connection's task.
    waker: Option<Waker>,
}

impl<T: Stream> Foreign<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        let inner = Inner {
            stream: Box::pin(stream),
            waker: None,
        };
        Self {
            inner: Mutex::new(inner),
            stuck: AtomicBool::new(false),
        }
    }

    fn with<R>(
        &self,
        call: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> io::Result<R> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { stream, waker } = &mut *inner;
        let waker = waker.as_ref().unwrap_or(Waker::noop());
        match call(stream.as_mut(), &mut Context::from_waker(waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<T: Stream> Socket for Foreign<T> {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { stream, waker } = &mut *inner;
        match waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
        // What a stream has taken is only sent when it is flushed to the end.
        let _ = stream.as_mut().poll_flush(context);
        stream.as_mut().poll_read(context, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.with(|stream, context| stream.poll_write(context, bytes));
        match &written {
            Ok(_) => {
                let _ = self.with(Stream::poll_flush);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.stuck.store(true, Ordering::Release);
            }
            Err(_) => {}
        }
        written
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The stream has our task's waker: the next time we come here there is a reason.
        if self.stuck.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        match self.with(Stream::poll_flush) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.with(Stream::poll_close)
    }
}

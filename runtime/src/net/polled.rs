//! Sockets made of streams that can only be polled, such as TLS or a stream upgraded by another library.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;

use super::socket::Socket;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};

/// A byte stream; both runtimes' I/O traits can be adapted to it.
pub trait Stream: Send + 'static {
    /// Reads into `buffer`. 0 means the end of the stream.
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Writes some of `bytes`.
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>>;

    /// Flushes buffered data.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Shuts down the write side.
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A [`Socket`] made of a [`Stream`]. The stream always gets the same waker, for reading and writing,
/// whoever polls it: it wakes the connection's task and records that a write may be retried.
pub struct PolledSocket<T> {
    inner: Mutex<Inner<T>>,
    reason: Arc<Reason>,
    waker: Waker,
}

struct Inner<T> {
    stream: Pin<Box<T>>,
    write_side: WriteSide,
}

#[derive(Clone, Copy)]
enum WriteSide {
    Open,
    /// Shutdown has begun; it may take several attempts.
    Closing,
    Closed,
}

impl<T: Stream> Inner<T> {
    /// Flushes or closes: bytes accepted by a stream are sent only when that completes.
    fn poll_onward(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.write_side {
            WriteSide::Open => self.stream.as_mut().poll_flush(context),
            WriteSide::Closing => {
                let closed = self.stream.as_mut().poll_close(context);
                if closed.is_ready() {
                    self.write_side = WriteSide::Closed;
                }
                closed
            }
            WriteSide::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// Records that a write may be retried.
struct Reason {
    given: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Reason {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.given.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<T: Stream> PolledSocket<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        let reason = Arc::new(Reason {
            given: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        Self {
            inner: Mutex::new(Inner {
                stream: Box::pin(stream),
                write_side: WriteSide::Open,
            }),
            waker: reason.clone().into(),
            reason,
        }
    }

    fn with<R>(
        &self,
        call: impl FnOnce(&mut Inner<T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut context = Context::from_waker(&self.waker);
        // A panic of the stream must end this connection only, not the event loop.
        catch_unwind(AssertUnwindSafe(|| call(&mut inner, &mut context)))
            .unwrap_or_else(|_| Poll::Ready(Err(io::Error::other("the stream panicked"))))
    }
}

fn or_would_block<R>(polled: Poll<io::Result<R>>) -> io::Result<R> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<T: Stream> Socket for PolledSocket<T> {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.reason.task.register(context.waker());
        self.with(|inner, context| inner.stream.as_mut().poll_read(context, buffer))
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(self.with(|inner, context| {
            // Before the attempt, so that a wake-up during it is not lost.
            self.reason.given.store(false, Ordering::Release);
            let written = inner.stream.as_mut().poll_write(context, bytes);
            if matches!(written, Poll::Ready(Ok(_))) {
                let _ = inner.poll_onward(context);
            }
            written
        }))
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reason.task.register(context.waker());
        if self.reason.given.load(Ordering::Acquire) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn shutdown_write(&self) -> io::Result<()> {
        or_would_block(self.with(|inner, context| {
            inner.write_side = WriteSide::Closing;
            inner.poll_onward(context)
        }))
    }

    // An error shows at the next read or write.
    fn drive_writes(&self, context: &mut Context<'_>) {
        self.reason.task.register(context.waker());
        let _ = self.with(Inner::poll_onward);
    }
}

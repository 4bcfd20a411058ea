//! What a stream has to be able to do.

use std::io;
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use switchboard_core::CloseReason;

use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};

/// A stream that one task reads, and that whoever holds the turn writes.
pub trait Socket: Send + Sync + 'static {
    /// Reads into `buffer`; 0 is the end. Only the connection's own task calls this.
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes what the stream takes now; `WouldBlock` if that is nothing. Called from any thread,
    /// by one at a time.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether it is worth trying to write. Only the connection's own task calls this.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the write side; the read side goes on.
    fn shutdown_write(&self) -> io::Result<()>;
}

/// How the connection was read has changed.
pub(crate) const INTAKE: u8 = 1;
/// The socket took less than it was given.
pub(crate) const BLOCKED: u8 = 2;
/// The connection has ended; [`Link::take_ended`] says how.
pub(crate) const ENDED: u8 = 4;
/// The connection has gone.
pub(crate) const GONE: u8 = 8;

/// A socket, and the mailbox of the task that reads it.
pub(crate) struct Link<S: ?Sized> {
    waker: AtomicWaker,
    flags: AtomicU8,
    ended: Mutex<Option<Box<Ended>>>,
    pub(crate) socket: S,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) rooms: Vec<Arc<str>>,
    pub(crate) reason: CloseReason,
}

impl<S> Link<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            waker: AtomicWaker::new(),
            flags: AtomicU8::new(0),
            ended: Mutex::new(None),
            socket,
        }
    }

    pub(crate) fn register(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Takes what has been signalled.
    pub(crate) fn take_flags(&self) -> u8 {
        self.flags.swap(0, Ordering::AcqRel)
    }

    /// Whether something has been signalled and not taken.
    pub(crate) fn is_signalled(&self) -> bool {
        self.flags.load(Ordering::Acquire) != 0
    }

    pub(crate) fn take_ended(&self) -> Option<Box<Ended>> {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl<S: ?Sized> Link<S> {
    /// Tells the task something.
    pub(crate) fn signal(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Leaves word of the end; the task is told by a signal.
    pub(crate) fn end(&self, ended: Ended) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(ended));
    }
}

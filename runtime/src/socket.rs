//! What a stream has to be able to do, and what everybody who knows a connection shares.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};

use switchboard_core::session::Ended;

#[cfg(target_os = "linux")]
use crate::epoll::Tcp;
use crate::inbox::{Inbox, TaskWaker};
use crate::shared::Shared;
use crate::sockets::Readiness;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, Weak};

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

    /// Goes on with what the stream has taken but not sent. The connection's own task calls this
    /// whenever it is polled, also while it does not read. Nothing to do where bytes that were taken
    /// are sent without further calls.
    fn drive_writes(&self, context: &mut Context<'_>) {
        let _ = context;
    }
}

/// A [`Socket`] of whatever kind.
pub struct AnySocket(Kind);

enum Kind {
    /// One that an epoll set tells of: the usual one, so that it costs no allocation of its own.
    #[cfg(target_os = "linux")]
    Tcp(Tcp),
    Other(Box<dyn Socket>),
}

impl AnySocket {
    /// A socket that wakes its task by itself.
    pub fn new(socket: impl Socket) -> Self {
        Self(Kind::Other(Box::new(socket)))
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn tcp(socket: Tcp) -> Self {
        Self(Kind::Tcp(socket))
    }

    /// The socket, if it is one that an epoll set tells of.
    #[cfg(target_os = "linux")]
    pub(crate) fn as_tcp(&self) -> Option<&Tcp> {
        match &self.0 {
            Kind::Tcp(socket) => Some(socket),
            Kind::Other(_) => None,
        }
    }

    /// Lets the kernel hold so many unsent bytes, where this is a socket whose stream is known.
    pub(crate) fn limit_unsent(&self, bytes: usize) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket.limit_unsent(bytes),
            Kind::Other(_) => {
                let _ = bytes;
            }
        }
    }

    /// Takes note of what has changed; a socket of another kind knows by itself.
    pub(crate) fn note(&self, readiness: Readiness) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket.note(readiness),
            Kind::Other(_) => {
                let _ = readiness;
            }
        }
    }

    fn socket(&self) -> &dyn Socket {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket,
            Kind::Other(socket) => &**socket,
        }
    }
}

impl fmt::Debug for AnySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnySocket").finish_non_exhaustive()
    }
}

/// In the place of a socket that has been closed.
pub(crate) struct NoSocket;

impl Socket for NoSocket {
    fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn try_write(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }
}

/// How the connection was read has changed.
pub(crate) const READ_MODE: u8 = 1;
/// The socket took less than it was given.
pub(crate) const BLOCKED: u8 = 2;
/// The connection has ended; [`Link::take_end`] says how.
pub(crate) const ENDED: u8 = 4;
/// The connection has gone.
pub(crate) const GONE: u8 = 8;

/// A socket, and the way to the task that reads it.
// The socket comes first, next to the count of references: a writer looks at nothing else.
#[repr(C)]
pub(crate) struct Link {
    pub(crate) socket: AnySocket,
    flags: AtomicU8,
    pub(crate) task_waker: TaskWaker,
    /// For the log: the client's address, as far as it is known.
    peer: Mutex<IpAddr>,
    end: Mutex<Option<Box<End>>>,
}

/// The end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) ended: Ended,
    pub(crate) farewell: Farewell,
}

/// The application is still to be told of an end, until this is dropped: at the end of its hook,
/// however it ends, or with whatever was to call it.
pub(crate) struct Farewell(Weak<Shared>);

impl Farewell {
    pub(crate) fn new(shared: Weak<Shared>) -> Self {
        Self(shared)
    }
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

impl Drop for Farewell {
    /// Takes the lock of the core, so it must not be held.
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.with(|locked, now| locked.switchboard.disconnect_hook_done(now));
        }
    }
}

impl Link {
    pub(crate) fn new(socket: AnySocket, peer: IpAddr, inbox: Arc<Inbox>) -> Self {
        Self {
            peer: Mutex::new(peer),
            task_waker: TaskWaker::new(inbox),
            flags: AtomicU8::new(0),
            end: Mutex::new(None),
            socket,
        }
    }

    /// The client's address; where a proxy is trusted, that of the proxy until the request is read.
    pub(crate) fn peer(&self) -> IpAddr {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_peer(&self, peer: IpAddr) {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    /// Tells the task something.
    pub(crate) fn signal(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.task_waker.ring();
    }

    /// Takes what has been signalled.
    pub(crate) fn take_flags(&self) -> u8 {
        if self.is_signalled() {
            self.flags.swap(0, Ordering::AcqRel)
        } else {
            0
        }
    }

    /// Whether something has been signalled and not taken.
    pub(crate) fn is_signalled(&self) -> bool {
        self.flags.load(Ordering::Acquire) != 0
    }

    /// Leaves word of the end; the task is told by a signal.
    pub(crate) fn set_end(&self, end: End) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(end));
    }

    pub(crate) fn take_end(&self) -> Option<Box<End>> {
        self.end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Socket for AnySocket {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.socket().poll_read(context, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket().try_write(bytes)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_writable(context)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.socket().shutdown_write()
    }

    fn drive_writes(&self, context: &mut Context<'_>) {
        self.socket().drive_writes(context);
    }
}

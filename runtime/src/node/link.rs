//! What everybody who knows a connection shares, and how it reaches its event loop.

use std::fmt;
use std::net::IpAddr;

use switchboard_core::response::PageResponse;
use switchboard_core::session::Ended;
use switchboard_core::{ConnectionId, Request};

use super::inbox;
use crate::net::AnySocket;
use crate::runtime::BoxFuture;
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{Arc, Mutex, PoisonError, Weak};

pub(crate) type Inbox = inbox::Inbox<Arrived>;
pub(crate) type Posted = inbox::Posted<Arrived>;
pub(crate) type TaskWaker = inbox::TaskWaker<Arrived>;

/// Makes the answers to requests that are no upgrade.
pub(crate) type Pages = Arc<dyn Fn(Request) -> BoxFuture<PageResponse> + Send + Sync>;

/// How a stream arrives.
pub(crate) enum Arrival {
    /// From its first byte on: a request is expected. Without pages, one that is no upgrade is
    /// answered with 404.
    Fresh(Option<Pages>),
    /// The application has read the request and sent the 101 response.
    Upgraded(Box<Request>),
}

/// A connection that its event loop has not seen yet.
pub(crate) struct Arrived {
    pub(crate) link: Arc<Link>,
    pub(crate) id: ConnectionId,
    pub(crate) peer: IpAddr,
    pub(crate) arrival: Arrival,
    /// Bytes that were read from it before.
    pub(crate) early: Vec<u8>,
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
pub(crate) struct Farewell(Weak<dyn Farewells>);

/// Counts the ends that the application is still to be told of.
pub(crate) trait Farewells: Send + Sync {
    /// One of them has been told. Takes the lock of the core, so it must not be held.
    fn farewell_said(&self);
}

impl Farewell {
    pub(crate) fn new(count: Weak<dyn Farewells>) -> Self {
        Self(count)
    }
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(count) = self.0.upgrade() {
            count.farewell_said();
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

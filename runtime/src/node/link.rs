//! The shared part of a connection, through which others reach its event loop.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use switchboard_core::response::PageResponse;
use switchboard_core::session::{Ended, RoomChanges};
use switchboard_core::{Admission, ConnectionId, Request};
use tracing::field::{DisplayValue, display};

use super::inbox;
use crate::net::AnySocket;
use crate::runtime::BoxFuture;
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) type Inbox = inbox::Inbox<Arrived>;
pub(crate) type Posted = inbox::Posted<Arrived>;
pub(crate) type TaskWaker = inbox::TaskWaker<Arrived>;

/// Answers requests that are not upgrades.
pub(crate) type Pages = Arc<dyn Fn(Request) -> BoxFuture<PageResponse> + Send + Sync>;

/// The way in which a stream was handed over.
pub(crate) enum Arrival {
    /// From its first byte, so a request is expected. Without pages, a request that is not an upgrade gets
    /// 404.
    Fresh(Option<Pages>),
    /// The same, without pages, of a client that the application knows already.
    #[cfg(feature = "http")]
    Stated(Box<Admission>),
    /// Upgraded: the application has read the request and sent the 101 response.
    Upgraded(Box<Upgraded>),
}

/// What is known of a stream that the application has upgraded.
pub(crate) struct Upgraded {
    pub(crate) request: Request,
    /// The identity of the client, if the application has already supplied it.
    pub(crate) admission: Option<Admission>,
}

/// A connection that its event loop has not taken yet.
pub(crate) struct Arrived {
    pub(crate) link: Arc<Link>,
    pub(crate) id: ConnectionId,
    pub(crate) peer: IpAddr,
    pub(crate) arrival: Arrival,
    /// Bytes that were already read from it.
    pub(crate) early: Vec<u8>,
}

/// The connection's state in the core has changed: its read mode, or it has ended, or it is gone. Which of
/// these is found under the lock of the core, with [`Link::take_end`], so that the task sees them in order.
pub(crate) const CHANGED: u8 = 1;
/// A write was incomplete.
pub(crate) const BLOCKED: u8 = 2;
/// The connection has entered or left rooms, which [`Link::take_rooms`] returns.
pub(crate) const ROOMS: u8 = 4;

/// The fields of log lines about a connection.
#[derive(Clone, Debug)]
pub(crate) struct LogFields {
    /// The client's address; behind a trusted proxy, the proxy's until the request is read. One that is
    /// IPv4-mapped is shown as IPv4.
    pub(crate) peer: IpAddr,
    user: Option<Arc<str>>,
}

impl LogFields {
    /// The user is known once the connection is admitted.
    pub(crate) const fn new(peer: IpAddr, user: Option<Arc<str>>) -> Self {
        Self { peer, user }
    }

    pub(crate) fn set_user(&mut self, user: &Arc<str>) {
        self.user = Some(user.clone());
    }

    /// Returns the user, once the connection is admitted.
    pub(crate) fn user(&self) -> Option<DisplayValue<&str>> {
        self.user.as_deref().map(display)
    }
}

/// A connection's socket, and the means to signal its task.
// The socket comes first, next to the reference count, because a writer uses nothing else.
#[repr(C)]
pub(crate) struct Link {
    pub(crate) socket: AnySocket,
    pub(crate) task_waker: TaskWaker,
    state: Mutex<State>,
}

// There is one per connection, and with the two counts of its references it fills a block of the allocator.
#[cfg(not(test))]
const _: () = assert!(size_of::<Link>() <= 72);

/// The state of a connection, and pending notifications to its session.
struct State {
    notifications: Option<Box<Notifications>>,
    /// An IPv4 address is mapped, which takes less memory than an [`IpAddr`].
    peer: Ipv6Addr,
}

/// Pending notifications to the session. Absent most of the time.
#[derive(Debug, Default)]
struct Notifications {
    end: Option<End>,
    rooms: RoomChanges,
}

/// The end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) ended: Ended,
    pub(crate) farewell: Farewell,
}

/// Keeps a drain waiting until `on_disconnect` is over. Dropped when the hook ends, in whatever way, or
/// when it can no longer be called.
pub(crate) struct Farewell(Weak<dyn Farewells>);

/// Counts the ends of which the application has not been notified yet.
pub(crate) trait Farewells: Send + Sync {
    /// Records that the application was notified of one. Takes the lock of the core, so it must not be
    /// held.
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
            task_waker: TaskWaker::new(inbox),
            state: Mutex::new(State {
                notifications: None,
                peer: mapped(peer),
            }),
            socket,
        }
    }

    /// Returns the address that log lines name.
    pub(crate) fn peer(&self) -> IpAddr {
        self.state().peer.to_canonical()
    }

    pub(crate) fn set_peer(&self, peer: IpAddr) {
        self.state().peer = mapped(peer);
    }

    /// Sets a flag and wakes the task.
    pub(crate) fn signal(&self, flag: u8) {
        self.task_waker.flags.fetch_or(flag, Ordering::AcqRel);
        self.task_waker.ring();
    }

    /// Takes the flags, except [`ROOMS`], which stays until the rooms are taken.
    pub(crate) fn take_flags(&self) -> u8 {
        if self.is_signalled() {
            self.task_waker.flags.fetch_and(ROOMS, Ordering::AcqRel)
        } else {
            0
        }
    }

    /// Whether a flag is set.
    pub(crate) fn is_signalled(&self) -> bool {
        self.task_waker.flags.load(Ordering::Acquire) != 0
    }

    /// Stores the end, under the lock of the core. The task must be signalled separately.
    pub(crate) fn set_end(&self, end: End) {
        self.state().notifications.get_or_insert_default().end = Some(end);
    }

    /// Notes a room that the connection has entered or left, under the lock of the core. The task must be
    /// woken separately.
    pub(crate) fn note_room(&self, note: impl FnOnce(&mut RoomChanges)) {
        note(&mut self.state().notifications.get_or_insert_default().rooms);
        self.task_waker.flags.fetch_or(ROOMS, Ordering::AcqRel);
    }

    /// Takes the rooms that the connection has entered or left.
    pub(crate) fn take_rooms(&self) -> RoomChanges {
        if self.task_waker.flags.load(Ordering::Acquire) & ROOMS == 0 {
            return RoomChanges::default();
        }
        self.task_waker.flags.fetch_and(!ROOMS, Ordering::AcqRel);
        let mut state = self.state();
        let notifications = &mut state.notifications;
        let rooms = notifications
            .as_mut()
            .map(|notifications| std::mem::take(&mut notifications.rooms));
        if notifications
            .as_ref()
            .is_some_and(|notifications| notifications.end.is_none())
        {
            *notifications = None;
        }
        rooms.unwrap_or_default()
    }

    /// Takes the end, once. Under the lock of the core, this goes with the read mode found there.
    pub(crate) fn take_end(&self) -> Option<End> {
        self.state().notifications.as_mut()?.end.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

//! The task of one connection: its state, and what it does when it is polled.
//!
//! An idle task owns no buffer: all tasks of a thread share a read buffer, and only bytes that cannot be
//! used at once are copied.

use std::task::{Context, Poll};

use switchboard_core::session::Session;
use switchboard_core::{ConnectionId, Event};

use super::Host;
use super::cold::{Cold, Leftover};
use super::locking::Locking;
use crate::listen::Listen;
use crate::net::{AnySocket, NoSocket, Socket};
use crate::node::{Arrival, Arrived, BLOCKED, CHANGED, End, Link, LogFields, ROOMS};
use crate::shield::shielded;
use crate::sync::Arc;

/// The task of one connection.
pub(crate) struct Task<R: Listen> {
    pub(super) host: Arc<Host>,
    pub(super) link: Arc<Link>,
    pub(super) session: Session,
    pub(super) cold: Cold<R::Timer>,
    /// Tells successive tasks in the same place of the event loop apart.
    pub(super) generation: u32,
    /// Whether its socket is watched for writability.
    pub(super) watches_writes: bool,
    pub(super) blocked: bool,
    /// The socket has been dropped.
    pub(super) hung_up: bool,
    /// The read side has ended, and the session has been notified.
    pub(super) ended: bool,
}

impl<R: Listen> Task<R> {
    pub(crate) fn new(host: Arc<Host>, arrived: Arrived, generation: u32) -> Self {
        let shared = host.shared();
        // There is one per connection.
        const { assert!(size_of::<Self>() <= 128) };
        let Arrived {
            link,
            id,
            peer,
            arrival,
            early,
        } = arrived;
        let leftover = (!early.is_empty()).then(|| Leftover::new(shared, early));
        let (session, arrival) = match arrival {
            Arrival::Fresh(None) => (Session::new(id, peer, shared.handshake(false)), None),
            Arrival::Fresh(pages) => {
                let session = Session::new(id, peer, shared.handshake(true));
                (session, Some(Arrival::Fresh(pages)))
            }
            #[cfg(feature = "http")]
            stated @ Arrival::Stated(_) => {
                let session = Session::new(id, peer, shared.handshake(false));
                (session, Some(stated))
            }
            upgraded @ Arrival::Upgraded(_) => (Session::upgraded(id, peer), Some(upgraded)),
        };
        Self {
            host,
            link,
            session,
            cold: Cold::new(arrival, leftover),
            generation,
            watches_writes: false,
            blocked: false,
            hung_up: false,
            ended: false,
        }
    }

    /// Makes progress. Completes when the connection is gone and `on_disconnect` has returned.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.apply_signals();
        self.link.socket.drive_writes(context);
        self.ask_writable(context);
        let first = self.begin_upgraded();
        self.run(context, first);
        if !self.session.is_gone() {
            self.read(context);
            let paused = self.session.is_paused();
            self.run(context, None);
            // A hook that has begun since has its own place among those that wait.
            if paused && !self.must_wait(context) {
                // There is room again, and nothing else would wake this task.
                context.waker().wake_by_ref();
            }
        }
        if !self.session.is_gone() {
            return Poll::Pending;
        }
        if self.session.is_idle() {
            return Poll::Ready(());
        }
        self.hang_up();
        Poll::Pending
    }

    fn ask_writable(&mut self, context: &mut Context<'_>) {
        if !self.blocked {
            return;
        }
        let event = match self.link.socket.poll_writable(context) {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => Event::Writable,
            Poll::Ready(Err(_)) => Event::Reset,
        };
        self.blocked = false;
        self.event(event);
    }

    /// Reads words of what a poll reads first, so that they are in the processor's cache.
    pub(crate) fn fetch(&self) -> u64 {
        self.id().slot() as u64 ^ self.link.socket.fetch()
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.session.id()
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Returns whom log lines name.
    pub(crate) fn log_fields(&self) -> LogFields {
        LogFields::new(self.link.peer(), self.session.user().cloned())
    }

    /// Whether the task waits for its socket to become writable.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked || self.link.socket.has_unsent()
    }

    pub(super) fn event(&self, event: Event<'_>) {
        self.host.shared().event(self.id(), event);
    }

    /// Handles the signals of other threads.
    pub(super) fn apply_signals(&mut self) {
        let flags = self.link.take_flags();
        if flags == 0 {
            return;
        }
        self.blocked |= flags & BLOCKED != 0;
        if flags & ROOMS != 0 {
            let mut node = Locking::new(self.host.shared(), &self.link);
            self.session.rooms_changed(&mut node);
        }
        if flags & CHANGED != 0 {
            self.update();
        }
        self.drop_abandoned_hook();
    }

    /// Passes the connection's state in the core to the session.
    pub(super) fn update(&mut self) {
        let shared = self.host.shared();
        // The end is stored under the lock, so it cannot come between the two.
        let (mode, end) = shared.read(|switchboard| {
            let mode = switchboard.read_mode(self.session.id()).ok();
            (mode, self.link.take_end())
        });
        let ended = end.map(|end| {
            let End { ended, farewell } = end;
            self.cold.set_farewell(farewell);
            ended
        });
        let has_ended = ended.is_some();
        let mut node = Locking::new(shared, &self.link);
        self.session.update(&mut node, mode, ended);
        if has_ended && self.cold.has_hook() && !self.session.is_calling() {
            self.log_timeout(&self.log_fields());
        }
    }

    /// Drops the socket while `on_disconnect` is still to be called: a connection that no longer counts
    /// against a limit must not keep a socket open.
    fn hang_up(&mut self) {
        if !std::mem::replace(&mut self.hung_up, true) {
            self.blocked = false;
            drop(self.cold.take_leftover());
            let inbox = self.link.task_waker.inbox().clone();
            let none = Link::new(AnySocket::new(NoSocket), self.link.peer(), inbox);
            let link = std::mem::replace(&mut self.link, Arc::new(none));
            // The stream may be foreign code, and its panic must not prevent the hook.
            shielded(|| drop(link));
        }
    }
}

impl<R: Listen> Drop for Task<R> {
    fn drop(&mut self) {
        self.host
            .shared()
            .backlog
            .change(self.session.backlog_bytes(), 0);
    }
}

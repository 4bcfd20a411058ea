//! The handle.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use switchboard_core::protocol::{BadContent, Content};
use switchboard_core::{
    ApplicationCode, CloseReason, Config, ConnectionId, DrainReport, Exclude, Frame, Inconsistency,
    JoinError, PingResult, Receipt, Refused, SendError, StaleId, Stats, Switchboard,
};

use crate::node::Shared;
use crate::sync::{Arc, Weak};
use crate::waiters::Waiters;

/// A handle on one node's connections: cheap to clone, usable from any task or thread.
///
/// No method waits for a client, and none holds a lock longer than its own work takes. When the
/// last handle is dropped, every connection ends (`shutdown`).
#[derive(Clone)]
pub struct Hub(Arc<Handle>);

/// What a hub's own tasks know it by: it does not keep the hub.
#[derive(Clone)]
pub(crate) struct WeakHub {
    handle: Weak<Handle>,
    shared: Arc<Shared>,
}

impl WeakHub {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A handle for a hook: the one that the application holds, or a last one.
    pub(crate) fn upgrade(&self) -> Hub {
        let handle = self.handle.upgrade();
        Hub(handle.unwrap_or_else(|| {
            Arc::new(Handle {
                shared: self.shared.clone(),
            })
        }))
    }
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.shut_down();
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// Why a broadcast was not sent to anybody.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BroadcastError {
    /// The content is not JSON that clients can read.
    Content(BadContent),
    /// It is too large.
    Send(SendError),
}

impl fmt::Display for BroadcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(bad) => f.write_str(bad.as_str()),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BroadcastError {}

impl Hub {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle { shared }))
    }

    pub(crate) fn downgrade(&self) -> WeakHub {
        WeakHub {
            handle: Arc::downgrade(&self.0),
            shared: self.0.shared.clone(),
        }
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Config {
        &self.shared().config
    }

    /// Sends `content`, a JSON text, to a room as a `message` with a number.
    pub fn broadcast(&self, room: &str, content: &str) -> Result<Receipt, BroadcastError> {
        self.broadcast_from(room, content, None, Exclude::NOBODY)
    }

    /// [`broadcast`](Self::broadcast) in the name of a user, and not to everybody.
    pub fn broadcast_from(
        &self,
        room: &str,
        content: &str,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, BroadcastError> {
        let content = Content::parse(content).map_err(BroadcastError::Content)?;
        self.shared()
            .with(|locked, now| {
                locked
                    .switchboard
                    .broadcast(now, room, content, sender, exclude)
            })
            .map_err(BroadcastError::Send)
    }

    /// Sends a frame to a room as it is, without a number.
    pub fn broadcast_raw(
        &self,
        room: &str,
        frame: Frame,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.broadcast_raw(now, room, frame, exclude))
    }

    /// Sends a frame to all connections as it is.
    pub fn broadcast_all(&self, frame: Frame, exclude: Exclude<'_>) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.broadcast_all(now, frame, exclude))
    }

    /// Sends a frame to one connection as it is.
    pub fn send(&self, id: ConnectionId, frame: Frame) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.send(now, id, frame))
    }

    /// Sends a frame to all connections of a user as it is.
    pub fn send_to_user(&self, user: &str, frame: Frame) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.send_to_user(now, user, frame))
    }

    /// Puts a connection into a room.
    pub fn join(&self, id: ConnectionId, room: &str) -> Result<(), JoinError> {
        self.shared()
            .with(|locked, now| locked.switchboard.join(now, id, room))
    }

    /// Takes a connection out of a room; says whether it was in.
    pub fn leave(&self, id: ConnectionId, room: &str) -> Result<bool, StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.leave(now, id, room))
    }

    /// Ends a connection.
    pub fn close(&self, id: ConnectionId, reason: CloseReason) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.close(now, id, reason))
    }

    /// Ends a connection for a reason of the application's own, with a text for people.
    pub fn close_with(
        &self,
        id: ConnectionId,
        code: ApplicationCode,
        text: &str,
    ) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.close_with(now, id, code, text))
    }

    /// Ends all connections of a user; returns how many.
    pub fn disconnect_user(&self, user: &str, reason: CloseReason) -> usize {
        self.shared()
            .with(|locked, now| locked.switchboard.disconnect_user(now, user, reason))
    }

    /// Asks all devices of a user whether they are there; done when all have answered, or after
    /// `timeout`.
    pub async fn ping_user(&self, user: &str, timeout: Duration) -> Vec<PingResult> {
        let receiver = self.shared().with(|locked, now| {
            let ticket = locked.switchboard.ping_user(now, user, timeout);
            locked.expect_ping(ticket)
        });
        receiver.await.unwrap_or_default()
    }

    /// Ends the node: newcomers are refused from now on, and those who are in are closed (1001)
    /// one after the other, spread over `window`; at the latest after `deadline` whoever is left is
    /// evicted. Done when nobody is left and every `on_disconnect` has ended, for which it waits
    /// until the deadline as well. May be called again, and waits for the same end.
    pub async fn drain(&self, window: Duration, deadline: Duration) -> DrainReport {
        self.shared()
            .with(|locked, now| locked.switchboard.drain(now, window, deadline));
        self.drained().await
    }

    /// Waits for the end of a drain, whoever began it.
    pub async fn drained(&self) -> DrainReport {
        let mut place = Waiters::place(&self.shared().drain_waiters);
        poll_fn(|context| {
            // Armed before the look, so that an end between the two is not missed.
            place.arm(context);
            self.shared().drained().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits until the writers have caught up, for a publisher that is faster than the network: its
    /// messages would fill the queues of everybody, and the bound of the node, beyond which they are
    /// refused ([`SendError::Busy`]).
    pub async fn ready(&self) {
        let mut place = Waiters::place(&self.shared().publishers);
        poll_fn(|context| {
            if !self.shared().is_congested() {
                return Poll::Ready(());
            }
            place.arm(context);
            if self.shared().is_congested() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Whether a connection to this room would be let in now.
    pub fn can_accept(&self, room: Option<&str>) -> Result<(), Refused> {
        self.shared()
            .read(|switchboard| switchboard.can_accept(room))
    }

    /// Whether the user has a connection.
    pub fn is_connected(&self, user: &str) -> bool {
        self.shared()
            .read(|switchboard| switchboard.is_connected(user))
    }

    /// The user's connections, the oldest first.
    pub fn connections_of(&self, user: &str) -> Vec<ConnectionId> {
        self.shared()
            .read(|switchboard| switchboard.connections_of(user))
    }

    /// How long ago anything was heard from the user.
    pub fn last_heard(&self, user: &str) -> Option<Duration> {
        let shared = self.shared();
        shared.read(|switchboard| switchboard.last_heard(shared.now(), user))
    }

    /// Whose connection this is.
    pub fn user_of(&self, id: ConnectionId) -> Option<Arc<str>> {
        self.shared().read(|switchboard| switchboard.user_of(id))
    }

    /// The connections in a room.
    pub fn members(&self, room: &str) -> Vec<ConnectionId> {
        self.shared().read(|switchboard| switchboard.members(room))
    }

    /// The users in a room, in the order of joining.
    pub fn room_users(&self, room: &str) -> Vec<Arc<str>> {
        self.shared()
            .read(|switchboard| switchboard.room_users(room))
    }

    /// The rooms that a connection is in.
    pub fn rooms_of(&self, id: ConnectionId) -> Result<Vec<Arc<str>>, StaleId> {
        self.shared().read(|switchboard| switchboard.rooms_of(id))
    }

    /// The latest round-trip time of a connection.
    pub fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.shared().read(|switchboard| switchboard.round_trip(id))
    }

    /// The statistics.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        shared.read(|switchboard| switchboard.stats(shared.now()))
    }

    /// Recounts every index and compares. Costs a pass over everything, under the lock.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        self.shared().read(Switchboard::audit)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

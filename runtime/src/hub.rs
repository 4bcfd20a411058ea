//! The runtime-independent handle of a node.

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

/// A handle to one node's connections. Cheap to clone, usable from any task or thread.
///
/// No method waits for a client, except those that are `async`, and none holds a lock across I/O.
/// Dropping the last handle ends every connection (`shutdown`).
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

    /// Returns a handle for a hook: shares the application's, or makes a new one if that is gone.
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

/// An error that kept a broadcast from being sent to anybody.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BroadcastError {
    /// The content is not JSON that clients can read.
    Content(BadContent),
    /// The message was refused.
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

    /// Returns the configuration of this hub.
    pub fn config(&self) -> &Config {
        &self.shared().config
    }

    /// Sends `content`, a JSON text, to a room as a numbered `message`.
    pub fn broadcast(&self, room: &str, content: &str) -> Result<Receipt, BroadcastError> {
        self.broadcast_from(room, content, None, Exclude::NOBODY)
    }

    /// Like [`broadcast`](Self::broadcast), with a sender and with connections to exclude.
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

    /// Sends a frame to a room, unchanged and without a number.
    pub fn broadcast_raw(
        &self,
        room: &str,
        frame: Frame,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.broadcast_raw(now, room, frame, exclude))
    }

    /// Sends a frame to all connections, unchanged.
    pub fn broadcast_all(&self, frame: Frame, exclude: Exclude<'_>) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.broadcast_all(now, frame, exclude))
    }

    /// Sends a frame to one connection, unchanged.
    pub fn send(&self, id: ConnectionId, frame: Frame) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.send(now, id, frame))
    }

    /// Sends a frame to all connections of a user, unchanged.
    pub fn send_to_user(&self, user: &str, frame: Frame) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.send_to_user(now, user, frame))
    }

    /// Adds a connection to a room.
    pub fn join(&self, id: ConnectionId, room: &str) -> Result<(), JoinError> {
        self.shared()
            .with(|locked, now| locked.switchboard.join(now, id, room))
    }

    /// Removes a connection from a room. Returns whether it was a member.
    pub fn leave(&self, id: ConnectionId, room: &str) -> Result<bool, StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.leave(now, id, room))
    }

    /// Closes a connection with the given reason.
    pub fn close(&self, id: ConnectionId, reason: CloseReason) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.close(now, id, reason))
    }

    /// Closes a connection with an application-defined code and a human-readable text.
    pub fn close_with(
        &self,
        id: ConnectionId,
        code: ApplicationCode,
        text: &str,
    ) -> Result<(), StaleId> {
        self.shared()
            .with(|locked, now| locked.switchboard.close_with(now, id, code, text))
    }

    /// Closes all connections of a user and returns their number.
    pub fn disconnect_user(&self, user: &str, reason: CloseReason) -> usize {
        self.shared()
            .with(|locked, now| locked.switchboard.disconnect_user(now, user, reason))
    }

    /// Pings all connections of a user. Completes when all have answered, or after `timeout`.
    pub async fn ping_user(&self, user: &str, timeout: Duration) -> Vec<PingResult> {
        let receiver = self.shared().with(|locked, now| {
            let ticket = locked.switchboard.ping_user(now, user, timeout);
            locked.expect_ping(ticket)
        });
        receiver.await.unwrap_or_default()
    }

    /// Drains the node: refuses newcomers from now on, closes the live connections with 1001, spread
    /// evenly over `window`, and evicts those that are left after `deadline`.
    ///
    /// Completes when no connection is left and every `on_disconnect` hook has returned, at the latest at
    /// the deadline. Further calls join the drain under way.
    pub async fn drain(&self, window: Duration, deadline: Duration) -> DrainReport {
        self.shared()
            .with(|locked, now| locked.switchboard.drain(now, window, deadline));
        self.drained().await
    }

    /// Waits until a drain has ended, whether it was started before or is started later.
    pub async fn drained(&self) -> DrainReport {
        let mut place = Waiters::place(&self.shared().drain_waiters);
        poll_fn(|context| {
            // Register before the check, so that an end between the two is not missed.
            place.arm(context);
            self.shared().drained().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits until the node is no longer congested. A publisher that is faster than the network should
    /// await this before each message; otherwise it fills the members' queues and finally the node's bound,
    /// beyond which messages are refused ([`SendError::Busy`]).
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

    /// Checks whether a new connection to this lobby would be admitted now.
    pub fn can_accept(&self, room: Option<&str>) -> Result<(), Refused> {
        self.shared()
            .read(|switchboard| switchboard.can_accept(room))
    }

    /// Returns whether the user has a connection.
    pub fn is_connected(&self, user: &str) -> bool {
        self.shared()
            .read(|switchboard| switchboard.is_connected(user))
    }

    /// Returns the user's connections, oldest first.
    pub fn connections_of(&self, user: &str) -> Vec<ConnectionId> {
        self.shared()
            .read(|switchboard| switchboard.connections_of(user))
    }

    /// Returns the time since the last input from any of the user's connections.
    pub fn last_heard(&self, user: &str) -> Option<Duration> {
        let shared = self.shared();
        shared.read(|switchboard| switchboard.last_heard(shared.now(), user))
    }

    /// Returns the user of a connection.
    pub fn user_of(&self, id: ConnectionId) -> Option<Arc<str>> {
        self.shared().read(|switchboard| switchboard.user_of(id))
    }

    /// Returns the connections in a room.
    pub fn members(&self, room: &str) -> Vec<ConnectionId> {
        self.shared().read(|switchboard| switchboard.members(room))
    }

    /// Returns the users in a room, in the order of joining.
    pub fn room_users(&self, room: &str) -> Vec<Arc<str>> {
        self.shared()
            .read(|switchboard| switchboard.room_users(room))
    }

    /// Returns the rooms that a connection is in.
    pub fn rooms_of(&self, id: ConnectionId) -> Result<Vec<Arc<str>>, StaleId> {
        self.shared().read(|switchboard| switchboard.rooms_of(id))
    }

    /// Returns the latest measured round-trip time of a connection.
    pub fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.shared().read(|switchboard| switchboard.round_trip(id))
    }

    /// Returns a snapshot of the statistics.
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        shared.read(|switchboard| switchboard.stats(shared.now()))
    }

    /// Recounts every index and compares the results. Visits all state while holding the node's lock.
    pub fn audit(&self) -> Result<(), Inconsistency> {
        self.shared().read(Switchboard::audit)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

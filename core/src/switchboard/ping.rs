//! The pings of one connection that are not answered.

use crate::Time;

/// The latest ping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outstanding {
    pub(super) payload: u64,
    /// In liveness time.
    pub(super) sent: Time,
    /// When it times out, in liveness time; [`Time::MAX`] until the socket has taken the ping, so
    /// that the time that a slow reader needs for earlier data does not count.
    pub(super) deadline: Time,
    /// Whether it was a `health_ping`, so that only a message counts as life.
    pub(super) health: bool,
    /// Whether the client has shown life since.
    pub(super) heard: bool,
}

impl Outstanding {
    /// Returns whether the socket has taken all of the ping.
    pub(super) fn has_left(&self) -> bool {
        self.deadline < Time::MAX
    }
}

/// A ping for `ping_user` on this connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) payload: u64,
    pub(super) sent: Time,
    /// The ticket of the `ping_user` call; equal to `payload` for a probe on
    /// behalf of a newcomer of the same user.
    pub(super) ticket: u64,
}

impl Probe {
    /// Returns whether it asks for a sign of life on behalf of a newcomer of the same user.
    pub(super) fn is_for_life(&self) -> bool {
        self.ticket == self.payload
    }
}

//! The pings of one connection that are not answered.

use std::num::NonZeroU64;

use crate::Time;

/// The latest ping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outstanding {
    /// The payload, which is not 0, and the flags below, which no payload has.
    mark: NonZeroU64,
    /// In liveness time.
    pub(super) sent: Time,
    /// When it times out, in liveness time; [`Time::MAX`] until the socket has taken the ping, so
    /// that the time that a slow reader needs for earlier data does not count.
    pub(super) deadline: Time,
}

const HEALTH: u64 = 1 << 63;
const HEARD: u64 = 1 << 62;

// There is room for one in the state of each connection.
const _: () = assert!(size_of::<Option<Outstanding>>() <= 24);

impl Outstanding {
    /// Creates a ping that is still queued. `health` says whether it is a `health_ping`.
    pub(super) fn new(payload: u64, health: bool, sent: Time) -> Self {
        let mark = payload | if health { HEALTH } else { 0 };
        Self {
            mark: NonZeroU64::new(mark).unwrap_or(NonZeroU64::MIN),
            sent,
            deadline: Time::MAX,
        }
    }

    pub(super) const fn payload(&self) -> u64 {
        self.mark.get() & !(HEALTH | HEARD)
    }

    /// Returns whether it was a `health_ping`, so that only a message counts as life.
    pub(super) const fn is_health(&self) -> bool {
        self.mark.get() & HEALTH != 0
    }

    /// Returns whether the client has shown life since.
    pub(super) const fn is_heard(&self) -> bool {
        self.mark.get() & HEARD != 0
    }

    pub(super) fn set_heard(&mut self) {
        self.mark |= HEARD;
    }

    /// Waits for a sign of life again.
    pub(super) fn set_unheard(&mut self) {
        *self = Self {
            deadline: self.deadline,
            ..Self::new(self.payload(), self.is_health(), self.sent)
        };
    }

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

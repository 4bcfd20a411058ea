//! The deadlines of an established connection.

use std::time::Duration;

use super::config::STABLE;
use crate::Time;

#[derive(Debug)]
pub(super) struct Ready {
    /// When the connection counts as stable.
    pub(super) stable_at: Option<Time>,
    /// How long the server may be silent before it is pinged.
    pub(super) silence: Duration,
    pub(super) heard_at: Time,
    pub(super) pinged_at: Time,
    /// When the connection is given up unless a message arrives.
    pub(super) answer_by: Option<Time>,
    /// Whether a deadline passed while the client was stalled, with no message since.
    pub(super) overslept: bool,
    /// When to retry the subscriptions that the server rate-limited.
    pub(super) again_at: Option<Time>,
    /// The largest message that the server accepts, in bytes.
    pub(super) max_bytes: u64,
}

impl Ready {
    pub(super) fn new(now: Time, silence: Duration, max_bytes: Option<u64>) -> Self {
        Self {
            stable_at: Some(now + STABLE),
            silence,
            heard_at: now,
            pinged_at: now,
            answer_by: None,
            overslept: false,
            again_at: None,
            max_bytes: max_bytes.filter(|&bytes| bytes > 0).unwrap_or(u64::MAX),
        }
    }

    /// Returns when to act on silence: by a `ping`, or by reconnecting if one is unanswered.
    pub(super) fn silence_at(&self) -> Time {
        self.answer_by.unwrap_or(self.heard_at + self.silence)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        [self.stable_at, Some(self.silence_at()), self.again_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn heard(&mut self, now: Time) {
        self.heard_at = now;
        self.answer_by = None;
        self.overslept = false;
    }
}

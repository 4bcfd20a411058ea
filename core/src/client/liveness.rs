//! Liveness and stability of an established connection.

use std::time::Duration;

use super::config::{PONG, PROBE, STABLE, STALL};
use super::delay::millis;
use super::{Machine, Output, Phase, Report};
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
    fn silence_at(&self) -> Time {
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

/// Returns the timestamp of a `ping`, which its `pong` echoes.
pub(super) fn timestamp(time: Time) -> u64 {
    millis(time.since(Time::ZERO))
}

impl Machine {
    /// Sends a `ping` that must be answered within `within`. Repeated calls do not extend an
    /// earlier deadline.
    pub(super) fn ping(&mut self, within: Duration) {
        let now = self.now;
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        ready.pinged_at = now;
        let waits = ready.answer_by.filter(|&by| by > now).unwrap_or(Time::MAX);
        ready.answer_by = Some(waits.min(now + within));
        let timestamp = timestamp(now);
        self.act(Output::Send(format!(
            r#"{{"type":"ping","timestamp":{timestamp}}}"#
        )));
    }

    /// Pings with a short timeout, after an event that suggests that the connection may be dead.
    pub(super) fn probe(&mut self) {
        self.ping(PROBE);
    }

    /// Handles a `pong`; reports the round-trip time if it answers the latest `ping`.
    pub(super) fn pong(&mut self, answers: Option<u64>) {
        let now = self.now;
        if let Phase::Ready(ready) = &self.phase
            && answers == Some(timestamp(ready.pinged_at))
        {
            let took = now.since(ready.pinged_at);
            self.notify(Report::RoundTrip(took));
        }
    }

    /// Handles deadlines of an established connection.
    pub(super) fn tick_ready(&mut self) {
        let now = self.now;
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let stable = ready.stable_at.take_if(|at| *at <= now).is_some();
        if stable {
            self.forgive();
        }
        self.tick_liveness();
        if let Phase::Ready(ready) = &mut self.phase
            && ready.again_at.take_if(|at| *at <= now).is_some()
        {
            self.enter_channels();
        }
    }

    fn tick_liveness(&mut self) {
        let now = self.now;
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        if ready.silence_at() > now {
            return;
        }
        match ready.answer_by {
            None => self.ping(PONG),
            // The client was stalled, so ping again before giving up.
            Some(by) if now.since(by) > STALL && !ready.overslept => {
                ready.overslept = true;
                self.ping(PROBE);
            }
            Some(_) => self.give_up(),
        }
    }
}

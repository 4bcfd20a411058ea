//! Pings the server, and measures the time until its answer.

use std::time::Duration;

use super::config::PROBE;
use super::delay::millis;
use super::machine::Machine;
use super::output::{Output, Report};
use super::phase::Phase;
use crate::Time;

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
}

/// Returns the timestamp of a `ping`, which its `pong` echoes.
fn timestamp(time: Time) -> u64 {
    millis(time.since(Time::ZERO))
}

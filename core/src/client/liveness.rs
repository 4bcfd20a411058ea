//! What is known of a connection that is in: whether it is stable, and whether it lives.

use std::time::Duration;

use super::config::{PONG, PROBE, STABLE, STALL};
use super::delay::millis;
use super::{Action, Machine, Notice, Phase};
use crate::Time;

#[derive(Debug)]
pub(super) struct Ready {
    /// When failures are forgotten.
    pub(super) stable_at: Option<Time>,
    /// For how long the server may be silent before it is asked.
    pub(super) silence: Duration,
    pub(super) heard_at: Time,
    pub(super) pinged_at: Time,
    /// Until when the server has to say something.
    pub(super) answer_by: Option<Time>,
    /// A deadline passed while we did not run, and nothing was heard since.
    pub(super) overslept: bool,
    /// When to ask again for the channels whose `subscribe` the server did not read.
    pub(super) again_at: Option<Time>,
    /// The largest message that the server takes.
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

    /// When silence is to be answered: by a `ping`, or where one waits, by a new socket.
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

/// What a `ping` carries, and its `pong` brings back.
pub(super) fn timestamp(time: Time) -> u64 {
    millis(time.since(Time::ZERO))
}

impl Machine {
    /// Asks for a sign of life within so long. Asking again and again does not put off the end.
    pub(super) fn ping(&mut self, within: Duration) {
        let now = self.now;
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        ready.pinged_at = now;
        let waits = ready.answer_by.filter(|&by| by > now).unwrap_or(Time::MAX);
        ready.answer_by = Some(waits.min(now + within));
        let timestamp = timestamp(now);
        self.act(Action::Send(format!(
            r#"{{"type":"ping","timestamp":{timestamp}}}"#
        )));
    }

    /// Something happened after which the connection may well be dead.
    pub(super) fn probe(&mut self) {
        self.ping(PROBE);
    }

    /// An answer to a `ping`, perhaps to the last one.
    pub(super) fn pong(&mut self, answers: Option<u64>) {
        let now = self.now;
        if let Phase::Ready(ready) = &self.phase
            && answers == Some(timestamp(ready.pinged_at))
        {
            let took = now.since(ready.pinged_at);
            self.notify(Notice::RoundTrip(took));
        }
    }

    /// What is due on a connection that is in.
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
            // It was us who did not run, so ask before judging.
            Some(by) if now.since(by) > STALL && !ready.overslept => {
                ready.overslept = true;
                self.ping(PROBE);
            }
            Some(_) => self.give_up(),
        }
    }
}

//! This node's own registration, and its heartbeats.
//!
//! ```text
//!             beat answered                  fenced, or no answer for a lease
//! Unregistered ───────────▶ Registered ─────────────────────────▶ Unregistered, under the next name
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::Time;

#[derive(Debug)]
pub(super) struct Lease {
    node: Arc<str>,
    times: LeaseTimes,
    /// Counts the registrations of this node.
    count: u64,
    registration: Arc<str>,
    /// Until when others may count on it, at most; `None` before it is registered.
    until: Option<Time>,
    /// This connection has been answered a beat.
    is_introduced: bool,
    beats: u64,
    due: Time,
    /// Heartbeats that have not come back through the channel, and when they were sent.
    out: VecDeque<(u64, Time)>,
    /// How long the last one took to come back.
    lag: Option<Duration>,
}

/// How often a node says that it lives, and for how long that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Between two heartbeats.
    pub beat: Duration,
    /// How long a heartbeat holds.
    pub lease: Duration,
    /// How long a node's own heartbeat may take to come back through the channel.
    pub echo: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            beat: Duration::from_secs(1),
            lease: Duration::from_secs(3),
            echo: Duration::from_secs(2),
        }
    }
}

impl Lease {
    pub(super) fn new(node: Arc<str>, times: LeaseTimes) -> Self {
        Self {
            registration: registration(&node, 1),
            node,
            times,
            count: 1,
            until: None,
            is_introduced: false,
            beats: 0,
            due: Time::ZERO,
            out: VecDeque::new(),
            lag: None,
        }
    }

    pub(super) fn registration(&self) -> &Arc<str> {
        &self.registration
    }

    pub(super) fn is_registered(&self) -> bool {
        self.until.is_some()
    }

    pub(super) fn is_introduced(&self) -> bool {
        self.is_introduced
    }

    pub(super) fn lag(&self) -> Option<Duration> {
        self.lag
    }

    /// Whether the lease has run out for sure, by this node's own clock.
    pub(super) fn has_run_out(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until < now)
    }

    /// The registration is no more: returns it, and takes the next one.
    pub(super) fn lapse(&mut self) -> Arc<str> {
        self.count += 1;
        self.until = None;
        self.is_introduced = false;
        self.beats = 0;
        self.out.clear();
        let next = registration(&self.node, self.count);
        std::mem::replace(&mut self.registration, next)
    }

    /// Another connection, which has to be introduced.
    pub(super) fn connected(&mut self) {
        self.is_introduced = false;
        self.out.clear();
    }

    pub(super) fn lost(&mut self) {
        self.out.clear();
    }

    /// When the next beat is to be sent, if the link is free.
    pub(super) fn due(&self) -> Time {
        if self.is_introduced {
            self.due
        } else {
            Time::ZERO
        }
    }

    /// The next beat is to be sent by then.
    pub(super) fn beat_at(&mut self, at: Time) {
        self.due = self.due.min(at);
    }

    /// When a beat has been out for too long.
    pub(super) fn overdue(&self) -> Time {
        self.out
            .front()
            .map_or(Time::MAX, |(_, sent)| *sent + self.times.echo)
    }

    /// A beat is sent: returns its number.
    pub(super) fn beat(&mut self, now: Time) -> u64 {
        self.beats += 1;
        self.due = now + self.times.beat;
        self.out.push_back((self.beats, now));
        self.beats
    }

    /// The number of a last beat, above all others.
    pub(super) fn last_beat(&self) -> u64 {
        self.beats + 1
    }

    /// A beat of this registration was answered.
    pub(super) fn answered(&mut self, now: Time) {
        self.until = Some(now + self.times.lease);
        self.is_introduced = true;
    }

    /// A beat of this registration came back: returns when it was sent, if it was through this
    /// connection.
    pub(super) fn came_back(&mut self, now: Time, count: u64) -> Option<Time> {
        while self.out.front().is_some_and(|(beat, _)| *beat < count) {
            self.out.pop_front();
        }
        let (_, sent) = *self.out.front().filter(|(beat, _)| *beat == count)?;
        self.out.pop_front();
        self.lag = Some(now.since(sent));
        Some(sent)
    }
}

fn registration(node: &str, count: u64) -> Arc<str> {
    format!("{node}.{count}").into()
}

//! The link to the broker: when it is tried, and when it is given up.
//!
//! ```text
//! Down ── retry ──▶ Connecting ── connected ──▶ Up
//!  ▲                    │ too long, lost         │ lost, no answer in time
//!  └────────────────────┴────────────────────────┘
//! ```

use std::time::Duration;

use fastrand::Rng;

use crate::Time;

/// How long the link may take for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTimes {
    /// To connect.
    pub connect: Duration,
    /// To answer a pipeline.
    pub answer: Duration,
    /// Without a question, until one is asked to see whether it is there still.
    pub idle: Duration,
    /// How long the link may be down before rooms continue alone.
    pub hold: Duration,
    /// Between two attempts to connect, at most. While messages are held, it is an eighth of `hold`.
    pub retry: Duration,
}

impl Default for LinkTimes {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(1),
            idle: Duration::from_millis(500),
            hold: Duration::from_secs(2),
            retry: Duration::from_secs(2),
        }
    }
}

#[derive(Debug)]
pub(super) struct Link {
    times: LinkTimes,
    state: State,
    attempts: u32,
    /// Since when nothing has been answered; `None` while the link works.
    away: Option<Time>,
    /// When it last began or ceased to work.
    changed: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down {
        retry: Time,
    },
    Connecting {
        until: Time,
    },
    Idle {
        since: Time,
    },
    Asked {
        until: Time,
    },
    /// For good.
    Stopped,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Connect,
    GiveUp,
    Ping,
}

impl Link {
    pub(super) fn new(now: Time, times: LinkTimes) -> Self {
        Self {
            times,
            state: State::Down { retry: now },
            attempts: 0,
            away: Some(now),
            changed: now,
        }
    }

    /// Returns what is due, once.
    pub(super) fn due(&mut self, now: Time) -> Option<Due> {
        if now < self.deadline() {
            return None;
        }
        match self.state {
            State::Down { .. } => {
                self.state = State::Connecting {
                    until: now + self.times.connect,
                };
                Some(Due::Connect)
            }
            State::Connecting { .. } | State::Asked { .. } => Some(Due::GiveUp),
            State::Idle { .. } => Some(Due::Ping),
            State::Stopped => None,
        }
    }

    pub(super) fn deadline(&self) -> Time {
        match self.state {
            State::Down { retry } => retry,
            State::Connecting { until } | State::Asked { until } => until,
            State::Idle { since } => since + self.times.idle,
            State::Stopped => Time::MAX,
        }
    }

    /// When rooms continue alone.
    pub(super) fn alone_from(&self) -> Option<Time> {
        self.away.map(|since| since + self.times.hold)
    }

    /// Whether the broker answers.
    pub(super) fn works(&self) -> bool {
        self.away.is_none()
    }

    /// When that changed last.
    pub(super) fn changed(&self) -> Time {
        self.changed
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting { .. })
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, State::Down { .. } | State::Stopped)
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Idle { .. } | State::Asked { .. })
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    pub(super) fn connected(&mut self, now: Time) {
        self.state = State::Idle { since: now };
    }

    pub(super) fn asked(&mut self, now: Time) {
        self.state = State::Asked {
            until: now + self.times.answer,
        };
    }

    /// An answer came: the link works.
    pub(super) fn answered(&mut self, now: Time) {
        self.state = State::Idle { since: now };
        self.attempts = 0;
        if self.away.take().is_some() {
            self.changed = now;
        }
    }

    /// The link is no longer needed.
    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
    }

    /// The link is lost. Pauses are random, so that nodes that lost it at the same time do not
    /// reconnect at the same time. While messages are held, attempts are frequent: if the link is back
    /// before `hold` is over, no message is lost, whereas a late reconnect divides the rooms.
    pub(super) fn lost(&mut self, now: Time, rng: &mut Rng) {
        self.attempts = self.attempts.saturating_add(1);
        if self.works() {
            self.away = Some(now);
            self.changed = now;
        }
        let least = Duration::from_millis(50);
        let most = least
            .saturating_mul(1 << self.attempts.min(10))
            .min(self.longest_wait(now))
            .max(least);
        let wait = least + most.saturating_sub(least).mul_f64(rng.f64());
        self.state = State::Down { retry: now + wait };
    }

    fn longest_wait(&self, now: Time) -> Duration {
        match self.alone_from() {
            Some(alone) if now < alone => self.times.retry.min(self.times.hold / 8),
            _ => self.times.retry,
        }
    }
}

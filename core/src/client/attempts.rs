//! Connection attempts, backoff and stopping.

use std::time::Duration;

use super::config::{AGAIN, FULL, JITTER, OFFLINE, PAUSE, REFRESH, WELCOME};
use super::delay::millis;
use super::dial::TokenReason;
use super::failure::Failure;
use super::frame::ServerText;
use super::machine::Machine;
use super::output::{Output, Report};
use super::phase::Phase;
use super::state::{Close, State, StopReason, WaitReason};
use super::verdict::Verdict;
use crate::Time;

impl Machine {
    /// Resets the failure counters.
    pub(super) fn forgive(&mut self) {
        self.attempts = 0;
        self.tries = 0;
        self.token_refused = false;
    }

    pub(super) fn attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        if self.refresh_at.is_some_and(|at| at <= self.now) {
            self.wanted.get_or_insert(TokenReason::Expiring);
        }
        self.phase = Phase::Token;
        let last = self.last_close.clone();
        self.notify(Report::State(State::Connecting { last }));
        match self.wanted.filter(|_| self.config.token) {
            Some(reason) => self.act(Output::GetToken(reason)),
            None => self.dial(),
        }
    }

    fn dial(&mut self) {
        self.last_bye = None;
        self.phase = Phase::Dialing {
            until: self.now + self.config.open,
        };
        self.channels.forget_announcement();
        let session = self.config.session.clone();
        let since = self.channels.lobby_position();
        self.act(Output::Dial { session, since });
    }

    /// Uses a token that was requested, or that the application sets.
    pub(super) fn token_came(&mut self, expires_in: Option<Duration>) {
        self.wanted = None;
        // Three quarters of its life, in whole milliseconds.
        let fresh = |life: Duration| Duration::from_millis(millis(life.saturating_mul(3) / 4));
        let fresh = expires_in.map(|life| fresh(life).max(AGAIN));
        self.refresh_at = fresh.map(|fresh| self.now + fresh);
        match self.phase {
            Phase::Token => self.dial(),
            Phase::Ready(_) => self.act(Output::Authenticate),
            Phase::Dialing { .. } | Phase::Opened { .. } => self.start_over(),
            Phase::Idle | Phase::Stopped | Phase::Waiting { .. } => {}
        }
    }

    /// Requests a new token, if the present one expires soon.
    pub(super) fn refresh_token(&mut self) {
        if self.refresh_at.take_if(|at| *at <= self.now).is_some() && self.config.token {
            self.act(Output::GetToken(TokenReason::Expiring));
        }
    }

    pub(super) fn token_failed(&mut self, last: bool) {
        match self.phase {
            Phase::Token if last => self.halt(StopReason::Token),
            Phase::Token => self.come_back_later(Verdict::Backoff, None),
            Phase::Ready(_) => self.refresh_at = (!last).then(|| self.now + REFRESH),
            _ => {}
        }
    }

    pub(super) fn opened(&mut self) {
        if matches!(self.phase, Phase::Dialing { .. }) {
            self.phase = Phase::Opened {
                until: self.now + WELCOME,
            };
        }
    }

    pub(super) fn start_over(&mut self) {
        let open = self.phase.is_open();
        self.leave("");
        self.forgive();
        if open {
            self.wait(Some(PAUSE), WaitReason::Asked);
        } else {
            self.attempt();
        }
    }

    pub(super) fn stop(&mut self) {
        // The next start may be on behalf of another user.
        self.wanted.get_or_insert(TokenReason::Connect);
        if !self.phase.is_off() {
            self.leave("");
            self.halt(StopReason::Asked);
        }
    }

    /// Handles the end of a connection or attempt.
    pub(super) fn ended(&mut self, code: u16, reason: &str, silent: bool) {
        let Some(stage) = self.phase.stage() else {
            return;
        };
        let was_ready = matches!(self.phase, Phase::Ready(_));
        let bye = self.last_bye.take();
        // Use the code that `bye` announced if the Close frame got lost.
        let announced = bye
            .as_ref()
            .filter(|_| matches!(code, 1005 | 1006))
            .and_then(ServerText::announced);
        let (code, reason) = announced.unwrap_or((code, reason));
        let verdict = match Verdict::of(code, reason) {
            _ if silent && was_ready => Verdict::Jitter,
            verdict => verdict,
        };
        self.last_close = Some(Close {
            code,
            reason: reason.to_owned(),
            stage,
            silent,
        });
        self.forget();
        let told = bye.as_ref().and_then(ServerText::reconnect_in);
        match verdict {
            Verdict::Stop => return self.halt(StopReason::Code),
            Verdict::Token => {
                let nobody = !self.config.token || self.token_refused;
                self.token_refused = true;
                self.wanted = Some(TokenReason::Unauthorized);
                if nobody {
                    return self.halt(StopReason::Code);
                }
            }
            Verdict::Expired => self.wanted = Some(TokenReason::Expired),
            Verdict::Backoff | Verdict::Full | Verdict::Jitter => {}
        }
        self.come_back_later(verdict, told);
    }

    fn come_back_later(&mut self, verdict: Verdict, told: Option<Duration>) {
        if self.config.attempts > 0 && self.attempts >= self.config.attempts {
            return self.halt(StopReason::Attempts);
        }
        let (min, max) = (self.config.min, self.config.max);
        let (mut delay, mut why) = if let Some(told) = told {
            (told, WaitReason::Told)
        } else if verdict == Verdict::Full {
            let more = self.delays.draw(FULL, max.saturating_sub(FULL), self.tries);
            (FULL + more, WaitReason::Full)
        } else if verdict == Verdict::Backoff || self.tries > 0 {
            let delay = self.delays.draw(min, max, self.tries);
            (delay, WaitReason::Backoff)
        } else {
            (self.delays.draw(JITTER, JITTER, 0), WaitReason::Jitter)
        };
        self.tries = self.tries.saturating_add(1);
        if !self.online && !stands(why) {
            why = WaitReason::Offline;
            delay = delay.max(OFFLINE);
        }
        self.wait(Some(delay), why);
    }

    /// Waits for `delay`, or without one until an event ends the wait.
    fn wait(&mut self, delay: Option<Duration>, why: WaitReason) {
        self.wait_until(delay.map(|delay| self.now + delay), why);
    }

    fn wait_until(&mut self, until: Option<Time>, why: WaitReason) {
        self.phase = Phase::Waiting { until, why };
        let last = self.last_close.clone();
        self.notify(Report::State(State::Waiting { until, why, last }));
    }

    pub(super) fn halt(&mut self, why: StopReason) {
        self.phase = Phase::Stopped;
        self.drop_held(|_| true, &Failure::Stopped);
        let last = self.last_close.clone();
        self.notify(Report::State(State::Stopped { why, last }));
    }

    /// Abandons the socket, if there is one.
    pub(super) fn leave(&mut self, reason: &'static str) {
        if self.phase.stage().is_some() {
            self.act(Output::Close { reason });
            self.forget();
        }
    }

    /// Resets the state of the ended connection.
    fn forget(&mut self) {
        let kept = self.end_requests();
        self.channels.forget_connection();
        self.drop_held(|item| !item.queue, &Failure::NotConnected);
        for item in kept {
            self.hold(item);
        }
    }

    /// Ends a connection whose server does not answer.
    pub(super) fn give_up(&mut self) {
        self.act(Output::Close { reason: "" });
        self.ended(1006, "", true);
    }

    /// Returns whether the client waits and an event may end the wait.
    fn may_hurry(&self) -> bool {
        matches!(self.phase, Phase::Waiting { why, .. } if !stands(why))
    }

    pub(super) fn wake(&mut self) {
        if self.may_hurry() {
            self.attempt();
        } else {
            self.probe();
        }
    }

    pub(super) fn offline(&mut self) {
        self.online = false;
        if self.may_hurry() {
            let ends_at = self.phase.ends_at();
            let until = ends_at.map(|until| until.max(self.now + OFFLINE));
            self.wait_until(until, WaitReason::Offline);
        } else {
            self.probe();
        }
    }

    /// Abandons the socket, because a suspended page must not hold one. A wait simply continues.
    pub(super) fn suspend(&mut self) {
        if !self.phase.is_off() && !matches!(self.phase, Phase::Waiting { .. }) {
            self.leave("bfcache");
            self.wait(None, WaitReason::Suspended);
        }
    }
}

/// Returns whether the server asked for this wait, so that no local event shortens it.
fn stands(why: WaitReason) -> bool {
    matches!(why, WaitReason::Told | WaitReason::Full)
}

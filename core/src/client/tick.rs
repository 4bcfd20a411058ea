//! What follows when a deadline passes.

use super::config::{PONG, PROBE, STALL};
use super::machine::Machine;
use super::phase::Phase;

impl Machine {
    /// Handles the deadlines that have passed.
    pub(super) fn tick(&mut self) {
        let now = self.now;
        if self.phase.ends_at().is_some_and(|at| at <= now) {
            if matches!(self.phase, Phase::Waiting { .. }) {
                self.attempt();
            } else {
                self.give_up();
            }
        }
        self.tick_ready();
        self.drop_expired();
        self.drop_unanswered();
    }

    /// Handles deadlines of an established connection.
    fn tick_ready(&mut self) {
        let now = self.now;
        let Phase::Ready(ready) = &mut self.phase else {
            return;
        };
        let stable = ready.stable_at.take_if(|at| *at <= now).is_some();
        if stable {
            self.forgive();
        }
        self.refresh_token();
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

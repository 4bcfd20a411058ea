//! What the driver polls, and what is due.

use super::switchboard::Switchboard;
use crate::recorder::Input;
use crate::switchboard::action::Action;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::effects::ENDS;
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, Time};

/// Timers that one tick handles. One that may end a connection counts as several, or as many more as the
/// end does.
const TIMERS: usize = 192;

impl Switchboard {
    /// Returns the next action, or `None` when there is nothing to do. An action that is dropped is
    /// lost. What is to be written is [taken](Self::take_turn) apart from that.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        debug_assert!(
            self.effects.is_carried_out(),
            "each call carries out what it recorded, as far as it may"
        );
        if self.effects.is_empty() {
            // Frames without a limit of their own (pings, pongs, Close frames) count as well.
            self.enforce_queue_budget();
        }
        let action = self.effects.next_action();
        self.record_action(action.as_ref());
        action
    }

    /// Acts on what is due. Early, late, repeated and backward calls are harmless.
    ///
    /// Where much is due at once, it acts on a part of it, and the [next
    /// deadline](Self::next_deadline) is at once.
    pub fn tick(&mut self, now: Time) {
        if now < self.clock.now() {
            return;
        }
        self.record(now, |_| Input::Tick);
        self.advance_clock(now);
        let due_first = self.effects.takes_due_first();
        if !due_first {
            self.go_on_ending();
        }
        self.tick_due();
        if due_first {
            self.go_on_ending();
        }
        self.tick_everybody();
        self.pings.end_beat();
        let now = self.liveness();
        self.pings.tick(&mut self.effects, now);
        self.go_on_asking();
        self.continue_info_updates();
        self.go_on_with_directs();
        self.go_on_letting_in();
        self.tick_presence();
        self.tick_held_seats();
        self.tick_histories();
        self.deadlines.sweep(&self.connections);
        self.seats.tick(self.clock.now());
        self.clock.tick();
    }

    /// Goes on with a drain, and acts on logins and timers that are due.
    fn tick_due(&mut self) {
        self.tick_drain();
        let expired = self.tick_expiries(ENDS);
        let now = self.liveness();
        let mut share = TIMERS;
        while share > 0
            && self.effects.may_end()
            && let Some((kind, id)) = self.next_due(now, &mut share)
        {
            if kind != Kind::Ping {
                // None of those that end a connection lets it have what it lags behind.
                let weight = self.weight_of_end(id, CloseReason::HeartbeatTimeout);
                self.effects.ends(weight);
                // The look at it has cost one already.
                share = share.saturating_sub(TIMERS / ENDS * weight - 1);
            }
            self.due(kind, id);
        }
        // Of those whom a timer admits, logins may have expired while they waited.
        self.tick_expiries(ENDS - expired);
    }

    fn next_due(&mut self, now: Time, share: &mut usize) -> Option<(Kind, ConnectionId)> {
        let (connections, log) = (&mut self.connections, &self.log);
        self.deadlines
            .pop(connections, &self.config, now, share, |id| log.fetch(id))
    }

    fn due(&mut self, kind: Kind, id: ConnectionId) {
        if !matches!(kind, Kind::Ping | Kind::Claim | Kind::Linger | Kind::Close) {
            self.because(id, |it| it.cause_of_timer(id, kind));
        }
        match kind {
            Kind::Handshake => self.handshake_timed_out(id),
            Kind::Hook => self.hook_failed(id),
            Kind::Auth => self.end(id, CloseReason::AuthTimeout),
            Kind::Claim => self.decide_claim(id),
            Kind::Linger | Kind::Close => self.remove(id, None),
            Kind::Message => self.end(id, CloseReason::Policy),
            Kind::PingTimeout => self.evict(id, CloseReason::HeartbeatTimeout),
            Kind::WriteStall
                if self
                    .connections
                    .get(id)
                    .is_ok_and(ConnectionState::reads_page) =>
            {
                self.remove(id, None);
            }
            Kind::WriteStall => self.end(id, CloseReason::SlowConsumer),
            Kind::Ping => self.send_ping(id),
        }
    }

    /// Ends connections whose login has expired, at most so many. Returns how many.
    fn tick_expiries(&mut self, most: usize) -> usize {
        let now = self.clock.now();
        let mut expired = 0;
        while expired < most {
            let at = self.deadlines.next_expiry().unwrap_or(now);
            let Some(id) = self.deadlines.pop_expired(&mut self.connections, now) else {
                break;
            };
            self.end_later(id, CloseReason::TokenExpired, |it| it.cause_of_expiry(at));
            expired += 1;
        }
        self.settle();
        expired
    }
}

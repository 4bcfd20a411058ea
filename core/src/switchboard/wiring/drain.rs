//! The planned end of the node (docs/behaviour.md, section 9).

use std::time::Duration;

use super::switchboard::Switchboard;
use crate::base::time::nanos;
use crate::recorder::Input;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::phase::Seat;
use crate::{CloseReason, Refused, Time};

/// The largest final write of an evicted connection, in bytes. A socket rarely takes more at once.
const LAST_BYTES: usize = 64 << 10;

/// Slots of connections that one call of a drain looks at.
pub(super) const LOOK: usize = 1_024;

impl Switchboard {
    /// Drains the node: refuses new connections from now on, and closes open ones (1001) in random
    /// order, spread evenly over `window`. Connections that are left after `deadline`, which is at
    /// least the window, are evicted; their queues, including `bye` and Close frame, are written with
    /// one attempt.
    ///
    /// [`Notice::Drained`](crate::Notice::Drained) follows when all of them are gone, including those
    /// that were authenticating. Within the deadline the drain also waits for hooks; see
    /// [`await_disconnect_hooks`](Self::await_disconnect_hooks). A second call has no effect.
    pub fn drain(&mut self, now: Time, window: Duration, deadline: Duration) {
        self.record(now, |_| Input::Drain {
            window: nanos(window),
            deadline: nanos(deadline),
        });
        self.advance_clock(now);
        let now = self.clock.now();
        if self.drain.begin(&self.connections, now, window, deadline) {
            self.tick_drain();
        }
    }

    /// Declares that each [`Notice::Closed`](crate::Notice::Closed) begins a hook, whose return
    /// [`disconnect_hook_done`](Self::disconnect_hook_done) reports. A drain waits for these hooks.
    pub fn await_disconnect_hooks(&mut self) {
        self.record(self.clock.now(), |_| Input::AwaitDisconnectHooks);
        self.drain.await_hooks();
    }

    /// Reports that a hook `on_disconnect` has returned.
    pub fn disconnect_hook_done(&mut self, now: Time) {
        self.record(now, |_| Input::DisconnectHookDone);
        self.advance_clock(now);
        self.drain.hook_returned();
        self.drain_progress();
    }

    /// Returns whether a drain has begun.
    pub fn is_draining(&self) -> bool {
        self.drain.has_begun()
    }

    /// Goes on with a drain: a part of it, while there is more to do.
    pub(super) fn tick_drain(&mut self) {
        let now = self.clock.now();
        let share = self.effects.share();
        let pending = self
            .drain
            .schedule(&self.connections, &mut self.rng, LOOK, share);
        self.effects.ends(pending.len());
        for id in pending {
            self.refuse(id, Refused::Restart);
        }
        while self.effects.may_end()
            && let Some((id, wait)) = self.drain.pop(&mut self.rng, now)
        {
            let weight = self.weight_of_end(id, CloseReason::Draining);
            self.effects.ends(weight);
            if self.connections.get(id).is_ok_and(ConnectionState::is_open) {
                self.because(id, |it| it.cause_of_drain(now));
                self.end_draining(id, wait);
            }
        }
        if self.drain.is_overdue(now) && self.effects.may_end() {
            self.evict_some();
        }
        self.drain_progress();
    }

    fn evict_some(&mut self) {
        // They are counted before the last of them is removed, because that sends the report.
        let share = self.effects.share();
        for (id, seat) in self.drain.evict(&self.connections, LOOK, share) {
            // As it was counted for this share.
            self.effects
                .ends(self.weight_of_end(id, CloseReason::Shutdown));
            if seat == Seat::Open {
                let now = self.clock.now();
                self.because(id, |it| it.cause_of_drain(now));
                self.evict(id, CloseReason::Draining);
            } else {
                // If the deadline falls on its turn, no writer has been called yet.
                let last = self.log.last_words(id, LAST_BYTES);
                if let Some((_, messages)) = last {
                    self.counters.messages_out += u64::from(messages);
                }
                self.remove(id, last.map(|(frame, _)| frame));
            }
        }
    }
}

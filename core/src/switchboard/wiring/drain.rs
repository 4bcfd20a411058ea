//! The planned end of the node (docs/behaviour.md, section 9).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::switchboard::Switchboard;
use crate::switchboard::action::{DrainReport, Notice};
use crate::switchboard::connection::{ConnectionState, Phase, Seat, WriteState};
use crate::switchboard::pool::Chunk;
use crate::{CloseReason, ConnectionId, Frame, Refused, Time};

#[derive(Debug)]
pub(super) struct Drain {
    window: Duration,
    deadline: Time,
    /// When to close each connection.
    schedule: VecDeque<(Time, ConnectionId)>,
    /// Connections that were being authenticated, and may not be gone yet.
    pending: Vec<ConnectionId>,
    /// Connections that were closing when it began, and are not counted as evicted.
    closing: BTreeSet<ConnectionId>,
    report: DrainReport,
    done: bool,
}

/// The shortest delay after which a client is asked to reconnect.
const RECONNECT_FROM: Duration = Duration::from_millis(500);

/// The largest final write of an evicted connection, in bytes. A socket rarely takes more at once.
const LAST_BYTES: usize = 64 << 10;

impl Drain {
    pub(super) fn next(&self) -> Option<Time> {
        let next = self.schedule.front().map(|&(at, _)| at);
        (!self.done).then(|| next.map_or(self.deadline, |at| at.min(self.deadline)))
    }
}

impl Switchboard {
    /// Drains the node: refuses new connections from now on, and closes open ones (1001) in random
    /// order, spread evenly over `window`. Connections that are left after `deadline`, which is at
    /// least the window, are evicted; what is queued for them, including `bye` and Close frame, is
    /// written with one attempt.
    ///
    /// [`Notice::Drained`] follows when all of them are gone, and also those that were
    /// authenticating. Within the deadline the drain also waits for hooks; see
    /// [`await_disconnect_hooks`](Self::await_disconnect_hooks). A second call has no effect.
    pub fn drain(&mut self, now: Time, window: Duration, deadline: Duration) {
        self.advance_clock(now);
        if self.drain.is_some() {
            return;
        }
        let mut open = Vec::new();
        let mut pending = Vec::new();
        let mut closing = BTreeSet::new();
        for (id, connection) in self.connections.iter() {
            match connection.phase {
                Phase::Open => open.push(id),
                Phase::Authenticating(_) | Phase::AwaitingAuth(_) => pending.push(id),
                Phase::Closing(_) => {
                    closing.insert(id);
                }
                _ => {}
            }
        }
        self.rng.shuffle(&mut open);
        let share = window.as_nanos() / open.len().max(1) as u128;
        let at = |index: usize| {
            let nanos = share * (index as u128 + 1);
            self.clock.now() + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let schedule = open
            .iter()
            .enumerate()
            .map(|(index, &id)| (at(index), id))
            .collect();
        self.drain = Some(Drain {
            window,
            deadline: self.clock.now() + deadline.max(window),
            schedule,
            pending: pending.clone(),
            closing,
            report: DrainReport {
                connections: open.len(),
                ..DrainReport::default()
            },
            done: false,
        });
        for id in pending {
            self.refuse(id, Refused::Restart);
        }
        self.tick_drain();
    }

    /// Declares that each [`Notice::Closed`] begins a hook, whose return
    /// [`disconnect_hook_done`](Self::disconnect_hook_done) reports. A drain waits for these hooks.
    pub fn await_disconnect_hooks(&mut self) {
        self.awaits_hooks = true;
    }

    /// Reports that a hook `on_disconnect` has returned.
    pub fn disconnect_hook_done(&mut self, now: Time) {
        self.advance_clock(now);
        self.disconnecting = self.disconnecting.saturating_sub(1);
        self.drain_progress();
    }

    /// Returns whether a drain has begun.
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    pub(super) fn tick_drain(&mut self) {
        while let Some(drain) = &mut self.drain
            && let Some(&(at, id)) = drain.schedule.front()
            && at <= self.clock.now()
        {
            drain.schedule.pop_front();
            let window = drain.window;
            let spread = u64::try_from(window.as_millis())
                .unwrap_or(u64::MAX / 2)
                .max(1_000);
            let wait = self.rng.u64(..=spread) + RECONNECT_FROM.as_millis() as u64;
            if self.connections.get(id).is_ok_and(ConnectionState::is_open) {
                self.end_draining(id, wait);
            }
        }
        if self
            .drain
            .as_ref()
            .is_some_and(|drain| !drain.done && drain.deadline <= self.clock.now())
        {
            self.evict_the_rest();
        }
        self.drain_progress();
    }

    fn evict_the_rest(&mut self) {
        let rest: Vec<_> = self
            .connections
            .iter()
            .map(|(id, found)| (id, found.phase.seat()))
            .filter(|(_, seat)| matches!(seat, Seat::Open | Seat::Closing))
            .collect();
        // Before the last of them is removed, because that sends the report.
        if let Some(drain) = &mut self.drain {
            let began = |(id, _): &&(ConnectionId, Seat)| !drain.closing.contains(id);
            drain.report.evicted = rest.iter().filter(began).count();
            drain.pending = Vec::new();
        }
        for (id, seat) in rest {
            if seat == Seat::Open {
                self.evict(id, CloseReason::Draining);
            } else {
                // If the deadline falls on its turn, no writer has been called yet.
                let last = self.last_words(id);
                self.remove(id, last);
            }
        }
    }

    /// Takes what is queued for a closing connection, for a single attempt to write it. Returns
    /// `None` if the socket takes no bytes, or if a writer has taken frames.
    fn last_words(&mut self, id: ConnectionId) -> Option<Frame> {
        let connection = self.connections.get_mut(id).ok()?;
        let free = matches!(connection.writer, WriteState::Idle | WriteState::Queued);
        if !free || connection.queue.is_empty() || connection.queue.bytes() > LAST_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(connection.queue.bytes());
        let mut messages = 0;
        while !connection.queue.is_empty() {
            let before = bytes.len();
            let taken = match self
                .pool
                .take(&mut connection.queue, &mut bytes, LAST_BYTES)
            {
                Chunk::Nothing => break,
                Chunk::Copied(_) => bytes.len() - before,
                Chunk::Shared(frame, from) => {
                    bytes.extend_from_slice(&frame.as_bytes()[from..]);
                    bytes.len() - before
                }
            };
            messages += self.pool.wrote(&mut connection.queue, taken).messages;
        }
        self.counters.messages_out += u64::from(messages);
        Some(Frame::raw(bytes))
    }

    /// Sends the report when no connection is left and no hook runs.
    pub(super) fn drain_progress(&mut self) {
        if self.open > 0 || self.closing > 0 {
            return;
        }
        let Some(drain) = &mut self.drain else { return };
        if self.disconnecting > 0 && self.clock.now() < drain.deadline {
            return;
        }
        while let Some(&id) = drain.pending.last()
            && self.connections.get(id).is_err()
        {
            drain.pending.pop();
        }
        if !drain.done && drain.pending.is_empty() {
            drain.done = true;
            drain.schedule = VecDeque::new();
            drain.report.hooks_cut_off = self.disconnecting;
            let report = drain.report;
            self.notify(Notice::Drained(report));
        }
    }
}

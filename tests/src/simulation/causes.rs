//! Checks why connections end, and how (invariants 29 and 30).

use switchboard_core::HealthPing;

use super::counters::Probe;
use super::link::Phase;
use super::oracle::Verdict;
use super::schedule::Step;
use super::world::World;

/// Every reason, and the code of its Close frame (docs/protocol.md, section 4).
const ENDS: &[(&str, Option<u16>)] = &[
    ("replaced", Some(1000)),
    ("draining", Some(1001)),
    ("protocol_error", Some(1002)),
    ("unsupported_data", Some(1003)),
    ("invalid_utf8", Some(1007)),
    ("policy", Some(1008)),
    ("too_big", Some(1009)),
    ("internal", Some(1011)),
    ("restart", Some(1012)),
    ("unauthorized", Some(4001)),
    ("server_full", Some(4002)),
    ("lobby_full", Some(4002)),
    ("forbidden", Some(4003)),
    ("kicked", Some(4004)),
    ("already_connected", Some(4005)),
    ("ip_limit", Some(4100)),
    ("slow_consumer", Some(4101)),
    ("rate_limited", Some(4102)),
    ("auth_timeout", Some(4103)),
    ("heartbeat_timeout", Some(4201)),
    ("token_expired", Some(4202)),
    ("application", Some(4400)),
    ("client_closed", None),
    ("eof", None),
    ("reset", None),
];

/// The ends after which queued messages are still sent (docs/behaviour.md, section 5).
const FLUSH: &[&str] = &[
    "draining",
    "replaced",
    "token_expired",
    "application",
    "client_closed",
];
/// The ends that start a grace period (docs/behaviour.md, section 8).
const BY_ITSELF: &[&str] = &["client_closed", "eof", "reset"];
/// The others after which a seat is held (docs/behaviour.md, section 3).
const LOST: &[&str] = &[
    "replaced",
    "slow_consumer",
    "heartbeat_timeout",
    "token_expired",
];

pub(super) fn bit(end: &str) -> u64 {
    ENDS.iter()
        .position(|(name, _)| *name == end)
        .map_or(0, |index| 1 << index)
}

pub(super) fn flushes(end: &str) -> bool {
    FLUSH.contains(&end)
}

pub(super) fn by_itself(end: &str) -> bool {
    BY_ITSELF.contains(&end)
}

pub(super) fn is_lost(end: &str) -> bool {
    by_itself(end) || LOST.contains(&end)
}

impl World {
    pub(super) fn closed(
        &mut self,
        l: u32,
        mut rooms: Vec<u32>,
        reason: &'static str,
        theirs: Option<u16>,
    ) {
        let phase = self.links[l as usize].shadow.phase;
        self.check(2, phase == Phase::Open, || {
            format!("link {l}: closed in {phase:?}")
        });
        if let Some((of, Verdict::Closed(expected))) = &self.oracle.predicted
            && *of == l
        {
            let expected = *expected;
            // The `subscribed` or presence itself may overflow the queue.
            let slow = reason == "slow_consumer" && self.plan.tiny_queue;
            self.check(29, reason == expected || slow, || {
                format!("link {l}: closed {reason}, expected {expected}")
            });
            self.oracle.predicted = None;
        }
        let allowed = self.may_end(l, reason) || self.may_end_now(l, reason);
        self.check(29, allowed, || {
            format!("link {l}: closed {reason} without a cause")
        });
        // It may have left another room earlier in the same call.
        let left = &self.links[l as usize].shadow.left_now;
        let mut left = left[left.len().saturating_sub(rooms.len())..].to_vec();
        rooms.sort_unstable();
        left.sort_unstable();
        let inside = self.links[l as usize].shadow.rooms.clone();
        self.check(30, rooms == left && inside.is_empty(), || {
            format!("link {l}: closed with rooms {rooms:?}, left {left:?}, in {inside:?}")
        });
        self.note_graces(l, &rooms, reason);
        self.note_held_seats(l, &rooms, reason);
        let ours = ENDS.iter().find(|(name, _)| *name == reason);
        let code = ours.and_then(|(_, code)| *code);
        let same = ours.is_some() && (code == theirs || reason == "application");
        self.check(29, same, || {
            format!("link {l}: {reason} has code {theirs:?}, expected {code:?}")
        });
        self.forget_device(l);
        self.give_back_address(l);
        let link = &mut self.links[l as usize];
        link.shadow.closed = Some(reason);
        if reason != "client_closed" {
            link.shadow.close_code = Some(theirs);
        }
        link.shadow.grace_bytes = link.held || link.output.is_cut();
        link.shadow.expires = None;
        if link.held {
            self.tally.probe(Probe::ClosedWhileWriting);
        }
        self.probe_end(l, reason);
        self.move_to(l, Phase::Closing);
        self.signal(l);
        self.schedule.push(self.now, Step::Arrive(l));
    }

    fn forget_device(&mut self, l: u32) {
        if let Some(user) = self.shared_user(l)
            && let Some(devices) = self.oracle.users.get_mut(&user)
        {
            devices.retain(|&other| other != l);
            if devices.is_empty() {
                self.oracle.users.remove(&user);
            }
        }
    }

    fn probe_end(&mut self, l: u32, reason: &str) {
        let probe = match reason {
            "policy" if self.links[l as usize].partial && self.plan.tiny_unfinished => {
                Probe::UnfinishedBound
            }
            "policy" if self.links[l as usize].partial => Probe::MessageTimeout,
            "heartbeat_timeout" => Probe::Heartbeat,
            "token_expired" => Probe::Expired,
            "rate_limited" => Probe::Strikes,
            "draining" if self.drain_due.is_some_and(|(_, due)| due <= self.core_now) => {
                Probe::DrainEvicted
            }
            _ => return,
        };
        self.probe(probe);
    }

    /// Decides about ends that depend on time, queues and other connections.
    fn may_end_now(&mut self, l: u32, reason: &str) -> bool {
        let link = &self.links[l as usize];
        let shadow = &link.shadow;
        let now = self.core_now;
        match reason {
            "draining" => self.drain_due.is_some(),
            "internal" => {
                let busy = link.hook.is_some();
                if busy {
                    self.probe(Probe::HookTimedOut);
                }
                busy
            }
            "token_expired" => shadow.expires.is_some_and(|at| at <= now),
            "heartbeat_timeout" => {
                let messages =
                    self.plan.json && self.plan.config.health.health_ping == HealthPing::All;
                let last = if messages {
                    shadow.last_message
                } else {
                    shadow.last_heard
                };
                let timeout = self.plan.config.health.ping_timeout.as_nanos();
                let long = |since: u64| u128::from(now.saturating_sub(since)) >= timeout;
                // A ping that waits for the socket asks for nothing yet.
                long(last) && (messages || shadow.pinged_since.is_some_and(long))
            }
            "policy" => link.partial,
            "slow_consumer" => {
                // The node's bound is not enforced by ticks and closes only blocked connections.
                let was = shadow.ever_blocked && (self.ticking || !self.plan.tiny_pool);
                // What it asked for itself may find its queue full before a writer comes to it.
                let stalled = link.blocked || link.held || shadow.unblocked || was;
                self.probe(if self.plan.tiny_pool {
                    Probe::PoolBoundClosed
                } else if self.plan.tiny_queue {
                    Probe::QueueBoundClosed
                } else {
                    Probe::WriteStallClosed
                });
                stalled || self.plan.tiny_queue
            }
            _ => false,
        }
    }
}

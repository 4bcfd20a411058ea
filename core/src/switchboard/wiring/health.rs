//! Liveness: pings, their answers, and `ping_user`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::switchboard::Switchboard;
use crate::protocol::ServerMessage;
use crate::switchboard::action::{Notice, PingResult};
use crate::switchboard::connection::{ConnectionState, Outstanding, Probe};
use crate::switchboard::pool::StoredFrame;
use crate::switchboard::queue::Class;
use crate::switchboard::timers::Kind;
use crate::time::nanos;
use crate::{ConnectionId, Frame, HealthPing, Time, Wire};

#[derive(Debug)]
struct PendingPing {
    deadline: Time,
    waiting: usize,
    results: Vec<PingResult>,
}

/// Calls of `ping_user` that are not concluded, in liveness time.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pending: BTreeMap<u64, PendingPing>,
    deadlines: BTreeSet<(Time, u64)>,
    /// The latest payload or ticket, which is unique on the node.
    last: u64,
    /// The ping of this tick, shared by all connections that are due.
    beat: Option<(u64, StoredFrame)>,
}

impl Probes {
    pub(super) fn next(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// Returns the distance of the times at which pings are due, in nanoseconds. Pings due at the same
/// time cost one wake-up of the driver, and often one for their answers.
const fn beat(interval: u64) -> u64 {
    const LONGEST: u64 = 50_000_000;
    const FEWEST: u64 = 64;
    let beats = interval / LONGEST;
    let beat = interval / if beats > FEWEST { beats } else { FEWEST };
    if beat == 0 { 1 } else { beat }
}

/// Returns the first beat after `at`.
fn on_the_beat(at: Time, beat: u64) -> Time {
    Time::from_nanos(
        (at.as_nanos() / beat)
            .saturating_add(1)
            .saturating_mul(beat),
    )
}

const fn probe_class(as_message: bool) -> Class {
    if as_message {
        Class::MESSAGE
    } else {
        Class::CONTROL
    }
}

const fn ping_class(as_message: bool) -> Class {
    if as_message {
        Class::MESSAGE_PING
    } else {
        Class::PING
    }
}

impl Switchboard {
    /// Pings all connections of a user, by `health_ping` with the JSON protocol and otherwise by a
    /// ping frame with a payload of its own.
    ///
    /// Returns a ticket. [`Notice::Pinged`] with that ticket follows at the latest after `timeout`;
    /// at once if the user is not connected.
    pub fn ping_user(&mut self, now: Time, user: &str, timeout: Duration) -> u64 {
        self.advance_clock(now);
        let (ticket, sent) = (self.probes.number(), self.liveness());
        let devices = self.connections_of(user);
        let deadline = sent + timeout;
        for &id in &devices {
            let payload = self.probes.number();
            if let Ok(connection) = self.connections.get_mut(id) {
                connection.probes().push(Probe {
                    payload,
                    sent,
                    ticket,
                });
            }
            self.push_probe(id, payload, self.config.wire == Wire::Json);
        }
        let results = devices
            .iter()
            .map(|&id| PingResult { id, rtt: None })
            .collect();
        let question = PendingPing {
            deadline,
            waiting: devices.len(),
            results,
        };
        self.probes.pending.insert(ticket, question);
        self.probes.deadlines.insert((deadline, ticket));
        if devices.is_empty() {
            self.conclude(ticket);
        }
        ticket
    }

    pub(super) fn push_probe(&mut self, id: ConnectionId, payload: u64, as_message: bool) {
        let frame = self.ping_frame(payload, as_message);
        self.push_urgent(id, frame, probe_class(as_message));
    }

    /// Schedules the first ping at a random time within the interval, on a beat that all
    /// connections share.
    pub(super) fn start_pings(&mut self, id: ConnectionId) {
        let interval = nanos(self.config.health.ping_interval);
        let beat = beat(interval);
        let wait = Duration::from_nanos(self.rng.u64(0..=interval - beat));
        let now = self.liveness();
        let next_ping = on_the_beat(now + wait, beat);
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.last_heard = now;
        connection.next_ping = next_ping;
        self.arm(id, Kind::Ping);
    }

    /// Sends the ping of an interval, unless the previous one is unanswered.
    pub(super) fn send_ping(&mut self, id: ConnectionId) {
        let now = self.liveness();
        let health = self.config.health;
        let asks = health.health_ping == HealthPing::All && self.config.wire == Wire::Json;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        // Stays on the beat, because the interval is a multiple of it except for nanoseconds.
        let next = connection.next_ping + health.ping_interval;
        connection.next_ping = if next > now {
            next
        } else {
            let interval = nanos(health.ping_interval);
            let beat = beat(interval);
            on_the_beat(now + Duration::from_nanos(interval - beat), beat)
        };
        if let Some(ping) = &mut connection.ping
            && !ping.has_left()
        {
            // The ping is still queued, and serves for this interval too.
            ping.heard = false;
        } else if connection.ping.is_none_or(|ping| ping.heard) {
            let class = ping_class(asks);
            let (payload, frame) = self.ping_of_this_tick(asks);
            let Ok(connection) = self.connections.get_mut(id) else {
                return;
            };
            connection.ping = Some(Outstanding {
                payload,
                sent: now,
                deadline: Time::MAX,
                health: asks,
                heard: false,
            });
            self.push_stored(id, frame, class);
        }
        self.arm(id, Kind::Ping);
    }

    /// Starts the ping timeout when the socket has taken all of a ping. A peer whose socket takes
    /// nothing is found by the write stall instead. So a dead peer is found at the latest one ping
    /// interval and the longer of the two timeouts after its last sign of life.
    pub(super) fn ping_left(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.health.ping_timeout;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if let Some(ping) = &mut connection.ping {
            ping.deadline = deadline;
            self.arm(id, Kind::PingTimeout);
        }
    }

    /// Returns the ping shared by all connections due in this tick, which is encoded and stored
    /// once.
    fn ping_of_this_tick(&mut self, as_message: bool) -> (u64, StoredFrame) {
        if let Some(beat) = self.probes.beat {
            return beat;
        }
        let payload = self.probes.number();
        let frame = self.ping_frame(payload, as_message);
        let beat = (payload, self.pool.store(frame));
        self.probes.beat = Some(beat);
        beat
    }

    /// Releases the ping of the tick that is over.
    pub(super) fn end_beat(&mut self) {
        if let Some((_, frame)) = self.probes.beat.take() {
            self.pool.release(frame);
        }
    }

    fn ping_frame(&mut self, payload: u64, as_message: bool) -> Frame {
        if as_message {
            let ping = ServerMessage::HealthPing { timestamp: payload };
            self.encoder.encode(&ping, 0)
        } else {
            Frame::ping(&payload.to_be_bytes())
        }
    }

    /// Handles a pong, which is charged unless it answers a ping of ours.
    pub(super) fn ponged(&mut self, id: ConnectionId, payload: &[u8]) {
        let ours = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes);
        if !ours.is_ok_and(|payload| self.answered(id, payload)) {
            self.charge(id, payload.len());
        }
    }

    /// Takes an answer to a ping of ours, whatever its form. Returns whether it was one.
    pub(super) fn answered(&mut self, id: ConnectionId, payload: u64) -> bool {
        let now = self.liveness();
        let Ok(connection) = self.connections.get_mut(id) else {
            return false;
        };
        if let Some(ping) = connection.ping
            && ping.payload == payload
        {
            let rtt = now.since(ping.sent);
            connection.set_round_trip(rtt);
            connection.ping = None;
            self.counters.rtt.record(rtt);
            // Otherwise it would be checked later, when its memory is no longer in the cache.
            self.disarm(id, Kind::PingTimeout, true);
            return true;
        }
        let probe = connection.outstanding_probes().and_then(|probes| {
            let at = probes.iter().position(|probe| probe.payload == payload)?;
            Some(probes.swap_remove(at))
        });
        let Some(probe) = probe else {
            return false;
        };
        let rtt = now.since(probe.sent);
        connection.set_round_trip(rtt);
        self.counters.rtt.record(rtt);
        self.resolve(probe.ticket, id, Some(rtt));
        true
    }

    /// Gives up the probes of a connection that has ended.
    pub(super) fn forget_probes(&mut self, id: ConnectionId) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        for probe in connection
            .outstanding_probes()
            .map(std::mem::take)
            .unwrap_or_default()
        {
            self.resolve(probe.ticket, id, None);
        }
    }

    pub(super) fn tick_probes(&mut self) {
        while let Some(&(at, ticket)) = self.probes.deadlines.first()
            && at <= self.liveness()
        {
            self.conclude(ticket);
        }
    }

    fn resolve(&mut self, ticket: u64, id: ConnectionId, rtt: Option<Duration>) {
        let Some(question) = self.probes.pending.get_mut(&ticket) else {
            return;
        };
        if let Some(result) = question.results.iter_mut().find(|result| result.id == id) {
            result.rtt = rtt;
        }
        question.waiting -= 1;
        if question.waiting == 0 {
            self.conclude(ticket);
        }
    }

    fn conclude(&mut self, ticket: u64) {
        let Some(question) = self.probes.pending.remove(&ticket) else {
            return;
        };
        self.probes.deadlines.remove(&(question.deadline, ticket));
        for result in question
            .results
            .iter()
            .filter(|result| result.rtt.is_none())
        {
            let connection = self.connections.get_mut(result.id);
            if let Some(probes) = connection
                .ok()
                .and_then(ConnectionState::outstanding_probes)
            {
                probes.retain(|probe| probe.ticket != ticket);
            }
        }
        self.notify(Notice::Pinged {
            ticket,
            results: question.results,
        });
    }

    /// Returns the latest round-trip time of a connection.
    pub fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.connections.get(id).ok()?.round_trip()
    }
}

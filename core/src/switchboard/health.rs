//! Who is still there: pings, answers and the questions of the application.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::connection::{ConnectionState, Outstanding, Probe};
use super::pool::StoredFrame;
use super::queue::Class;
use super::timers::Kind;
use super::{Notice, Switchboard};
use crate::protocol::ServerMessage;
use crate::time::nanos;
use crate::{ConnectionId, Frame, HealthPing, Time, Wire};

/// One connection's answer to [`Switchboard::ping_user`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingResult {
    /// Which connection.
    pub id: ConnectionId,
    /// The round-trip time; `None`: no answer in time, or it has gone.
    pub rtt: Option<Duration>,
}

#[derive(Debug)]
struct PendingPing {
    deadline: Time,
    waiting: usize,
    results: Vec<PingResult>,
}

/// The questions of `ping_user` that are not answered yet; all times are liveness time.
#[derive(Debug, Default)]
pub(super) struct Probes {
    pending: BTreeMap<u64, PendingPing>,
    deadlines: BTreeSet<(Time, u64)>,
    /// The number in the latest ping; no connection gets one twice.
    last: u64,
    /// The ping of this tick, which all get that are due at it.
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

/// How far apart the moments are at which pings are due, in nanoseconds: what is due at one moment
/// costs one wake of the driver, and often one read of what comes back.
const fn beat(interval: u64) -> u64 {
    const LONGEST: u64 = 50_000_000;
    const FEWEST: u64 = 64;
    let beats = interval / LONGEST;
    let beat = interval / if beats > FEWEST { beats } else { FEWEST };
    if beat == 0 { 1 } else { beat }
}

/// The next beat after a moment.
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
    /// Asks all devices of a user whether they are there, by `health_ping` where JSON is spoken
    /// and else by a ping with a payload of its own.
    ///
    /// The answer is a [`Notice::Pinged`] with the ticket that is returned here, at the latest
    /// after `timeout`; at once for a user who is not connected.
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

    /// The first ping falls at random in the interval, on a beat that all connections share.
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

    /// A ping is due: one per interval, unless the one before is not answered.
    pub(super) fn send_ping(&mut self, id: ConnectionId) {
        let now = self.liveness();
        let health = self.config.health;
        let asks = health.health_ping == HealthPing::All && self.config.wire == Wire::Json;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        // From beat to beat: a beat is a whole part of the interval, but for nanoseconds.
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
            // It still waits for the socket, and asks what another would ask.
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

    /// The socket has taken all of a ping: from now on its answer is waited for. A peer whose socket
    /// takes nothing is found by the write stall instead, so a dead one is found at the latest a ping
    /// interval and the longer of both timeouts after its last sign of life.
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

    /// Each connection that is due in this tick gets the same ping: it is encoded and kept once.
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

    /// The tick is over, and its ping is held only by the queues that it is in.
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

    /// A pong: free if it answers us, charged if not.
    pub(super) fn ponged(&mut self, id: ConnectionId, payload: &[u8]) {
        let ours = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes);
        if !ours.is_ok_and(|payload| self.answered(id, payload)) {
            self.charge(id, payload.len());
        }
    }

    /// An answer to one of our pings, by whatever way; says whether it was one.
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
            // Else it would be looked at once more, when its memory has long gone cold.
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

    /// A connection has gone: it answers no question any more.
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

    /// The latest round-trip time of a connection.
    pub fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.connections.get(id).ok()?.round_trip()
    }
}

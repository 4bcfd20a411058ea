//! Pings, their answers, and `ping_user`.

use std::time::Duration;

use super::switchboard::Switchboard;
use crate::base::time::nanos;
use crate::protocol::ServerMessage;
use crate::recorder::Input;
use crate::switchboard::liveness::{self, Answer, Asking};
use crate::switchboard::log::Class;
use crate::switchboard::timers::Kind;
use crate::{ConnectionId, Frame, HealthPing, Time, Wire};

/// Connections that one call asks on behalf of `ping_user`.
const ASKED: usize = 512;

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
    /// Pings all connections of a user, by `health_ping` with the JSON protocol and otherwise by a ping
    /// frame with a unique payload.
    ///
    /// Returns a ticket. [`Notice::Pinged`](crate::Notice::Pinged) with that ticket follows at the
    /// latest after `timeout`; at once if the user is not connected. Of many connections it asks some,
    /// and the [ticks](Self::tick) that are due at once ask the others. A connection that ends before
    /// it is asked has no result, and `timeout` begins when all are asked.
    pub fn ping_user(&mut self, now: Time, user: &str, timeout: Duration) -> u64 {
        self.record(now, |it| Input::PingUser {
            user: it.name(user),
            timeout: nanos(timeout),
        });
        self.advance_clock(now);
        let devices = (self.users.count(user), self.users.last_place(user));
        let asking = self.pings.begin(user, devices, timeout);
        let ticket = asking.ticket;
        self.ask_some(asking);
        ticket
    }

    /// Goes on with asking all connections of a user: with a part of them.
    pub(super) fn go_on_asking(&mut self) {
        if let Some(asking) = self.pings.next_asking() {
            self.ask_some(asking);
        }
    }

    fn ask_some(&mut self, mut asking: Asking) {
        let now = self.liveness();
        let places = (asking.after, asking.last);
        let (slots, next) = self.users.some(&asking.user, places, ASKED);
        let ids: Vec<_> = slots.map(|slot| self.connections.id_at(slot)).collect();
        for id in ids {
            if let Some(payload) = self.pings.ask(&mut self.connections, &asking, id, now) {
                self.push_probe(id, payload, self.config.wire == Wire::Json);
            }
        }
        if let Some(after) = next {
            asking.after = after;
            self.pings.put_off(asking);
        } else {
            self.pings.all_asked(&mut self.effects, &asking, now);
        }
    }

    pub(super) fn push_probe(&mut self, id: ConnectionId, payload: u64, as_message: bool) {
        let frame = self.ping_frame(payload, as_message);
        self.push_urgent(id, frame, probe_class(as_message));
    }

    /// Schedules the first ping of a connection that was admitted.
    pub(super) fn start_pings(&mut self, id: ConnectionId) {
        let (interval, now) = (self.config.health.ping_interval, self.liveness());
        if let Ok(connection) = self.connections.get_mut(id) {
            liveness::start(connection, &mut self.rng, interval, now);
            self.arm(id, Kind::Ping);
        }
    }

    /// Sends the ping of an interval, unless the previous one is unanswered.
    pub(super) fn send_ping(&mut self, id: ConnectionId) {
        let now = self.liveness();
        let health = self.config.health;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if liveness::due(connection, health.ping_interval, now) {
            let asks = health.health_ping == HealthPing::All
                && self.config.wire == Wire::Json
                && !self.log.is_event_stream(id);
            let (payload, frame) = self.ping_of_this_tick(asks);
            if let Ok(connection) = self.connections.get_mut(id) {
                liveness::sent(connection, payload, asks, now);
                self.push_urgent(id, frame, ping_class(asks));
            }
        }
        self.arm(id, Kind::Ping);
    }

    /// Starts the ping timeout when the socket has accepted a whole ping. If the socket accepts
    /// nothing, the write stall detects a dead peer instead. A dead peer is therefore detected at the
    /// latest one ping interval plus the longer of the two timeouts after its last sign of life.
    ///
    /// The client of an event stream does not answer pings. Instead, the driver watches whether its
    /// operating system acknowledges the bytes ([`Event::TimedOut`](crate::Event::TimedOut)).
    pub(super) fn ping_left(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.health.ping_timeout;
        let answered = !self.log.is_event_stream(id);
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if !answered {
            connection.ping = None;
        } else if let Some(ping) = &mut connection.ping {
            ping.deadline = deadline;
            self.arm(id, Kind::PingTimeout);
        }
    }

    /// Returns the ping shared by all connections due in this tick, which is encoded once.
    fn ping_of_this_tick(&mut self, as_message: bool) -> (u64, Frame) {
        if let Some(beat) = self.pings.beat() {
            return beat;
        }
        let payload = self.pings.number();
        let frame = self.ping_frame(payload, as_message);
        self.pings.set_beat(payload, frame.clone());
        (payload, frame)
    }

    fn ping_frame(&mut self, payload: u64, as_message: bool) -> Frame {
        if as_message {
            let ping = ServerMessage::HealthPing { timestamp: payload };
            self.encoder.encode(&ping, 0)
        } else {
            Frame::ping(&payload.to_be_bytes())
        }
    }

    /// Takes an answer to a ping of ours, whatever its form. Returns whether it was one.
    pub(super) fn answered(&mut self, id: ConnectionId, payload: u64) -> bool {
        let now = self.liveness();
        let (connections, effects) = (&mut self.connections, &mut self.effects);
        let answer = self.pings.answered(connections, effects, id, payload, now);
        let Some(Answer { rtt, of_interval }) = answer else {
            return false;
        };
        self.counters.measured(rtt);
        if of_interval {
            // Otherwise it would be checked later, when its memory is no longer in the cache.
            self.disarm(id, Kind::PingTimeout, true);
        }
        true
    }

    /// Returns the latest round-trip time of a connection.
    pub fn round_trip(&self, id: ConnectionId) -> Option<Duration> {
        self.connections.get(id).ok()?.round_trip()
    }
}

//! Why connections end, for the recorder: the rule, the measured value, and the limit.

use std::time::Duration;

use super::switchboard::Switchboard;
use crate::protocol::ServerMessage;
use crate::recorder::{Cause, Unit};
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::phase::{ConnectRate, Phase};
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, Limits, ProtocolError, Refused, Time};

/// Returns the default cause of an end.
pub(super) fn usual(reason: CloseReason) -> Cause {
    match reason {
        CloseReason::Kicked
        | CloseReason::Forbidden
        | CloseReason::Unauthorized
        | CloseReason::Application(_)
        | CloseReason::Internal => Cause::rule("application"),
        CloseReason::Shutdown => Cause::rule("application").detail("the hub was dropped"),
        CloseReason::Draining | CloseReason::Restart => Cause::rule("drain"),
        CloseReason::ClientClosed => Cause::rule("client").detail("it sent a Close frame"),
        CloseReason::Eof => {
            Cause::rule("client").detail("its side of the stream ended without a Close frame")
        }
        CloseReason::Reset => Cause::rule("stream").detail("reading or writing failed"),
        reason => Cause::rule(reason.as_str()),
    }
}

/// Returns the rule that a client violated.
pub(super) fn violation(error: ProtocolError, limits: &Limits) -> Cause {
    let cause = match error {
        // By how much is not passed on: the header of a frame says it, or nothing does.
        ProtocolError::TooBig => Cause {
            limit: Some(limits.message_bytes as u64),
            unit: Some(Unit::Bytes),
            ..Cause::rule("limits.message_bytes")
        },
        ProtocolError::TooManyFragments => {
            let most = limits.fragments;
            Cause::measured("limits.fragments", most + 1, most, Unit::Fragments)
        }
        _ => Cause::rule("protocol"),
    };
    cause.detail(error.to_string())
}

/// Returns the limit that the first message of a client breaks.
pub(super) fn first_message(bytes: usize, limit: usize, binary: bool) -> Cause {
    let cause = Cause::measured("first message", bytes, limit, Unit::Bytes);
    if binary {
        cause.detail("it is binary")
    } else {
        cause
    }
}

/// Returns the text for a client about its mistake.
pub(super) fn complaint(error: &ServerMessage<'_>) -> String {
    match error {
        ServerMessage::Error { message, .. } | ServerMessage::Denied { message, .. } => {
            (*message).to_owned()
        }
        _ => String::new(),
    }
}

impl Switchboard {
    /// Returns the limit that a frame of so many bytes would break for a connection.
    pub(super) fn cause_of_full_queue(&self, id: ConnectionId, more: usize) -> Cause {
        let (bytes, messages) = self.log.own_waiting(id);
        let times = if self.log.is_blocked(id) { 1 } else { 2 };
        let cause = self.cause_of_own_frames((bytes + more, messages + 1), times);
        if times > 1 {
            return cause
                .detail("of its own frames, which had no turn to be written: twice the limit");
        }
        cause
    }

    fn cause_of_own_frames(&self, (bytes, messages): (usize, usize), times: usize) -> Cause {
        let limits = &self.config.limits;
        let most = limits.queue_messages * times;
        let cause = if messages > most {
            Cause::measured("limits.queue_messages", messages, most, Unit::Messages)
        } else {
            let most = limits.queue_bytes * times;
            Cause::measured("limits.queue_bytes", bytes, most, Unit::Bytes)
        };
        cause.detail("of its own frames")
    }

    /// Returns the limit that a connection exceeds whose socket accepts no bytes: that of its own
    /// frames, or that of its lag in a room.
    pub(super) fn cause_of_being_slow(&self, id: ConnectionId) -> Cause {
        let limits = &self.config.limits;
        let (bytes, messages) = self.log.own_waiting(id);
        if bytes > limits.queue_bytes || messages > limits.queue_messages {
            return self.cause_of_own_frames((bytes, messages), 1);
        }
        let worst = self.log.lags(id).max_by_key(|&(_, messages, bytes)| {
            let full = |value: u64, limit: usize| value.saturating_mul(1_000) / limit as u64;
            full(messages, limits.queue_messages).max(full(bytes, limits.queue_bytes))
        });
        let Some((log, messages, bytes)) = worst else {
            return Cause::rule("limits.queue_bytes");
        };
        let cause = if bytes > limits.queue_bytes as u64 {
            let most = limits.queue_bytes;
            Cause::measured("limits.queue_bytes", bytes as usize, most, Unit::Bytes)
        } else {
            let most = limits.queue_messages;
            Cause::measured(
                "limits.queue_messages",
                messages as usize,
                most,
                Unit::Messages,
            )
        };
        let room = &self.rooms.at(self.rooms.of_log(log)).name;
        cause.detail(format!("behind in the room {room}"))
    }

    /// Returns the bound of the node that is exceeded.
    pub(super) fn cause_of_full_node(&self, id: ConnectionId) -> Cause {
        let limit = self.config.limits.queued_bytes;
        let own = self.log.own_waiting(id).0;
        let behind: u64 = self.log.lags(id).map(|(_, _, bytes)| bytes).sum();
        Cause::measured("limits.queued_bytes", self.log.held(), limit, Unit::Bytes).detail(format!(
            "its socket takes no bytes, and {} wait for it",
            own as u64 + behind
        ))
    }

    /// Returns why a timer of a connection ends it.
    pub(super) fn cause_of_timer(&self, id: ConnectionId, kind: Kind) -> Cause {
        let timeouts = &self.config.timeouts;
        let (rule, limit) = match kind {
            Kind::Handshake => ("timeouts.handshake", timeouts.handshake),
            Kind::Hook => ("timeouts.hook", timeouts.hook),
            Kind::Auth => ("timeouts.auth", timeouts.auth),
            Kind::Message => ("timeouts.message", timeouts.message),
            Kind::WriteStall => ("timeouts.write_stall", timeouts.write_stall),
            _ => ("health.ping_timeout", self.config.health.ping_timeout),
        };
        let connection = self.connections.get(id).ok();
        let due = connection.and_then(|found| found.deadline(kind, &self.config));
        let late = due.map_or(Duration::ZERO, |due| self.liveness().since(due));
        let cause = Cause::took(rule, limit + late, limit);
        match kind {
            Kind::PingTimeout => {
                let heard = connection.map_or(Time::ZERO, |found| found.last_heard);
                let silent = self.liveness().since(heard).as_millis();
                cause.detail(format!("nothing arrived for {silent} ms"))
            }
            _ => cause,
        }
    }

    /// Returns which login has expired by how much: by the clock of the node, in milliseconds.
    pub(super) fn cause_of_expiry(&self, at: Time) -> Cause {
        let since_start = |time: Time| time.since(Time::ZERO);
        Cause::took("expires_in", since_start(self.clock.now()), since_start(at))
            .detail("by the clock of the node")
    }

    /// Returns for how long the node has been draining, and over what time connections are closed, or until when
    /// they have to be gone.
    pub(super) fn cause_of_drain(&self, now: Time) -> Cause {
        let Some((began, window, deadline)) = self.drain.times() else {
            return Cause::rule("drain");
        };
        if now >= deadline {
            return Cause::took("drain deadline", now.since(began), deadline.since(began));
        }
        Cause::took("drain window", now.since(began), window)
    }

    /// Returns why a connection gives way to a newcomer of its user.
    pub(super) fn cause_of_replacement(&self, id: ConnectionId, newcomer: ConnectionId) -> Cause {
        let user = self.connections.get(id).map(|found| found.user);
        let devices = user.map_or(0, |user| self.users.at(user).connections.len());
        let most = match self.config.users {
            crate::UserPolicy::Allow(most) => most,
            _ => 1,
        };
        let cause = if devices > most {
            Cause::measured("users", devices, most, Unit::Connections)
        } else {
            Cause::rule("session")
        };
        cause.detail(format!("by {newcomer}"))
    }

    /// Returns why a connection is refused, before it is.
    pub(super) fn cause_of_refusal(&self, id: ConnectionId, refused: Refused) -> Cause {
        let limits = &self.config.limits;
        let connection = self.connections.get(id).ok();
        match refused {
            Refused::Malformed(bad) => Cause::rule("request").detail(bad.to_string()),
            Refused::Origin(bad) => Cause::rule("origins").detail(bad.to_string()),
            Refused::Restart => Cause::rule("drain"),
            Refused::HandshakesFull => {
                let (held, most) = (self.seats.handshakes(), limits.handshakes);
                Cause::measured("limits.handshakes", held, most, Unit::Connections)
            }
            Refused::RefusalsFull => {
                let (held, most) = self.seats.refused(limits);
                Cause::measured("limits.handshakes", held, most, Unit::Connections)
                    .detail("refused ones, which may hold half of the seats until they are gone")
            }
            Refused::ServerFull => {
                let (held, most) = (self.seats.open(), limits.connections);
                Cause::measured("limits.connections", held, most, Unit::Connections)
            }
            Refused::LobbyFull => self.cause_of_full_lobby(connection),
            Refused::IpLimit => self.cause_of_full_address(connection),
            Refused::AlreadyConnected => {
                Cause::measured("users", 1, 1, Unit::Connections).detail("the older one is alive")
            }
            Refused::Unauthorized
            | Refused::Forbidden
            | Refused::Application(_)
            | Refused::Internal => Cause::rule("application"),
        }
    }

    fn cause_of_full_lobby(&self, connection: Option<&ConnectionState>) -> Cause {
        let limits = &self.config.limits;
        let lobby = match connection.map(|found| &found.phase) {
            Some(Phase::Authenticating(pending) | Phase::AwaitingAuth(pending)) => {
                pending.lobby.as_deref()
            }
            _ => None,
        };
        let Some(lobby) = lobby else {
            return Cause::rule("limits.room_members");
        };
        let taken = self.member_count(lobby) + self.held_seats(lobby);
        let most = self.config.room_members(lobby);
        if taken < most {
            let (held, most) = (self.rooms.active(), limits.rooms);
            return Cause::measured("limits.rooms", held, most, Unit::Rooms);
        }
        let rule = if most == limits.room_members {
            "limits.room_members"
        } else {
            "room_rules.members"
        };
        Cause::measured(rule, taken, most, Unit::Members)
    }

    fn cause_of_full_address(&self, connection: Option<&ConnectionState>) -> Cause {
        let Some(connection) = connection else {
            return Cause::rule("limits.per_ip");
        };
        let limits = &self.config.limits;
        let (ip, unit) = (connection.ip, Unit::Connections);
        if connection.connect_rate == ConnectRate::Exceeded {
            let burst = self.config.rates.connects.map_or(0, |rate| rate.burst);
            let most = usize::try_from(burst).unwrap_or(usize::MAX);
            return Cause::measured("rates.connects", most.saturating_add(1), most, unit)
                .detail("at once, beside what the rate allows in the meantime");
        }
        if connection.ip_seat {
            let excess = self.rooms.excess_of(ip, limits);
            let rule = "limits.rooms";
            return excess
                .map_or(Cause::rule(rule), |(held, share)| {
                    Cause::measured(rule, held, share, Unit::Rooms)
                })
                .detail("the share of its address");
        }
        let seats = self.seats.of_address(ip);
        if seats >= limits.per_ip {
            return Cause::measured("limits.per_ip", seats, limits.per_ip, unit);
        }
        let (held, share) = self.seats.share_of_address(ip, limits);
        Cause::measured("limits.handshakes", held, share, unit).detail("the share of its address")
    }
}

//! Events on a connection's stream.

use std::time::Duration;

use super::causes::{complaint, first_message, violation};
use super::ending::DISCARD;
use super::switchboard::Switchboard;
use crate::base::time::nanos;
use crate::protocol::{ErrorCode, ServerMessage};
use crate::recorder::{Cause, Happened, Input, Unit, number_of};
use crate::switchboard::phase::Phase;
use crate::switchboard::timers::Kind;
use crate::{CloseFrame, CloseReason, ConnectionId, Frame, ProtocolError, StaleId, Time, Wire};

/// The largest message of a client that logs in with its first one, until it has logged in, in bytes.
const AUTH_BYTES: usize = 4 << 10;

/// What happened on a connection's stream.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Bytes were read that complete no message yet, which is a sign of life.
    Heard,
    /// The decoder's state after reading, if a message is or was incomplete.
    Partial {
        /// Whether a message has begun.
        in_message: bool,
        /// Bytes of it that are held.
        bytes: usize,
    },
    /// A compressed message was inflated.
    Inflated {
        /// Bytes of payload received.
        received: usize,
        /// Bytes of its content.
        bytes: usize,
    },
    /// A ping (RFC 6455, section 5.5.2).
    Ping(&'a [u8]),
    /// A pong (RFC 6455, section 5.5.3). [`Switchboard::pong`] also says whether it was asked for.
    Pong(&'a [u8]),
    /// A control frame that the connection's rates do not allow.
    OverRate {
        /// The length of its payload.
        bytes: usize,
        /// How long the client has to wait before it sends again.
        retry_after: Duration,
    },
    /// A Close frame (RFC 6455, section 5.5.1).
    Close(Option<CloseFrame<'a>>),
    /// The client violated the protocol.
    Violation(ProtocolError),
    /// Bytes were read and discarded, in [`ReadMode::Discard`].
    Discarded(usize),
    /// The peer's side of the stream has ended.
    Eof,
    /// Reading or writing failed.
    Reset,
    /// The peer's system has not acknowledged what was sent in time, so that the stream has failed.
    TimedOut,
    /// The socket takes bytes again.
    Writable,
    /// Reading pauses because a hook is busy.
    Paused,
    /// Reading goes on.
    Resumed,
    /// The client is leaving: its Close frame, a violation or the end of its input waits behind a
    /// busy hook.
    Leaving,
    /// A hook was called and has not returned at once.
    HookStarted,
    /// The hook has returned.
    HookDone,
    /// The hook has panicked.
    HookFailed,
}

/// How a connection is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Read, and pass the bytes to a [`Handshake`](crate::Handshake).
    Head,
    /// Leave input in the socket.
    Wait,
    /// Read, and pass the bytes to a [`Decoder`](crate::Decoder).
    Frames,
    /// Read and discard; report it with [`Event::Discarded`].
    Discard,
}

impl Switchboard {
    /// Handles an event on a connection's stream.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn handle(&mut self, now: Time, id: ConnectionId, event: Event<'_>) -> Result<(), StaleId> {
        let pings = self.pings.last();
        self.record(now, |_| Input::Event {
            conn: id,
            event: Happened::new(&event, pings),
        });
        self.advance_clock(now);
        self.check(id)?;
        match event {
            Event::Heard => self.heard(id),
            Event::Partial { in_message, bytes } => self.partial(id, in_message, bytes),
            Event::Inflated { received, bytes } => self.counters.inflated(received, bytes),
            Event::Ping(payload) => {
                self.heard(id);
                self.pinged(id, payload);
            }
            Event::Pong(payload) => {
                self.heard(id);
                self.ponged(id, payload);
            }
            Event::OverRate { retry_after, .. } => {
                self.heard(id);
                self.over_rate(id, retry_after);
            }
            Event::Close(close) => self.peer_closed(id, close),
            Event::Violation(error) => {
                self.because(id, |it| violation(error, &it.config.limits));
                self.end(id, error.close());
            }
            Event::Discarded(bytes) => self.discarded(id, bytes),
            Event::Eof => self.peer_ended(id),
            Event::Reset => self.peer_reset(id),
            Event::TimedOut => self.peer_timed_out(id),
            Event::Writable => return self.writable(id),
            Event::Paused => self.connections.get_mut(id)?.set_hook_busy(true),
            Event::Resumed => {
                self.connections.get_mut(id)?.set_hook_busy(false);
                self.reading_resumed(id);
            }
            Event::Leaving => self.connections.get_mut(id)?.set_leaving(),
            Event::HookStarted => self.hook_started(id),
            Event::HookDone => return self.hook_done(id),
            Event::HookFailed => self.hook_failed(id),
        }
        Ok(())
    }

    /// Returns how the connection is to be read now.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn read_mode(&self, id: ConnectionId) -> Result<ReadMode, StaleId> {
        let connection = self.connections.get(id)?;
        Ok(match &connection.phase {
            Phase::Arrived => ReadMode::Head,
            Phase::Page | Phase::Authenticating(_) => ReadMode::Wait,
            Phase::AwaitingAuth(pending) if pending.claim.is_some() => ReadMode::Wait,
            Phase::AwaitingAuth(_) | Phase::Open => {
                if connection.is_long() {
                    ReadMode::Wait
                } else {
                    ReadMode::Frames
                }
            }
            Phase::Refused(ending) | Phase::Closing(ending) if ending.discarded > DISCARD => {
                ReadMode::Wait
            }
            Phase::Refused(_) | Phase::Closing(_) => ReadMode::Discard,
        })
    }

    /// Handles a pong. Returns whether it answered a ping of this node; if not, it is charged to
    /// the connection's rates.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn pong(&mut self, now: Time, id: ConnectionId, payload: &[u8]) -> Result<bool, StaleId> {
        let pings = self.pings.last();
        self.record(now, |_| Input::Pong {
            conn: id,
            bytes: payload.len(),
            number: number_of(payload, pings),
        });
        self.advance_clock(now);
        self.check(id)?;
        self.heard(id);
        Ok(self.ponged(id, payload))
    }

    /// Handles a complete message, before it is parsed (docs/behaviour.md, section 7). Returns
    /// whether to process it. `charged` is the outcome of [`Meter::charge`].
    ///
    /// [`Meter::charge`]: crate::session::Meter::charge
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn message(
        &mut self,
        now: Time,
        id: ConnectionId,
        binary: bool,
        bytes: usize,
        charged: Result<(), Duration>,
    ) -> Result<bool, StaleId> {
        self.record(now, |_| Input::Message {
            conn: id,
            binary,
            bytes,
            retry_after: charged.err().map(nanos),
        });
        self.advance_clock(now);
        let connection = self.connections.get(id)?;
        if !matches!(connection.phase, Phase::Open | Phase::AwaitingAuth(_)) {
            return Ok(false);
        }
        let early = matches!(connection.phase, Phase::AwaitingAuth(_));
        let is_no_login = binary && connection.awaits_first_message();
        if is_no_login || early && bytes > AUTH_BYTES {
            self.because(id, |_| first_message(bytes, AUTH_BYTES, binary));
            self.end(id, CloseReason::Policy);
            return Ok(false);
        }
        self.counters.messages_in += 1;
        self.counters.bytes_in += bytes as u64;
        self.heard(id);
        let connection = self.connections.get_mut(id)?;
        // An incomplete message after this one has a deadline of its own.
        connection.in_message = false;
        if let Some(ping) = &mut connection.ping {
            ping.set_heard();
        }
        if binary && self.config.wire == Wire::Json {
            self.because(id, |_| Cause::rule("wire").detail("a binary message"));
            self.end(id, CloseReason::UnsupportedData);
            return Ok(false);
        }
        if let Err(retry_after) = charged {
            self.over_rate(id, retry_after);
        }
        Ok(charged.is_ok())
    }

    fn heard(&mut self, id: ConnectionId) {
        let now = self.liveness();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.last_heard = now;
        if let Some(ping) = &mut connection.ping
            && !ping.is_health()
        {
            ping.set_heard();
        }
    }

    fn partial(&mut self, id: ConnectionId, in_message: bool, bytes: usize) {
        let deadline = self.liveness() + self.config.timeouts.message;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if matches!(connection.phase, Phase::Arrived) {
            // The body of a post, whose deadline is that of the request.
            self.partials.set(connection, bytes);
            return self.bound_partials();
        }
        if !matches!(connection.phase, Phase::Open | Phase::AwaitingAuth(_)) {
            return;
        }
        let early = matches!(connection.phase, Phase::AwaitingAuth(_));
        self.partials.set(connection, bytes);
        if early && bytes > AUTH_BYTES {
            self.because(id, |_| first_message(bytes, AUTH_BYTES, false));
            return self.end(id, CloseReason::Policy);
        }
        let begins = in_message && !connection.in_message;
        connection.in_message = in_message;
        if begins {
            connection.deadline = deadline;
            self.arm(id, Kind::Message);
        }
        self.bound_partials();
    }

    /// Closes the connections that hold most, while unfinished messages take too much memory.
    fn bound_partials(&mut self) {
        let limit = self.config.limits.unfinished_bytes;
        while let Some(id) = self.partials.largest(&self.connections, limit) {
            self.because(id, |it| {
                let all = it.partials.bytes();
                let cause = Cause::measured("limits.unfinished_bytes", all, limit, Unit::Bytes);
                let own = it.connections.get(id).map_or(0, |found| found.partial);
                cause.detail(format!("{own} of them are its own, which is the most"))
            });
            self.end(id, CloseReason::Policy);
        }
    }

    fn pinged(&mut self, id: ConnectionId, payload: &[u8]) {
        let phase = self.connections.get(id).map(|found| &found.phase);
        if matches!(phase, Ok(Phase::Open | Phase::AwaitingAuth(_))) {
            self.log.push_pong(id, Frame::pong(payload));
            self.note_queue(id);
        }
    }

    /// Counts a strike for what was sent beyond the rates, and tells the client.
    fn over_rate(&mut self, id: ConnectionId, retry_after: Duration) {
        let connection = self.connections.get_mut(id);
        if connection.is_ok_and(|connection| connection.ending().is_none()) {
            let millis = u64::try_from(retry_after.as_nanos().div_ceil(1_000_000));
            let error = ServerMessage::Error {
                code: ErrorCode::RateLimited,
                message: "too many messages: wait before you send again",
                id: None,
                channel: None,
                retry_after_ms: Some(millis.unwrap_or(u64::MAX)),
            };
            self.strike(id, &error);
        }
    }

    /// Counts a strike and sends `error`. At the last strike the connection is closed, and the
    /// error goes out before the Close frame.
    pub(super) fn strike(&mut self, id: ConnectionId, error: &ServerMessage<'_>) {
        let rates = self.config.rates;
        let limited = rates.messages.is_some() || rates.bytes.is_some();
        let now = self.clock.now();
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let strikes = connection.strikes();
        let is_last = limited && strikes.strike(now, rates.strike_window, rates.strikes);
        let counted = strikes.len();
        if is_last {
            self.because(id, |_| {
                let most = rates.strikes as usize;
                let cause = Cause::measured("rates.strikes", counted, most, Unit::Strikes);
                cause.detail(complaint(error))
            });
            self.end_with(id, CloseReason::RateLimited, error);
        } else {
            self.send_message(id, error);
        }
    }

    pub(super) fn hook_started(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.timeouts.hook;
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.ending().is_none() {
            connection.hook = true;
            connection.hook_deadline = deadline;
            self.arm(id, Kind::Hook);
        }
    }

    pub(super) fn hook_done(&mut self, id: ConnectionId) -> Result<(), StaleId> {
        self.connections.get_mut(id)?.hook = false;
        // The deadline of the first message did not run meanwhile.
        self.arm(id, Kind::Auth);
        Ok(())
    }

    /// Handles a hook that panicked or timed out, which ends this connection only.
    pub(super) fn hook_failed(&mut self, id: ConnectionId) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.hook = false;
        self.because(id, |_| Cause::rule("application").detail("a hook panicked"));
        match self.connections.get(id).map(|found| &found.phase) {
            Ok(Phase::Open) => self.end(id, CloseReason::Internal),
            _ => self.refuse(id, crate::Refused::Internal),
        }
    }

    /// Handles a pong. Returns whether it answered a ping of ours.
    fn ponged(&mut self, id: ConnectionId, payload: &[u8]) -> bool {
        let ours = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes);
        ours.is_ok_and(|payload| self.answered(id, payload))
    }
}

//! The ends of connections: orderly closes and evictions.

use super::causes;
use super::drain::LOOK;
use super::markers::Marking;
use super::switchboard::Switchboard;
use crate::http::event_stream;
use crate::recorder::{Cause, Input, Unit};
use crate::switchboard::action::{Action, Notice};
use crate::switchboard::connection::{ConnectionState, NONE};
use crate::switchboard::effects::{ENDS, weight_of_end};
use crate::switchboard::phase::{Ending, Page, Phase, Seat};
use crate::switchboard::relay::ClusterRequest;
use crate::switchboard::timers::Kind;
use crate::{ApplicationCode, CloseFrame, CloseReason, ConnectionId, Frame, Time};

/// Bytes that are read and discarded from a connection that is ending, so that unread input does
/// not turn its Close frame into a reset. Stops reading a peer that sends more, but keeps the
/// socket until the deadline so that its Close frame can be read.
pub(super) const DISCARD: u32 = 256 << 10;

/// As many messages that go out before an end as cost one more end.
const FLUSHED: u64 = 32;

impl Switchboard {
    /// Ends a connection. One that is ending already keeps its first reason.
    pub(super) fn end(&mut self, id: ConnectionId, reason: CloseReason) {
        let frame = close_frame(reason);
        match self.connections.get(id).map(|found| &found.phase) {
            Ok(Phase::Open) => match reason {
                CloseReason::Eof | CloseReason::Reset | CloseReason::Shutdown => {
                    self.evict_open(id, reason);
                }
                _ => self.close_open(id, reason, None, frame),
            },
            Ok(Phase::AwaitingAuth(_)) => {
                self.counters.closed(reason);
                self.record_end(id, reason, None);
                match reason {
                    CloseReason::Eof | CloseReason::Reset | CloseReason::Shutdown => {
                        self.remove(id, None);
                    }
                    _ => self.refuse_upgraded(id, frame),
                }
            }
            Ok(Phase::Arrived | Phase::Page | Phase::Authenticating(_)) => {
                self.record_end(id, reason, None);
                self.remove(id, None);
            }
            Ok(Phase::Refused(_) | Phase::Closing(_)) | Err(_) => {}
        }
    }

    /// Returns the weight of the end of a connection, which is larger if it is in many rooms, or if
    /// queued messages are sent first.
    pub(super) fn weight_of_end(&self, id: ConnectionId, reason: CloseReason) -> usize {
        let found = self.connections.get(id);
        let weight = weight_of_end(found.map_or(0, |found| found.rooms.len()));
        if !reason.flushes() {
            return weight;
        }
        let behind: u64 = self.log.lags(id).map(|(_, messages, _)| messages).sum();
        weight.saturating_add(usize::try_from(behind / FLUSHED).unwrap_or(usize::MAX))
    }

    /// Ends every connection at once, because the driver stops.
    ///
    /// Costs the end of each of them. [`shut_down_part`](Self::shut_down_part) does the same in
    /// parts.
    pub fn shut_down(&mut self, now: Time) {
        while self.shut_down_part(now) {}
    }

    /// Goes on with ending every connection: ends some of the others. Returns whether there are more,
    /// so that this is to be called again.
    pub fn shut_down_part(&mut self, now: Time) -> bool {
        self.record(now, |_| Input::ShutDown);
        self.advance_clock(now);
        for (id, seat) in self.drain.stop(&self.connections, LOOK, ENDS) {
            if seat == Seat::Open {
                self.evict(id, CloseReason::Shutdown);
            } else {
                self.remove(id, None);
            }
        }
        self.connections.len() > 0
    }

    /// Closes a connection with a code of the application.
    pub(super) fn end_application(&mut self, id: ConnectionId, code: ApplicationCode, text: &str) {
        let reason = CloseReason::Application(code);
        if self.connections.get(id).is_ok_and(ConnectionState::is_open) {
            let frame = reason.code().and_then(|code| Frame::close(code, text).ok());
            self.close_open(id, reason, None, frame);
        } else {
            self.end(id, reason);
        }
    }

    /// Answers a Close frame of the client, with its own code.
    pub(super) fn peer_closed(&mut self, id: ConnectionId, close: Option<CloseFrame<'_>>) {
        let answer = close
            .and_then(|close| Frame::close(close.code, "").ok())
            .unwrap_or_else(Frame::close_empty);
        self.because(id, |_| Cause {
            value: close.map(|close| u64::from(close.code)),
            unit: close.map(|_| Unit::Code),
            ..causes::usual(CloseReason::ClientClosed)
        });
        match self.connections.get(id).map(|found| &found.phase) {
            Ok(Phase::Open) => {
                self.close_open(id, CloseReason::ClientClosed, None, Some(answer));
            }
            Ok(Phase::AwaitingAuth(_)) => {
                self.record_end(id, CloseReason::ClientClosed, None);
                self.refuse_upgraded(id, Some(answer));
            }
            _ => {}
        }
    }

    /// Evicts a connection, with one attempt to write a Close frame.
    pub(super) fn evict(&mut self, id: ConnectionId, reason: CloseReason) {
        let Ok(connection) = self.connections.get(id) else {
            return;
        };
        if connection.is_open() {
            self.evict_open(id, reason);
        } else {
            self.end(id, reason);
        }
    }

    fn evict_open(&mut self, id: ConnectionId, reason: CloseReason) {
        let quiet = self.log.may_be_overtaken(id);
        let last = if quiet { close_frame(reason) } else { None };
        let last = last.map(|frame| self.as_written(id, frame));
        let dropped = self.log.drop_connection(id);
        self.counters.dropped(reason.as_str(), dropped);
        self.leave_everything(id, reason);
        let ending = Ending {
            now: true,
            reason: Some(reason),
            ..Ending::default()
        };
        self.move_to(id, Phase::Closing(ending));
        self.remove(id, last);
    }

    pub(super) fn close_open(
        &mut self,
        id: ConnectionId,
        reason: CloseReason,
        last: Option<Frame>,
        close: Option<Frame>,
    ) {
        let now = !reason.flushes();
        if now {
            let dropped = self.log.discard(id);
            self.counters.dropped(reason.as_str(), dropped);
        } else {
            let marking = &mut Marking {
                connections: &self.connections,
                rooms: &self.rooms,
                encoder: &mut self.encoder,
                wire: self.config.wire,
            };
            self.log.close_flush(id, marking);
        }
        self.leave_everything(id, reason);
        let crowded = self.seats.closing() >= self.config.limits.closing;
        let deadline = self.liveness() + self.config.timeouts.close;
        self.move_to(
            id,
            Phase::Closing(Ending {
                now,
                reason: Some(reason),
                ..Ending::default()
            }),
        );
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.deadline = deadline;
        if crowded {
            let quiet = self.log.may_be_overtaken(id);
            let last = close.filter(|_| quiet);
            return self.remove(id, last.map(|frame| self.as_written(id, frame)));
        }
        for frame in [last, close].into_iter().flatten() {
            self.push_last(id, frame);
        }
        self.arm(id, Kind::Close);
        self.effects.act(Action::ReadMode(id));
        self.finish(id);
    }

    /// Returns a frame as it is written to a connection.
    fn as_written(&self, id: ConnectionId, frame: Frame) -> Frame {
        if self.log.is_event_stream(id) {
            event_stream::event(&frame, None)
        } else {
            frame
        }
    }

    /// Removes an open connection from every index, and sends a notice.
    fn leave_everything(&mut self, id: ConnectionId, reason: CloseReason) {
        let rooms = self.leave_rooms(id, reason);
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let user = std::mem::replace(&mut connection.user, NONE);
        let session = std::mem::take(&mut connection.session);
        self.deadlines.set_expiry(connection, id, None);
        self.seats.leave_address(connection, self.clock.now());
        connection.in_message = false;
        self.partials.set(connection, 0);
        let name = self.users.at(user).name.clone();
        if self.relay.is_some() && !self.users.at(user).anonymous {
            let user = name.clone();
            self.ask_cluster(ClusterRequest::LoggedOut { user, id });
        }
        self.users.remove(user, id.slot);
        self.users.leave_session(session, id.slot);
        self.posts.forget(id.slot);
        self.pings
            .forget(&mut self.connections, &mut self.effects, id);
        self.counters.closed(reason);
        self.record_end(id, reason, Some(&name));
        self.drain.ended();
        self.notify(Notice::Closed {
            id,
            user: name,
            rooms,
            reason,
        });
    }

    /// If everything is written, shuts down the write side, or removes the connection if the peer's
    /// side has ended too.
    pub(super) fn finish(&mut self, id: ConnectionId) {
        if self.log.own_bytes(id) > 0 || self.log.is_writing(id) {
            return;
        }
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(ending) = connection.ending() else {
            return;
        };
        if ending.eof {
            self.remove(id, None);
        } else if !ending.shut {
            ending.shut = true;
            self.effects.act(Action::ShutdownWrite(id));
        }
    }

    /// Counts input that was discarded from a connection that is ending.
    pub(super) fn discarded(&mut self, id: ConnectionId, bytes: usize) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let admitted = matches!(connection.phase, Phase::Open | Phase::AwaitingAuth(_));
        if admitted && self.log.is_event_stream(id) {
            // An event stream has nothing to read: its client posts.
            self.because(id, |_| {
                Cause::rule("protocol").detail("the client of an event stream sent something")
            });
            return self.end(id, CloseReason::ProtocolError);
        }
        // Input that arrives while data is still being written is bounded by the deadline; it must
        // not cost the peer the answer.
        let Some(ending) = connection.ending().filter(|ending| ending.shut) else {
            return;
        };
        let before = ending.discarded;
        ending.discarded = before.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if before <= DISCARD && ending.discarded > DISCARD {
            self.effects.act(Action::ReadMode(id));
        }
    }

    /// Handles the end of the peer's side of the stream.
    pub(super) fn peer_ended(&mut self, id: ConnectionId) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        match connection.ending() {
            Some(ending) => {
                // A peer may end its side and read on, so queued data still has its time.
                ending.eof = true;
                self.finish(id);
            }
            None => self.end(id, CloseReason::Eof),
        }
    }

    /// Handles a failure of the stream.
    pub(super) fn peer_reset(&mut self, id: ConnectionId) {
        match self.connections.get(id) {
            Ok(connection) if connection.is_open() => self.evict(id, CloseReason::Reset),
            Ok(connection) => {
                if !connection.phase.is_ending() {
                    self.record_end(id, CloseReason::Reset, None);
                }
                self.remove(id, None);
            }
            Err(_) => {}
        }
    }

    /// Handles a stream whose peer has not acknowledged sent data in time.
    pub(super) fn peer_timed_out(&mut self, id: ConnectionId) {
        match self.connections.get(id) {
            Ok(connection) if connection.is_open() => {
                self.because(id, |_| {
                    Cause::rule("stream").detail("its system has not acknowledged what was sent")
                });
                self.evict(id, CloseReason::HeartbeatTimeout);
            }
            _ => self.peer_reset(id),
        }
    }

    /// Removes a connection that is in no index any more, and releases its seats.
    pub(super) fn remove(&mut self, id: ConnectionId, last: Option<Frame>) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        debug_assert!(
            !connection.is_open(),
            "an open connection is evicted, not removed"
        );
        self.posts.forget(id.slot);
        let (seat, ip) = (connection.phase.seat(), connection.ip);
        let ip_seat = connection.ip_seat;
        let dropped = self.log.drop_connection(id);
        self.deadlines.forget(connection);
        self.partials.set(connection, 0);
        if let Phase::Closing(Ending {
            reason: Some(reason),
            ..
        }) = connection.phase
        {
            self.counters.dropped(reason.as_str(), dropped);
        }
        self.connections.remove(id);
        self.seats.release(seat, ip, ip_seat, self.clock.now());
        self.deadlines.sweep(&self.connections);
        self.effects.act(Action::Evict { id, last });
        self.drain_progress();
    }

    /// Sends a Close frame, then lingers.
    pub(super) fn refuse_upgraded(&mut self, id: ConnectionId, frame: Option<Frame>) {
        self.linger(id, Page::None);
        self.arm(id, Kind::Linger);
        if let Some(frame) = frame {
            self.push_last(id, frame);
        }
        self.finish(id);
    }

    pub(super) fn linger(&mut self, id: ConnectionId, page: Page) {
        let timeouts = &self.config.timeouts;
        let timeout = match page {
            Page::Unsent | Page::Sent => timeouts.close,
            Page::None | Page::Failed => timeouts.refusal,
        };
        let deadline = self.liveness() + timeout;
        self.move_to(
            id,
            Phase::Refused(Ending {
                page,
                ..Ending::default()
            }),
        );
        if let Ok(connection) = self.connections.get_mut(id) {
            connection.deadline = deadline;
            connection.hook = false;
            connection.in_message = false;
            self.partials.set(connection, 0);
        }
        self.effects.act(Action::ReadMode(id));
    }

    /// Changes the phase, and moves the connection to the seat of the new one.
    pub(super) fn move_to(&mut self, id: ConnectionId, phase: Phase) {
        if let Ok(connection) = self.connections.get_mut(id) {
            self.seats.move_to(connection, phase, self.clock.now());
        }
    }

    /// Sends the report when no connection is left and no hook runs.
    pub(super) fn drain_progress(&mut self) {
        let (admitted, now) = (self.seats.open() + self.seats.closing(), self.clock.now());
        if let Some(report) = self.drain.conclude(&self.connections, admitted, now) {
            self.notify(Notice::Drained(report));
        }
    }
}

/// Returns the Close frame for a reason, if it has a code.
pub(super) fn close_frame(reason: CloseReason) -> Option<Frame> {
    Frame::close(reason.code()?, reason.as_str()).ok()
}

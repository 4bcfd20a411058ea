//! Refusals and other answers by HTTP.

use std::time::Duration;

use super::switchboard::Switchboard;
use crate::http::response::{HttpDate, RETRY_AFTER};
use crate::recorder::Input;
use crate::switchboard::action::Notice;
use crate::switchboard::connection::ConnectionState;
use crate::switchboard::phase::{Page, Phase};
use crate::switchboard::timers::Kind;
use crate::{CloseReason, ConnectionId, Frame, Refusal, Refused, Time, response};

/// The average rate at which the reader of a page must take it, in bytes per second.
const PAGE_PACE: usize = 1 << 10;

impl Switchboard {
    pub(super) fn handshake_timed_out(&mut self, id: ConnectionId) {
        self.counters.closed(CloseReason::HandshakeTimeout);
        self.record_end(id, CloseReason::HandshakeTimeout, None);
        self.finish_http(id, response::request_timeout(), false);
    }

    /// Refuses a connection that is not open.
    pub(super) fn refuse(&mut self, id: ConnectionId, refused: Refused) {
        let Ok(connection) = self.connections.get_mut(id) else {
            return;
        };
        let text = connection
            .pending()
            .and_then(|pending| pending.refusal_text.take());
        let (upgraded, response) = match &mut connection.phase {
            Phase::AwaitingAuth(_) => (true, None),
            Phase::Authenticating(pending) => {
                let response = pending.response.take();
                (response.is_none(), response)
            }
            Phase::Arrived | Phase::Page => (false, None),
            Phase::Open | Phase::Closing(_) | Phase::Refused(_) => return,
        };
        let crowded = self.seats.refusals_are_crowded(&self.config.limits);
        // A stream that is refused is no use for anything, and its status is not hidden.
        let by_close = self.config.refusal == Refusal::Close && !self.log.is_event_stream(id);
        // The reason that the client is told is also counted and logged.
        let refused = match (refused.close(), &response) {
            (Some(_), Some(_)) if by_close && crowded => Refused::RefusalsFull,
            _ => refused,
        };
        self.counters.refused(refused);
        self.record_refusal(id, refused);
        self.notify(Notice::Refused { id, refused });
        match (refused.close(), response) {
            (Some(reason), None) if upgraded => {
                self.refuse_upgraded(id, last_frame(reason, text.as_deref()));
            }
            (Some(reason), Some(response)) if by_close => {
                self.push_response(id, response);
                self.refuse_upgraded(id, last_frame(reason, text.as_deref()));
            }
            (None, _) if upgraded => {
                self.refuse_upgraded(id, super::ending::close_frame(refused.close_upgraded()));
            }
            _ => {
                let answer = response::refusal(refused, RETRY_AFTER);
                self.finish_http(id, answer, false);
            }
        }
    }

    /// Sets the wall clock, in seconds since 1970. From then on refusals by HTTP carry a `Date`; a
    /// page brings its own.
    ///
    /// The time advances with `now`; call this again to follow changes of the wall clock.
    pub fn set_wall_clock(&mut self, now: Time, unix_seconds: u64) {
        self.record(now, |_| Input::WallClock { unix: unix_seconds });
        self.clock.set_wall(now, unix_seconds);
    }

    pub(super) fn date(&self) -> Option<HttpDate> {
        self.clock.unix_seconds().map(HttpDate::from_unix_seconds)
    }

    /// Sends an HTTP response, then lingers.
    pub(super) fn finish_http(&mut self, id: ConnectionId, mut response: Vec<u8>, is_page: bool) {
        if !is_page {
            if let Some(date) = self.date() {
                response = response::dated(response, date);
            }
            response = self.for_method(id, response);
        }
        // A page may take longer while some of it is written.
        let seconds = response.len().div_ceil(PAGE_PACE) as u64;
        let latest =
            self.liveness() + self.config.timeouts.write_stall + Duration::from_secs(seconds);
        let page = match self.connections.get(id).map(|found| &found.phase) {
            _ if is_page && response.is_empty() => Page::Sent,
            _ if is_page => Page::Unsent,
            Ok(Phase::Page) => Page::Failed,
            _ => Page::None,
        };
        self.linger(id, page);
        let now = self.liveness();
        self.push_response(id, Frame::raw(response));
        if page == Page::Unsent
            && let Ok(connection) = self.connections.get_mut(id)
        {
            connection.stalled_from = now;
            connection.deadline = latest;
            self.arm(id, Kind::WriteStall);
        } else {
            self.arm(id, Kind::Linger);
        }
        self.finish(id);
    }

    /// Returns a response as the method of the request allows.
    fn for_method(&self, id: ConnectionId, response: Vec<u8>) -> Vec<u8> {
        let head_only = self.connections.get(id);
        if head_only.is_ok_and(ConnectionState::is_head_only) {
            response::without_body(response)
        } else {
            response
        }
    }

    /// Starts to linger after a page is written.
    pub(super) fn page_is_out(&mut self, id: ConnectionId) {
        let deadline = self.liveness() + self.config.timeouts.close;
        if let Ok(connection) = self.connections.get_mut(id) {
            connection.deadline = deadline;
            self.arm(id, Kind::Linger);
        }
    }

    /// Refuses a connection without lingering, with one attempt to write the answer.
    pub(super) fn turn_away(&mut self, id: ConnectionId, refused: Refused, upgraded: bool) {
        let last = if upgraded {
            refused.close().and_then(super::ending::close_frame)
        } else {
            let response = response::refusal(refused, RETRY_AFTER);
            Some(Frame::raw(self.for_method(id, response)))
        };
        self.counters.refused(refused);
        self.record_refusal(id, refused);
        self.notify(Notice::Refused { id, refused });
        self.remove(id, last);
    }
}

/// Returns the Close frame for a refusal. Only one with a code of the application has a text.
fn last_frame(reason: CloseReason, text: Option<&str>) -> Option<Frame> {
    match (reason, text) {
        (CloseReason::Application(code), Some(text)) => Frame::close(code.into(), text).ok(),
        _ => super::ending::close_frame(reason),
    }
}

//! Error answers to requests of clients.

use super::questions::Question;
use super::switchboard::Switchboard;
use crate::protocol::{ErrorCode, RequestId, ServerMessage};
use crate::switchboard::errors::{JoinError, SendError};
use crate::{BadName, ConnectionId, Denied};

/// After how many milliseconds a client may send again to a room whose members have not had a turn
/// to read.
const BUSY_MILLIS: u64 = 100;

impl Switchboard {
    pub(super) fn join_failed(
        &mut self,
        id: ConnectionId,
        channel: &str,
        error: JoinError,
        request: Option<&RequestId<'_>>,
    ) {
        let code = match error {
            JoinError::BadName(bad) => return self.bad_name(id, bad, request),
            JoinError::AlreadyIn => ErrorCode::AlreadySubscribed,
            JoinError::TooManyRooms | JoinError::NoMoreRooms | JoinError::NoMoreRoomsForAddress => {
                ErrorCode::LimitExceeded
            }
            JoinError::RoomFull => ErrorCode::RoomFull,
            JoinError::Stale(_) | JoinError::NotOpen => return,
        };
        self.fail(id, code, &error.to_string(), request, Some(channel));
    }

    pub(super) fn deny(&mut self, id: ConnectionId, question: &Question, denied: &Denied) {
        let (request, channel) = match question {
            Question::Join { room, request, .. } | Question::Message { room, request, .. } => {
                (request.as_ref(), Some(&**room))
            }
            Question::Direct { request, .. } | Question::Token { request, .. } => {
                (request.as_ref(), None)
            }
            Question::Call { request, .. } => (Some(request), None),
        };
        let (code, message) = denied.words();
        let error = ServerMessage::Denied {
            code,
            message,
            id: request,
            channel,
        };
        if matches!(
            (question, denied),
            (Question::Call { .. }, Denied::UnknownMethod)
        ) {
            self.strike(id, &error);
        } else {
            self.send_message(id, &error);
        }
    }

    pub(super) fn send_failed(
        &mut self,
        id: ConnectionId,
        error: SendError,
        request: Option<&RequestId<'_>>,
        channel: Option<&str>,
    ) {
        match error {
            SendError::TooLarge { .. } => {
                let message = "the message is larger than a member's queue can hold";
                self.fail(id, ErrorCode::TooLarge, message, request, channel);
            }
            SendError::Busy => {
                let message = match channel {
                    Some(_) => "too much waits in that channel: send again later",
                    None => "too much waits for that user: send again later",
                };
                let error = ServerMessage::Error {
                    code: ErrorCode::RateLimited,
                    message,
                    id: request,
                    channel,
                    retry_after_ms: Some(BUSY_MILLIS),
                };
                self.send_message(id, &error);
            }
            SendError::NoKeys | SendError::BadKey(_) => {
                self.bad_request(id, &error.to_string(), request, channel);
            }
            SendError::TooManyKeys { .. } | SendError::TooManyBytes { .. } => {
                let code = ErrorCode::LimitExceeded;
                self.fail(id, code, &error.to_string(), request, channel);
            }
            SendError::Unrecoverable => {
                let code = ErrorCode::Unrecoverable;
                self.fail(id, code, &error.to_string(), request, channel);
            }
            SendError::Unavailable => self.unavailable(id, request, channel),
            SendError::Stale(_) | SendError::NotOpen => {}
        }
    }

    pub(super) fn bad_name(
        &mut self,
        id: ConnectionId,
        bad: BadName,
        request: Option<&RequestId<'_>>,
    ) {
        self.bad_request(id, &bad.to_string(), request, None);
    }

    pub(super) fn bad_request(
        &mut self,
        id: ConnectionId,
        message: &str,
        request: Option<&RequestId<'_>>,
        channel: Option<&str>,
    ) {
        let error = ServerMessage::Error {
            code: ErrorCode::BadRequest,
            message,
            id: request,
            channel,
            retry_after_ms: None,
        };
        self.strike(id, &error);
    }

    pub(super) fn not_in_channel(
        &mut self,
        id: ConnectionId,
        channel: &str,
        request: Option<&RequestId<'_>>,
    ) {
        let message = "you are not in that channel: subscribe first";
        self.fail(id, ErrorCode::NotInChannel, message, request, Some(channel));
    }

    pub(super) fn fail(
        &mut self,
        id: ConnectionId,
        code: ErrorCode,
        message: &str,
        request: Option<&RequestId<'_>>,
        channel: Option<&str>,
    ) {
        let error = ServerMessage::Error {
            code,
            message,
            id: request,
            channel,
            retry_after_ms: None,
        };
        self.send_message(id, &error);
    }
}

//! Calls of methods of the application.

use super::questions::Question;
use super::switchboard::Switchboard;
use crate::protocol::{Content, RequestId, ServerMessage};
use crate::{ConnectionId, check_name};

impl Switchboard {
    /// Checks the name of the method, which only the application knows.
    pub(super) fn call(
        &mut self,
        id: ConnectionId,
        method: &str,
        params: Content<'_>,
        request: RequestId<'_>,
    ) -> Option<Question> {
        if let Err(bad) = check_name(method, self.config.limits.name_bytes) {
            self.bad_name(id, bad, Some(&request));
            return None;
        }
        Some(Question::Call {
            method: method.into(),
            params: params.to_kept(),
            result: Content::NULL.to_kept(),
            request: request.into_owned(),
        })
    }

    /// Answers a call, with an error if the result is too large.
    pub(super) fn send_result(
        &mut self,
        id: ConnectionId,
        content: Content<'_>,
        request: &RequestId<'_>,
    ) {
        let message = ServerMessage::Result {
            id: request,
            content,
        };
        let frame = self.encoder.encode(&message, content.as_json().len());
        match self.check_size(&frame) {
            Ok(()) => {
                self.send_frame(id, frame);
            }
            Err(error) => self.send_failed(id, error, Some(request), None),
        }
    }
}

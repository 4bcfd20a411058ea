//! Why a call did nothing, as an answer.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use switchboard_core::response::PageResponse;
use switchboard_core::{BadName, JoinError, SendError};

use crate::hub::BroadcastError;

/// Seconds after which a node that is busy, or cut off from the others, may be asked again.
const RETRY_AFTER: &str = "1";

/// Why a call did nothing. The status, the code and the text for people come from here only.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    status: u16,
    code: &'static str,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    header: Option<(&'static str, &'static str)>,
}

impl Failure {
    pub(super) const UNAUTHORIZED: Self = Self::new(
        401,
        "unauthorized",
        "the header X-API-Key must be the key of this server",
    )
    .with_header("WWW-Authenticate", "X-API-Key");
    pub(super) const NOT_FOUND: Self = Self::new(404, "not_found", "no such method");
    pub(super) const NO_CHANNEL: Self = Self::new(404, "not_found", "no such channel");
    pub(super) const METHOD: Self = Self::new(
        405,
        "method_not_allowed",
        "each method of the API is called by POST",
    )
    .with_header("Allow", "POST");
    pub(super) const BODY_TOO_LARGE: Self = Self::new(
        413,
        "too_large",
        "the body is larger than any message that could be sent",
    );
    pub(super) const MEDIA_TYPE: Self = Self::new(
        415,
        "unsupported_media_type",
        "the header Content-Type must be application/json",
    );

    const INTERNAL: Self = Self::new(500, "internal", "the answer cannot be written");

    pub(super) const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message: Cow::Borrowed(message),
            field: None,
            header: None,
        }
    }

    const fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// A body that breaks a rule.
    pub(super) fn bad_body(rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: rule.into(),
            ..Self::new(400, "bad_request", "")
        }
    }

    /// A field that breaks a rule.
    pub(super) fn bad_field(
        field: impl Into<Cow<'static, str>>,
        rule: impl Into<Cow<'static, str>>,
    ) -> Self {
        let field = field.into();
        Self {
            message: format!("`{field}`: {}", rule.into()).into(),
            field: Some(field),
            ..Self::new(400, "bad_request", "")
        }
    }

    pub(super) fn bad_name(field: &'static str, bad: BadName) -> Self {
        Self::bad_field(field, bad.to_string())
    }

    pub(super) fn gone() -> Self {
        Self::new(404, "not_connected", "the connection is gone")
    }

    /// Returns the failure as a part of an answer.
    pub(super) fn into_value(self) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), self.code.into());
        error.insert("message".into(), self.message.into());
        if let Some(field) = self.field {
            error.insert("field".into(), field.into());
        }
        Value::Object(error)
    }

    pub(super) fn into_answer(self) -> PageResponse {
        let (status, header) = (self.status, self.header);
        let page = PageResponse::json(status, &json!({ "error": self.into_value() }));
        match header {
            Some((name, value)) => page.with_header(name, value),
            None => page,
        }
    }
}

/// Returns the JSON text of an answer.
pub(super) fn json(value: &impl Serialize) -> Result<Box<RawValue>, Failure> {
    to_raw_value(value).map_err(|_| Failure::INTERNAL)
}

impl From<BroadcastError> for Failure {
    fn from(error: BroadcastError) -> Self {
        match error {
            BroadcastError::Content(bad) => Self::bad_field("content", bad.as_str()),
            BroadcastError::Send(error) => error.into(),
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let failure = match error {
            SendError::Busy => Self::new(503, "busy", "").with_header("Retry-After", RETRY_AFTER),
            SendError::TooLarge { .. } => Self::new(413, "too_large", ""),
            SendError::Unavailable => {
                Self::new(503, "unavailable", "").with_header("Retry-After", RETRY_AFTER)
            }
            SendError::Stale(_) | SendError::NotOpen => Self::new(404, "not_connected", ""),
            SendError::Unrecoverable => Self::new(409, "unrecoverable", ""),
            SendError::NoKeys | SendError::BadKey(_) => {
                return Self::bad_field("key", error.to_string());
            }
            SendError::TooManyKeys { .. } | SendError::TooManyBytes { .. } => {
                Self::new(409, "limit_exceeded", "")
            }
            _ => Self::new(500, "internal", ""),
        };
        Self {
            message: error.to_string().into(),
            ..failure
        }
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        let (status, code) = match error {
            JoinError::Stale(_) | JoinError::NotOpen => (404, "not_connected"),
            JoinError::BadName(_) => (400, "bad_request"),
            JoinError::RoomFull => (409, "room_full"),
            _ => (409, "limit_exceeded"),
        };
        Self {
            message: error.to_string().into(),
            ..Self::new(status, code, "")
        }
    }
}

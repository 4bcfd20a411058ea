//! Refusals as HTTP responses.

use std::fmt;

use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use switchboard_core::response::{PageResponse, refusal_page};
use switchboard_core::{BadRequest, Refused};

/// Returns the response to a refused request, as [`Upgrade::accept`](super::Upgrade::accept) does.
pub fn refusal<B: From<String>>(refused: Refused) -> Response<B> {
    let PageResponse {
        status,
        content_type,
        headers,
        body,
    } = refusal_page(refused);
    let body = String::from_utf8(body).unwrap_or_default();
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(content_type) {
        fields.insert(CONTENT_TYPE, kind);
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            fields.insert(name, value);
        }
    }
    if status == 426 {
        // hyper leaves both out over HTTP/2.
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    response
}

/// A request that is not a legal upgrade request. The hub does not count it, as it has not seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeRejection(BadRequest);

impl UpgradeRejection {
    pub(super) const fn new(bad: BadRequest) -> Self {
        Self(bad)
    }

    /// Returns what is wrong with the request.
    pub const fn bad_request(self) -> BadRequest {
        self.0
    }

    /// Returns the response.
    pub fn to_response<B: From<String>>(self) -> Response<B> {
        refusal(Refused::Malformed(self.0))
    }
}

impl fmt::Display for UpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for UpgradeRejection {}

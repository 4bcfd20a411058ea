//! An HTTP API over a [`Hub`], with which programs in other languages can publish, send and query.
//!
//! [`HttpApi`] is a function from a request to an answer, for a listener of the application's choice.
//! That listener should not be the one that browsers reach. docs/http-api.md describes each method.

mod failure;
mod fields;
mod looking;
mod names;
mod sending;
mod targets;

use std::fmt;

use serde_json::value::RawValue;
use switchboard_core::Token;
use switchboard_core::response::PageResponse;

use self::failure::Failure;
use self::fields::Fields;
use crate::hub::Hub;

/// Bytes of a body beside the content of a message.
const BESIDE_CONTENT: usize = 64 << 10;

/// The paths of the methods begin so.
const PREFIX: &str = "/api/";

/// Does what a method is called for. Returns the answer's JSON text.
type Method = fn(&Hub, &Fields<'_>) -> Result<Box<RawValue>, Failure>;

/// Each method: its name, the fields of its body, and what it does.
const METHODS: &[(&str, &[&str], Method)] = &[
    (
        "publish",
        &[
            "channel", "content", "sender", "exclude", "key", "id", "again", "epoch",
        ],
        sending::publish,
    ),
    (
        "broadcast",
        &["channels", "content", "sender", "exclude"],
        sending::broadcast,
    ),
    ("direct", &["user", "content", "sender"], sending::direct),
    (
        "subscribe",
        &["user", "connection", "channel"],
        targets::subscribe,
    ),
    (
        "unsubscribe",
        &["user", "connection", "channel"],
        targets::unsubscribe,
    ),
    (
        "disconnect",
        &["user", "connection", "code", "reason"],
        targets::disconnect,
    ),
    (
        "extend",
        &["user", "connection", "expires_in"],
        targets::extend,
    ),
    ("presence", &["channel", "limit"], looking::presence),
    ("channels", &["prefix", "limit"], looking::channels),
    ("history", &["channel", "from", "limit"], looking::history),
    ("info", &[], looking::info),
];

/// The HTTP API of a hub. It keeps the hub open, as any handle does.
///
/// # Example
///
/// ```
/// # use switchboard_core::{Config, Token};
/// # use switchboard_runtime::http_api::{ApiRequest, HttpApi};
/// # use switchboard_runtime::{Application, Hub};
/// # struct Chat;
/// # impl Application for Chat {}
/// let hub = Hub::new(Config::default(), Chat)?;
/// let api = HttpApi::new(hub, Token::new("s3cret"));
///
/// // What a web framework has read:
/// let headers = [("X-API-Key", "s3cret"), ("Content-Type", "application/json")];
/// let header = |name: &str| headers.iter().find(|it| it.0 == name).map(|it| it.1);
/// let request = ApiRequest::new("POST", "/api/publish", header);
/// let answer = api.answer(&request, br#"{"channel":"news","content":{"headline":"It works"}}"#);
///
/// assert_eq!(answer.status, 200);
/// assert!(answer.body.starts_with(br#"{"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HttpApi {
    hub: Hub,
    key: Token,
}

impl fmt::Debug for HttpApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpApi").finish_non_exhaustive()
    }
}

/// The head of a request, as far as the API reads it.
#[derive(Clone)]
pub struct ApiRequest<'a> {
    method: &'a str,
    path: &'a str,
    key: Option<Token>,
    content_type: Option<&'a str>,
}

impl<'a> ApiRequest<'a> {
    /// Takes the method, the path with or without a query, and a function that returns the value of a
    /// header, given its name in any case.
    pub fn new(
        method: &'a str,
        path: &'a str,
        header: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Self {
        Self {
            method,
            path: path.split_once('?').map_or(path, |(path, _)| path),
            key: header("X-API-Key").map(Token::new),
            content_type: header("Content-Type"),
        }
    }

    fn is_json(&self) -> bool {
        self.content_type.is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        })
    }
}

impl fmt::Debug for ApiRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl HttpApi {
    /// Creates the API. Requests must have `key` in the header `X-API-Key`; it is compared in constant
    /// time. With an empty key all requests are refused.
    pub fn new(hub: Hub, key: Token) -> Self {
        Self { hub, key }
    }

    /// Returns the largest body that can be answered other than with 413, in bytes.
    pub fn max_body(&self) -> usize {
        self.hub.config().limits.queue_bytes + BESIDE_CONTENT
    }

    /// Checks a request before its body of this length is read: key, path, method, length, type.
    ///
    /// # Errors
    ///
    /// The refusal. The body then need not be read.
    pub fn check(&self, request: &ApiRequest<'_>, body_bytes: u64) -> Result<(), PageResponse> {
        let checked = self.find(request, body_bytes);
        checked.map(drop).map_err(Failure::into_answer)
    }

    /// Answers a request. Never waits; costs what the call of the hub costs.
    pub fn answer(&self, request: &ApiRequest<'_>, body: &[u8]) -> PageResponse {
        let done = self.find(request, body.len() as u64);
        let done = done.and_then(|(known, method)| {
            let fields = Fields::parse(body, known)?;
            method(&self.hub, &fields)
        });
        match done {
            Ok(value) => PageResponse::json(200, &value),
            Err(failure) => failure.into_answer(),
        }
    }

    fn find(
        &self,
        request: &ApiRequest<'_>,
        body_bytes: u64,
    ) -> Result<(&'static [&'static str], Method), Failure> {
        let known = request.key.as_ref() == Some(&self.key);
        if !known || self.key.reveal().is_empty() {
            return Err(Failure::UNAUTHORIZED);
        }
        let name = request.path.strip_prefix(PREFIX).unwrap_or_default();
        let found = METHODS.iter().find(|(its_name, ..)| *its_name == name);
        let &(_, fields, method) = found.ok_or(Failure::NOT_FOUND)?;
        if request.method != "POST" {
            return Err(Failure::METHOD);
        }
        if body_bytes > self.max_body() as u64 {
            return Err(Failure::BODY_TOO_LARGE);
        }
        if body_bytes > 0 && !request.is_json() {
            return Err(Failure::MEDIA_TYPE);
        }
        Ok((fields, method))
    }
}

//! HTTP responses.

use std::fmt;

use serde::Serialize;

use super::event_stream;
use crate::http::handshake::is_token;
use crate::{BadRequest, Refused, Request};

pub use crate::http::date::HttpDate;
pub use crate::http::handshake::{JSON_PROTOCOL, accept_key};

/// The value of `Retry-After` in refusals, in seconds.
pub(crate) const RETRY_AFTER: u32 = 5;

/// The response of a page function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageResponse {
    /// The status code, from 200 to 599.
    pub status: u16,
    /// The value of `Content-Type`; if empty, the header is omitted.
    pub content_type: String,
    /// Further headers. A page must not set `Connection` or `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body, which is not sent with status 204 or 304.
    pub body: Vec<u8>,
}

impl PageResponse {
    /// Creates a page of plain text, which is not to be cached.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        Self::uncached(status, "text/plain; charset=utf-8", body)
    }

    /// Creates a page of JSON, which is not to be cached. A value that cannot be serialised gives an
    /// empty body.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::uncached(status, "application/json", body)
    }

    pub(crate) fn uncached(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = [
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            status,
            content_type: content_type.to_owned(),
            headers: headers.into(),
            body,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Why the response of a page function cannot be sent.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPage {
    /// The status is not between 200 and 599.
    Status(u16),
    /// The content type contains control characters.
    ContentType,
    /// The name of this header is not a token (RFC 9110, section 5.6.2).
    HeaderName(String),
    /// The value of this header contains control characters.
    HeaderValue(String),
    /// This header is set by the server.
    Reserved(String),
}

impl fmt::Display for BadPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "a page cannot have the status {status}"),
            Self::ContentType => f.write_str("the content type contains control characters"),
            Self::HeaderName(name) => write!(f, "{name:?} is not a valid header name"),
            Self::HeaderValue(name) => write!(f, "the header {name:?} contains control characters"),
            Self::Reserved(name) => write!(f, "a page must not set the header {name:?}"),
        }
    }
}

impl std::error::Error for BadPage {}

/// Builds the 101 response to an upgrade request (RFC 6455, section 4.2.2).
///
/// The subprotocol is echoed if `json` is set and the client offered it, and compression is agreed on as
/// [`Request::deflate`] says. The result is meaningless for a request that is not an upgrade.
pub fn switching_protocols(request: &Request, json: bool) -> Vec<u8> {
    let mut answer = Vec::with_capacity(192);
    write_switching_protocols(request, json, &mut answer);
    answer
}

/// Like [`switching_protocols`], but appends to a reused buffer.
pub(crate) fn write_switching_protocols(request: &Request, json: bool, out: &mut Vec<u8>) {
    const START: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    out.extend_from_slice(START);
    out.extend_from_slice(request.accept_key().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    if json && request.speaks_json() {
        write_header(out, "Sec-WebSocket-Protocol", JSON_PROTOCOL);
    }
    if let Some(deflate) = request.deflate() {
        write_header(out, "Sec-WebSocket-Extensions", &deflate.to_string());
    }
    out.extend_from_slice(b"\r\n");
}

/// The caller must have validated both.
fn write_header(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Builds the response to a request for an event stream, as far as its first event. The stream ends with
/// the connection.
pub(crate) fn event_stream(
    headers: Vec<(String, String)>,
    date: Option<HttpDate>,
    secret: &str,
) -> Vec<u8> {
    let mut answer = Answer::new(200);
    answer.header("Content-Type", "text/event-stream");
    // Proxies would hold events back to compress them, or until there are more.
    answer.header("Cache-Control", "no-cache, no-transform");
    answer.header("X-Accel-Buffering", "no");
    answer.header("X-Content-Type-Options", "nosniff");
    answer.header("Connection", "close");
    if let Some(date) = date {
        answer.header("Date", &date.to_string());
    }
    for (name, value) in headers {
        answer.header(&name, &value);
    }
    let mut answer = answer.end(&[]);
    event_stream::write_session(&mut answer, &secret);
    answer
}

/// Builds the response to a refused request. The body is the reason and, for a malformed request or
/// a foreign origin, the broken rule; it never contains anything that the client sent.
///
/// `retry_after_s` is sent as `Retry-After` with 429 and 503.
pub fn refusal(refused: Refused, retry_after_s: u32) -> Vec<u8> {
    let status = refused.status();
    let mut answer = Answer::new(status);
    if let Some((name, value)) = refusal_header(refused, retry_after_s) {
        answer.header(name, &value);
    }
    // A 426 must have `Upgrade`, which `Connection` must name (RFC 9110, sections 7.8 and 15.5.22).
    if status == 426 {
        answer.header("Upgrade", "websocket");
        answer.header("Connection", "close, Upgrade");
    } else {
        answer.header("Connection", "close");
    }
    answer.text(&refusal_text(refused))
}

/// Returns the response to a refused request, for HTTP libraries that manage their connections
/// themselves. A 426 lacks the headers `Upgrade` and `Connection`.
pub fn refusal_page(refused: Refused) -> PageResponse {
    let header = refusal_header(refused, RETRY_AFTER);
    PageResponse {
        status: refused.status(),
        content_type: TEXT.into(),
        headers: header
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
        body: refusal_text(refused).into(),
    }
}

fn refusal_header(refused: Refused, retry_after_s: u32) -> Option<(&'static str, String)> {
    match refused {
        Refused::Malformed(BadRequest::Method) => Some(("Allow", "GET".into())),
        Refused::Malformed(BadRequest::StreamMethod) => Some(("Allow", "GET, POST".into())),
        Refused::Malformed(BadRequest::Version) => Some(("Sec-WebSocket-Version", "13".into())),
        Refused::Unauthorized => Some(("WWW-Authenticate", "Bearer".into())),
        _ if matches!(refused.status(), 429 | 503) => {
            Some(("Retry-After", retry_after_s.to_string()))
        }
        _ => None,
    }
}

fn refusal_text(refused: Refused) -> String {
    match refused {
        Refused::Malformed(_) | Refused::Origin(_) => {
            format!("{}: {refused}\n", refused.as_str())
        }
        other => format!("{}\n", other.as_str()),
    }
}

/// Adds a `Date` header to a response (RFC 9110, section 6.6.1).
pub fn dated(mut answer: Vec<u8>, date: HttpDate) -> Vec<u8> {
    const LINE_END: &[u8] = b"\r\n";
    let line = answer.windows(2).position(|two| two == LINE_END);
    let first = line.map_or(answer.len(), |line| line + LINE_END.len());
    answer.splice(first..first, format!("Date: {date}\r\n").into_bytes());
    answer
}

/// Cuts the body off a response, for HEAD (RFC 9110, section 9.3.2). The headers stay as they are.
pub fn without_body(mut answer: Vec<u8>) -> Vec<u8> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(4).position(|four| four == HEAD_END);
    if let Some(end) = end {
        answer.truncate(end + HEAD_END.len());
    }
    answer
}

/// Builds the response to a client that did not complete its request in time.
pub fn request_timeout() -> Vec<u8> {
    let mut answer = Answer::new(408);
    answer.header("Connection", "close");
    answer.text("handshake_timeout\n")
}

/// Encodes the response of a page function; `head_only` omits the body, for HEAD.
///
/// # Errors
/// Returns [`BadPage`] if a value could break out of its header, or contradicts the length or the
/// end of the response. A value copied from a request therefore cannot inject headers or a second
/// response.
pub fn page(page: &PageResponse, head_only: bool) -> Result<Vec<u8>, BadPage> {
    if !(200..=599).contains(&page.status) {
        return Err(BadPage::Status(page.status));
    }
    if !is_value(&page.content_type) {
        return Err(BadPage::ContentType);
    }
    let mut answer = Answer::new(page.status);
    answer.header("Connection", "close");
    if !page.content_type.is_empty() {
        answer.header("Content-Type", &page.content_type);
    }
    for (name, value) in &page.headers {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(BadPage::HeaderName(name.clone()));
        }
        if RESERVED.iter().any(|it| name.eq_ignore_ascii_case(it)) {
            return Err(BadPage::Reserved(name.clone()));
        }
        if !is_value(value) {
            return Err(BadPage::HeaderValue(name.clone()));
        }
        answer.header(name, value);
    }
    // These have no body, and a 204 not even a length (RFC 9110, sections 6.4.1 and 8.6).
    let has_body = !matches!(page.status, 204 | 304);
    if has_body {
        answer.header("Content-Length", &page.body.len().to_string());
    }
    let body: &[u8] = if has_body && !head_only {
        &page.body
    } else {
        &[]
    };
    Ok(answer.end(body))
}

/// The content type of texts for people.
const TEXT: &str = "text/plain; charset=utf-8";

/// The headers that delimit the response or are written by `page` itself.
const RESERVED: [&str; 5] = [
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "upgrade",
];

fn is_value(value: &str) -> bool {
    !value.chars().any(|c| c.is_control() && c != '\t')
}

/// A response under construction.
struct Answer(Vec<u8>);

impl Answer {
    fn new(status: u16) -> Self {
        let mut bytes = Vec::with_capacity(192);
        bytes.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", phrase(status)).as_bytes());
        Self(bytes)
    }

    /// The caller must have validated both.
    fn header(&mut self, name: &str, value: &str) {
        write_header(&mut self.0, name, value);
    }

    fn text(mut self, body: &str) -> Vec<u8> {
        self.header("Content-Type", TEXT);
        self.header("Content-Length", &body.len().to_string());
        self.end(body.as_bytes())
    }

    fn end(mut self, body: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(b"\r\n");
        self.0.extend_from_slice(body);
        self.0
    }
}

/// The phrase is for people; programs ignore it (RFC 9112, section 4).
const fn phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Other",
    }
}

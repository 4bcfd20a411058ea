//! Parses the opening handshake of a connection (RFC 6455, section 4.2; RFC 9112).

mod authority;
mod config;
mod events;
mod extension;
mod head;
mod headers;
mod percent;
mod query;
mod request;
mod resume;
mod scan;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod upgrade;
mod upgraded;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::authority::{Authority, is_zone};
pub use self::config::{Endpoint, HandshakeConfig};
pub use self::extension::PerMessageDeflate;
use self::head::{Head, Version};
pub(crate) use self::headers::{Headers, Known};
pub(crate) use self::query::Query;
pub use self::request::Request;
pub(crate) use self::request::{Parts, Purpose};
pub(crate) use self::resume::{Resume, is_session};
pub(crate) use self::scan::is_token;
use self::scan::{HEAD_BYTES, Layout, Scanner};
use self::target::{Route, Target};
pub use self::upgrade::{JSON_PROTOCOL, accept_key};
pub use self::upgraded::UpgradeRequest;
use crate::BadRequest;

/// Parses the first bytes of a connection, split in any way, into a [`Request`].
///
/// Each byte is scanned once, and at most 64 KiB of an unfinished head are kept. Invalid input is
/// refused at the first offending byte. There is no timeout in here: the caller abandons a slow
/// handshake and answers with [`request_timeout`].
///
/// [`request_timeout`]: crate::response::request_timeout
pub struct Handshake {
    config: Arc<HandshakeConfig>,
    scanner: Scanner,
    /// The received part of an incomplete head.
    head: Vec<u8>,
    state: State,
    /// The number of bytes of the latest input that follow the request.
    unread: usize,
    /// Whether the refused request begins as one with the method HEAD.
    is_head: bool,
    /// The number of bytes copied or parsed; the tests check that this is linear.
    #[cfg(test)]
    work: usize,
}

/// How a request with the method HEAD begins.
const HEAD: &[u8] = b"HEAD ";

/// `Reading ─▶ HandingOver | Serving`, and from all but the last to `Refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// A request is complete, and more bytes follow: frames after an upgrade, or the body of a post.
    HandingOver,
    /// Another request is complete; its body is ignored.
    Serving,
    Refused(BadRequest),
}

impl Handshake {
    /// Creates a handshake for the start of a connection.
    pub fn new(config: Arc<HandshakeConfig>) -> Self {
        Self {
            config,
            scanner: Scanner::new(),
            head: Vec::new(),
            state: State::Reading,
            unread: 0,
            is_head: false,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Processes the next bytes. Returns `None` while the request is incomplete, and again after it
    /// was returned.
    ///
    /// Some clients and proxies send frames before they have seen the 101; [`unread`](Self::unread)
    /// returns how many bytes of the input those are.
    ///
    /// # Errors
    /// Returns [`BadRequest`] for a request that must be refused, and the same error on all further
    /// calls.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<Request>, BadRequest> {
        self.unread = 0;
        let outcome = match self.state {
            State::Reading => self.read(input),
            State::HandingOver => {
                self.unread = input.len();
                Ok(None)
            }
            State::Serving => Ok(None),
            State::Refused(bad) => Err(bad),
        };
        match &outcome {
            Ok(None) => {}
            Ok(Some(request)) if goes_on(request) => self.state = State::HandingOver,
            Ok(Some(_)) => self.state = State::Serving,
            Err(bad) => {
                if self.state == State::Reading {
                    let begun = self.head.iter().chain(input).take(HEAD.len());
                    self.is_head = begun.eq(HEAD);
                }
                self.state = State::Refused(*bad);
            }
        }
        if self.state != State::Reading {
            self.head = Vec::new();
        }
        outcome
    }

    /// Returns the number of bytes at the end of the latest input that follow an upgrade request, or are
    /// the body of a post. Pass the former to the [`Decoder`](crate::Decoder) once the request is
    /// answered with 101.
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// Returns whether the method of a refused request is HEAD, whose response has no body.
    pub const fn is_head(&self) -> bool {
        self.is_head
    }

    fn read(&mut self, input: &[u8]) -> Result<Option<Request>, BadRequest> {
        let Some(end) = self.scanner.scan(input)? else {
            self.keep(input);
            return Ok(None);
        };
        let (last, rest) = input.split_at(end);
        #[cfg(test)]
        {
            self.work += self.head.len() + last.len();
        }
        let layout = self.scanner.take_layout();
        let request = if self.head.is_empty() {
            judge(&self.config, last, &layout)?
        } else {
            self.keep(last);
            judge(&self.config, &self.head, &layout)?
        };
        if goes_on(&request) {
            self.unread = rest.len();
        }
        Ok(Some(request))
    }

    /// Buffers part of a head. The capacity doubles, but never exceeds the largest head.
    fn keep(&mut self, bytes: &[u8]) {
        let length = self.head.len() + bytes.len();
        #[cfg(test)]
        {
            let moved = if length > self.head.capacity() {
                length
            } else {
                bytes.len()
            };
            self.work += moved;
        }
        if length > self.head.capacity() {
            let capacity = (self.head.capacity() * 2).min(HEAD_BYTES).max(length);
            self.head.reserve_exact(capacity - self.head.len());
        }
        self.head.extend_from_slice(bytes);
    }
}

/// Prints the state but not the input, which may contain a token.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("state", &self.state)
            .field("buffered", &self.head.len())
            .finish_non_exhaustive()
    }
}

/// Returns whether what follows a request is of use.
fn goes_on(request: &Request) -> bool {
    matches!(request.purpose(), Purpose::Upgrade | Purpose::Post { .. })
}

/// Checks a complete head. Of several faults, the first in this order is reported: syntax, path,
/// HTTP version, method, upgrade, WebSocket version, key, host, body, subprotocols, token.
fn judge(config: &HandshakeConfig, head: &[u8], layout: &Layout) -> Result<Request, BadRequest> {
    let Head {
        method,
        target,
        version,
        headers,
    } = Head::split(head, layout)?;
    let target = Target::parse(target, &config.tokens)?;
    if let Some(path) = &config.sse
        && !headers.list_has(Known::Upgrade, "websocket")
        && let Some(segment) = target.under(path)?
    {
        let head = events::Head {
            method,
            segment,
            version,
            headers,
        };
        return events::check(config, target, head);
    }
    match (target.route(&config.endpoint, config.name_bytes)?, version) {
        (Route::Upgrade { .. }, Version::Http10) => Err(BadRequest::HttpVersion),
        (Route::Upgrade { lobby }, Version::Http11) => {
            upgrade(config, method, target, lobby, headers)
        }
        (Route::Elsewhere, _) if !config.pages => Err(BadRequest::NotFound),
        (Route::Elsewhere, Version::Http11) if headers.list_has(Known::Upgrade, "websocket") => {
            Err(BadRequest::NotFound)
        }
        (Route::Elsewhere, _) => page(config, method, target, version, headers),
    }
}

fn upgrade(
    config: &HandshakeConfig,
    method: &str,
    target: Target<'_>,
    lobby: Option<Arc<str>>,
    mut headers: Headers,
) -> Result<Request, BadRequest> {
    let key = upgrade::check(method, &headers)?;
    let accept_key = upgrade::digest(key);
    target.replace_host(&mut headers);
    let offer = upgrade::offer(&headers, config.json)?;
    let token = token::find(&config.tokens, &target.query, &headers, &offer.bearers)?;
    let deflate = extension::agreed(config, &target.query, &headers);
    Ok(Request::from(Parts {
        method: "GET".into(),
        path: target.path,
        query: target.query,
        headers,
        protocols: offer.protocols,
        json: offer.json,
        token,
        lobby,
        purpose: Purpose::Upgrade,
        accept_key: Some(accept_key),
        deflate,
    }))
}

/// Page requests are checked only for what HTTP itself requires. A malformed token counts as none.
fn page(
    config: &HandshakeConfig,
    method: &str,
    target: Target<'_>,
    version: Version,
    mut headers: Headers,
) -> Result<Request, BadRequest> {
    upgrade::check_host(&headers, version)?;
    target.replace_host(&mut headers);
    let token = token::find(&config.tokens, &target.query, &headers, &[]).unwrap_or(None);
    Ok(Request::from(Parts {
        method: method.to_owned().into(),
        path: target.path,
        query: target.query,
        headers,
        token,
        ..Parts::default()
    }))
}

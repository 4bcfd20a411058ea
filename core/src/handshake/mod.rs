//! From the first bytes of a connection to a request (RFC 6455, section 4.2; RFC 9112).

mod authority;
mod head;
mod headers;
mod query;
mod scan;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod upgrade;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

pub(crate) use self::authority::{Authority, is_zone};
use self::head::{Head, Version};
pub(crate) use self::headers::{Headers, Known};
pub(crate) use self::query::Query;
pub(crate) use self::scan::is_token;
use self::scan::{HEAD_BYTES, Scanner};
use self::target::{Route, Target};
pub(crate) use self::token::BEARER_PROTOCOL;
pub(crate) use self::upgrade::{AcceptKey, JSON_PROTOCOL};
use crate::request::Parts;
use crate::{BadRequest, Request, Tokens};

/// What a [`Handshake`] takes for an upgrade, and what it does with the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeConfig {
    /// The paths that lead to the switchboard.
    pub endpoint: Endpoint,
    /// Whether other requests are handed on, for a page or a health check; otherwise they are
    /// answered with 404. Never true of a request for an upgrade.
    pub pages: bool,
    /// Whether the subprotocol `switchboard.v1.json` is spoken. Only then may a token stand beside
    /// it, as another subprotocol.
    pub json: bool,
    /// The longest name of a lobby, in bytes after decoding.
    pub name_bytes: usize,
    /// Where a request may carry its token.
    pub tokens: Tokens,
}

/// The paths that lead to the switchboard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// This path (`/ws`; written decoded, slashes at its end do not count) and the paths with one
    /// more segment, which names the lobby (`/ws/{room}`).
    At(String),
    /// Every path, and no lobby.
    Any,
}

impl Default for Endpoint {
    /// `/ws` and `/ws/{room}`.
    fn default() -> Self {
        Self::At("/ws".into())
    }
}

/// Turns the first bytes of a connection into a [`Request`], in any split.
///
/// It reads each byte once and keeps at most 64 KiB of an unfinished head. What cannot become a
/// request is refused with the first byte that shows it. It does not know the time: whoever
/// drives it gives it up after a while, and answers with [`request_timeout`].
///
/// [`request_timeout`]: crate::response::request_timeout
pub struct Handshake {
    config: Arc<HandshakeConfig>,
    scanner: Scanner,
    /// What came of a head that did not come at once.
    head: Vec<u8>,
    state: State,
    /// How many bytes of the latest input belong to the frames behind the request.
    unread: usize,
    /// How many bytes were copied or parsed, for the proof that each is a few times at most.
    #[cfg(test)]
    work: usize,
}

/// `Reading ─▶ Upgrading | Serving`, and from all but the last to `Refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// A request for an upgrade is complete: what follows are frames.
    Upgrading,
    /// A request for a page is complete: its body is of no interest.
    Serving,
    Refused(BadRequest),
}

impl Handshake {
    /// A handshake at the start of a connection.
    pub fn new(config: Arc<HandshakeConfig>) -> Self {
        Self {
            config,
            scanner: Scanner::new(),
            head: Vec::new(),
            state: State::Reading,
            unread: 0,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Takes the next bytes, as many or few as there are. `None`: it wants more.
    ///
    /// A request comes once. Some clients and proxies send frames behind it before they have seen the
    /// answer 101: [`unread`](Self::unread) says where those begin. An error stays: there is nothing
    /// behind a refused request that may be read.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<Request>, BadRequest> {
        self.unread = 0;
        let outcome = match self.state {
            State::Reading => self.read(input),
            State::Upgrading => {
                self.unread = input.len();
                Ok(None)
            }
            State::Serving => Ok(None),
            State::Refused(bad) => Err(bad),
        };
        match &outcome {
            Ok(None) => {}
            Ok(Some(request)) if request.is_upgrade() => self.state = State::Upgrading,
            Ok(Some(_)) => self.state = State::Serving,
            Err(bad) => self.state = State::Refused(*bad),
        }
        if self.state != State::Reading {
            self.head = Vec::new();
        }
        outcome
    }

    /// How many bytes at the end of the latest input follow the request for an upgrade. They are the
    /// first for the [`Decoder`](crate::Decoder), once the request is answered with 101.
    pub const fn unread(&self) -> usize {
        self.unread
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
        let request = if self.head.is_empty() {
            judge(&self.config, last)?
        } else {
            self.keep(last);
            judge(&self.config, &self.head)?
        };
        if request.is_upgrade() {
            self.unread = rest.len();
        }
        Ok(Some(request))
    }

    /// Grows by doubling, but never beyond the largest head.
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

/// Says how far it is, never what it read: a token may be in it.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("state", &self.state)
            .field("buffered", &self.head.len())
            .finish_non_exhaustive()
    }
}

/// Decides about a complete head. Of several faults the first in this order is told: syntax,
/// path, HTTP version, method, upgrade, WebSocket version, key, host, body, subprotocols, token.
fn judge(config: &HandshakeConfig, head: &[u8]) -> Result<Request, BadRequest> {
    let Head {
        method,
        target,
        version,
        headers,
    } = Head::parse(head)?;
    let target = Target::parse(target, &config.tokens)?;
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
    let accept_key = upgrade::accept_key(key);
    target.replace_host(&mut headers);
    let offer = upgrade::offer(&headers, config.json)?;
    let token = token::find(&config.tokens, &target.query, &headers, &offer.bearers)?;
    Ok(Request::from(Parts {
        method: "GET".into(),
        path: target.path,
        query: target.query,
        headers,
        protocols: offer.protocols,
        json: offer.json,
        token,
        lobby,
        upgrade: true,
        accept_key: Some(accept_key),
    }))
}

/// A page is no part of the WebSocket protocol: only what HTTP itself demands is checked. A token
/// that cannot be read is none.
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

/// A request that somebody else read and upgraded (see [`Request::upgraded`]).
pub(crate) fn upgraded(
    tokens: &Tokens,
    target: &str,
    lobby: Option<String>,
    mut headers: Headers,
) -> Result<Request, BadRequest> {
    let target = Target::parse(target, tokens)?;
    let authority = authority(&headers)?.map(str::to_owned);
    if let Some(authority) = authority {
        headers.set_host(&authority);
    }
    target.replace_host(&mut headers);
    let offer = upgrade::offer(&headers, true)?;
    let token = token::find(tokens, &target.query, &headers, &offer.bearers)?;
    Ok(Request::from(Parts {
        method: "GET".into(),
        path: target.path,
        query: target.query,
        headers,
        protocols: offer.protocols,
        json: offer.json,
        token,
        lobby: lobby.map(Into::into),
        upgrade: true,
        accept_key: None,
    }))
}

/// What stands for `Host` over HTTP/2 (RFC 9113, section 8.3.1).
fn authority(headers: &Headers) -> Result<Option<&str>, BadRequest> {
    let mut authorities = headers.iter().filter(|(name, _)| *name == ":authority");
    match (authorities.next(), authorities.next()) {
        (_, Some(_)) => Err(BadRequest::Syntax("there may be one :authority")),
        (first, None) => Ok(first.map(|(_, value)| value)),
    }
}

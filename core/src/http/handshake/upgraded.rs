//! Requests that another library has parsed.

use std::fmt;

use super::config::{Endpoint, HandshakeConfig};
use super::head::Version;
use super::headers::Headers;
use super::request::{Parts, Purpose, Request};
use super::scan::{HEAD_BYTES, TARGET_BYTES};
use super::target::Target;
use super::upgrade::AcceptKey;
use super::{extension, token, upgrade};
use crate::{BadRequest, Tokens};

impl Request {
    /// Creates the request of a socket that the application upgraded with another library.
    ///
    /// `target` is the undecoded path and query (`/chat?token=x`). Subprotocols and token are
    /// extracted as in a request read by this crate; nothing else is checked, and echoing the
    /// subprotocol is the application's responsibility. HTTP/2 has no `Host`: pass the header
    /// `:authority`, or a target in absolute form (`https://example.org/chat?token=x`).
    ///
    /// The token is looked up in the places of [`Tokens::default`]; for others see
    /// [`upgraded_with`](Self::upgraded_with).
    ///
    /// # Errors
    /// Returns [`BadRequest`] if the target, the subprotocols or the token are malformed.
    pub fn upgraded<N, V>(
        target: &str,
        lobby: Option<String>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BadRequest>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        Self::upgraded_with(&Tokens::default(), target, lobby, headers)
    }

    /// Like [`upgraded`](Self::upgraded), but looks for the token in the given places.
    ///
    /// # Errors
    ///
    /// A [`BadRequest`] if the target or the token is malformed.
    pub fn upgraded_with<N, V>(
        tokens: &Tokens,
        target: &str,
        lobby: Option<String>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BadRequest>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut headers = collect(headers);
        replace_host(&mut headers)?;
        let config = HandshakeConfig {
            endpoint: Endpoint::Any,
            pages: false,
            json: true,
            name_bytes: usize::MAX,
            tokens: tokens.clone(),
            compression: false,
            room_contexts: false,
            sse: None,
        };
        build(&config, target, lobby, headers)
    }
}

/// An upgrade request that an HTTP library has parsed, checked like one that this crate reads.
///
/// For adapters of HTTP frameworks. It becomes a [`Request`] once it is known what the node expects.
///
/// # Example
///
/// ```
/// # use switchboard_core::{BadRequest, Endpoint, HandshakeConfig, Tokens, UpgradeRequest};
/// # let config = HandshakeConfig {
/// #     endpoint: Endpoint::Any,
/// #     pages: false,
/// #     json: true,
/// #     name_bytes: 128,
/// #     tokens: Tokens::default(),
/// #     compression: false,
/// #     room_contexts: false,
/// #     sse: None,
/// # };
/// let headers = [
///     ("host", "example.org"),
///     ("upgrade", "websocket"),
///     ("connection", "Upgrade"),
///     ("sec-websocket-version", "13"),
///     ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
/// ];
/// let upgrade = UpgradeRequest::http1("GET", "/ws/blue?token=s3cret", headers)?;
/// assert_eq!(upgrade.accept_key(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// let request = upgrade.into_request(&config, Some("blue".into()))?;
/// assert_eq!(request.token().map(|token| token.reveal()), Some("s3cret"));
///
/// let page = UpgradeRequest::http1("GET", "/ws", [("host", "example.org")]);
/// assert_eq!(page.unwrap_err(), BadRequest::NotAnUpgrade);
/// # Ok::<(), BadRequest>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    target: String,
    headers: Headers,
    accept_key: Option<AcceptKey>,
}

impl UpgradeRequest {
    /// Checks a request of HTTP/1.1. `target` is as sent: path and query, or in absolute form.
    ///
    /// # Errors
    ///
    /// The first [`BadRequest`] in the order of [`Handshake`](crate::Handshake): too large, method,
    /// upgrade, WebSocket version, key, host, body.
    pub fn http1<N, V>(
        method: &str,
        target: &str,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BadRequest>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let headers = collect(headers);
        check_size(target, &headers)?;
        let accept_key = upgrade::digest(upgrade::check(method, &headers)?);
        Ok(Self {
            target: target.into(),
            headers,
            accept_key: Some(accept_key),
        })
    }

    /// Checks an extended CONNECT of HTTP/2 (RFC 8441). `protocol` is the pseudo-header `:protocol`,
    /// `target` is `:path`, and `headers` contain `:authority`.
    ///
    /// # Errors
    ///
    /// The first [`BadRequest`] in this order: too large, method and protocol, WebSocket version,
    /// host.
    pub fn http2<N, V>(
        method: &str,
        protocol: Option<&str>,
        target: &str,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BadRequest>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut headers = collect(headers);
        check_size(target, &headers)?;
        if method != "CONNECT" || protocol != Some("websocket") {
            return Err(BadRequest::NotAnUpgrade);
        }
        upgrade::check_version(&headers)?;
        replace_host(&mut headers)?;
        upgrade::check_host(&headers, Version::Http11)?;
        Ok(Self {
            target: target.into(),
            headers,
            accept_key: None,
        })
    }

    /// Returns the value of `Sec-WebSocket-Accept` for the 101 response; `None` with HTTP/2, whose
    /// response has no such header.
    pub fn accept_key(&self) -> Option<&str> {
        str::from_utf8(self.accept_key.as_ref()?).ok()
    }

    /// Returns the first header of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Returns the request that a node with this configuration has to answer, whose endpoint and pages do
    /// not matter. The answer has to name the subprotocol, if [`Request::speaks_json`] says so, and the
    /// extension that [`Request::deflate`] returns.
    ///
    /// # Errors
    ///
    /// A [`BadRequest`] if the target, the subprotocols or the token are malformed.
    pub fn into_request(
        self,
        config: &HandshakeConfig,
        lobby: Option<String>,
    ) -> Result<Request, BadRequest> {
        build(config, &self.target, lobby, self.headers)
    }
}

/// Prints neither the target nor values of headers, which may contain a token.
impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("UpgradeRequest")
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

fn collect<N, V>(headers: impl IntoIterator<Item = (N, V)>) -> Headers
where
    N: AsRef<str>,
    V: AsRef<[u8]>,
{
    let mut collected = Headers::default();
    for (name, value) in headers {
        collected.push(name.as_ref(), value.as_ref());
    }
    collected
}

/// Holds the request to the limits of those that this crate reads.
fn check_size(target: &str, headers: &Headers) -> Result<(), BadRequest> {
    if target.len() > TARGET_BYTES {
        return Err(BadRequest::TargetTooLong);
    }
    if target.len() + headers.bytes() > HEAD_BYTES {
        return Err(BadRequest::HeadTooLarge);
    }
    Ok(())
}

/// Builds the request of a socket that the application upgraded.
fn build(
    config: &HandshakeConfig,
    target: &str,
    lobby: Option<String>,
    mut headers: Headers,
) -> Result<Request, BadRequest> {
    let target = Target::parse(target, &config.tokens)?;
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
        lobby: lobby.map(Into::into),
        purpose: Purpose::Upgrade,
        accept_key: None,
        deflate,
    }))
}

/// Replaces `Host` by `:authority`, if there is one (RFC 9113, section 8.3.1).
fn replace_host(headers: &mut Headers) -> Result<(), BadRequest> {
    if let Some(authority) = authority(headers)?.map(str::to_owned) {
        headers.set_host(&authority);
    }
    Ok(())
}

fn authority(headers: &Headers) -> Result<Option<&str>, BadRequest> {
    let mut authorities = headers.iter().filter(|(name, _)| *name == ":authority");
    match (authorities.next(), authorities.next()) {
        (_, Some(_)) => Err(BadRequest::Syntax("there must be at most one :authority")),
        (first, None) => Ok(first.map(|(_, value)| value)),
    }
}

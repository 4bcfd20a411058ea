//! Checks an upgrade request to the WebSocket protocol (RFC 6455, section 4.2.1).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::authority::Authority;
use super::head::Version;
use super::headers::{Headers, Known};
use super::scan::is_token;
use crate::BadRequest;
use crate::protocol::BEARER_PROTOCOL;

/// The subprotocol of the JSON protocol. The answer to an upgrade request that offers it, of a node that
/// speaks it, must name it: browsers drop the connection otherwise.
pub const JSON_PROTOCOL: &str = "switchboard.v1.json";

/// A SHA-1 digest in base64.
pub(crate) type AcceptKey = [u8; 28];

/// The subprotocols that a client offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// All except those that carry a token.
    pub(super) protocols: Vec<String>,
    /// Whether the JSON protocol is offered and supported.
    pub(super) json: bool,
    /// The encoded tokens; empty unless the JSON protocol is offered too.
    pub(super) bearers: Vec<String>,
}

/// Checks everything but the subprotocols and returns the key. The order of the checks is part of
/// the behaviour.
pub(super) fn check<'a>(method: &str, headers: &'a Headers) -> Result<&'a str, BadRequest> {
    if method != "GET" {
        return Err(BadRequest::Method);
    }
    let asks = headers.list_has(Known::Upgrade, "websocket")
        && headers.list_has(Known::Connection, "upgrade");
    if !asks {
        return Err(BadRequest::NotAnUpgrade);
    }
    check_version(headers)?;
    let key = headers.only(Known::WebSocketKey).ok_or(BadRequest::Syntax(
        "there must be exactly one Sec-WebSocket-Key",
    ))?;
    if !is_key(key) {
        return Err(BadRequest::Syntax(
            "Sec-WebSocket-Key must be 16 bytes in base64",
        ));
    }
    check_host(headers, Version::Http11)?;
    let body = headers.all(Known::TransferEncoding).next().is_some()
        || match headers.only(Known::ContentLength) {
            Some(length) => length != "0",
            None => headers.all(Known::ContentLength).next().is_some(),
        };
    if body {
        return Err(BadRequest::Syntax(
            "an upgrade request must not have a body",
        ));
    }
    Ok(key)
}

/// Requires version 13 (RFC 6455, section 4.4).
pub(super) fn check_version(headers: &Headers) -> Result<(), BadRequest> {
    match headers.only(Known::WebSocketVersion) {
        Some("13") => Ok(()),
        _ => Err(BadRequest::Version),
    }
}

/// Returns whether this is 16 bytes in base64: 22 digits and two signs of padding. The trailing bits do
/// not matter.
fn is_key(key: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.strip_suffix("==") {
        Some(digits) => digits.len() == 22 && digits.bytes().all(is_digit),
        None => false,
    }
}

/// Requires exactly one valid `Host` (RFC 9112, section 3.2), which HTTP/1.0 may omit.
pub(super) fn check_host(headers: &Headers, version: Version) -> Result<(), BadRequest> {
    if version == Version::Http10 && headers.all(Known::Host).next().is_none() {
        return Ok(());
    }
    match headers.only(Known::Host).and_then(Authority::parse) {
        Some(_) => Ok(()),
        None => Err(BadRequest::Syntax("there must be exactly one valid Host")),
    }
}

/// Parses `Sec-WebSocket-Protocol` (RFC 6455, section 11.3.4) in time linear in its length, up to a
/// logarithm. Empty elements are ignored (RFC 9110, section 5.6.1.2).
///
/// Without `json`, neither the JSON protocol nor a token beside it is recognised.
pub(super) fn offer(headers: &Headers, json: bool) -> Result<Offer, BadRequest> {
    let mut offer = Offer::default();
    let mut seen = BTreeSet::new();
    for protocol in headers
        .all(Known::WebSocketProtocol)
        .flat_map(|list| list.split(','))
        .map(str::trim_ascii)
        .filter(|protocol| !protocol.is_empty())
    {
        if !protocol.bytes().all(is_token) {
            return Err(BadRequest::Syntax(
                "Sec-WebSocket-Protocol must be a list of tokens",
            ));
        }
        if !seen.insert(protocol) {
            return Err(BadRequest::Syntax("a subprotocol is offered twice"));
        }
        match protocol.strip_prefix(BEARER_PROTOCOL) {
            None => offer.protocols.push(protocol.to_owned()),
            Some(encoded) => offer.bearers.push(encoded.to_owned()),
        }
    }
    offer.json = json && offer.protocols.iter().any(|it| it == JSON_PROTOCOL);
    if !offer.json {
        offer.bearers.clear();
    }
    Ok(offer)
}

/// Computes `Sec-WebSocket-Accept` from `Sec-WebSocket-Key` (RFC 6455, section 4.2.2, step 5), for
/// applications that answer an upgrade request themselves. Returns `None` if the key is malformed: answer
/// 400 then.
///
/// ```
/// # use switchboard_core::response::accept_key;
/// let key = "dGhlIHNhbXBsZSBub25jZQ==";
/// assert_eq!(accept_key(key).as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// assert_eq!(accept_key("sixteen bytes"), None);
/// ```
pub fn accept_key(key: &str) -> Option<String> {
    is_key(key).then(|| digest(key).iter().copied().map(char::from).collect())
}

/// Computes `Sec-WebSocket-Accept` from a checked key.
pub(super) fn digest(key: &str) -> AcceptKey {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let mut answer = [0; 28];
    let written = STANDARD.encode_slice(digest, &mut answer);
    debug_assert_eq!(written, Ok(answer.len()));
    answer
}

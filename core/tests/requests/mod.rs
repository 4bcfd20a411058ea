//! Helpers shared by the handshake tests.
#![allow(dead_code)] // not every test file uses all of it

use std::sync::Arc;

use switchboard_core::{BadRequest, Endpoint, Handshake, HandshakeConfig, Request};

/// The headers of the upgrade request in RFC 6455, section 1.2.
pub(crate) const FIELDS: &str = "Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

pub(crate) fn config() -> HandshakeConfig {
    HandshakeConfig {
        endpoint: Endpoint::At("/ws".into()),
        pages: false,
        json: true,
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: 128,
        tokens: switchboard_core::Tokens::default(),
    }
}

pub(crate) fn with_pages() -> HandshakeConfig {
    HandshakeConfig {
        pages: true,
        ..config()
    }
}

pub(crate) fn anywhere() -> HandshakeConfig {
    HandshakeConfig {
        endpoint: Endpoint::Any,
        ..config()
    }
}

/// A valid upgrade request for a target.
pub(crate) fn upgrade(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{FIELDS}\r\n")
}

/// A valid upgrade request with more header lines, each ending with CR LF.
pub(crate) fn upgrade_with(lines: &str) -> String {
    format!("GET /ws HTTP/1.1\r\n{FIELDS}{lines}\r\n")
}

/// A valid upgrade request in which the header line that begins with `name` is replaced.
pub(crate) fn upgrade_replacing(name: &str, lines: &str) -> String {
    let mut kept = String::new();
    for line in FIELDS.split_inclusive("\r\n") {
        kept.push_str(if line.starts_with(name) { lines } else { line });
    }
    assert_ne!(kept, FIELDS, "no line begins with {name}");
    format!("GET /ws HTTP/1.1\r\n{kept}\r\n")
}

/// Passes bytes in these pieces; returns the request, or the first error.
pub(crate) fn feed<'a>(
    config: &Arc<HandshakeConfig>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Request>, BadRequest> {
    let mut handshake = Handshake::new(Arc::clone(config));
    let mut found = None;
    for piece in pieces {
        if let Some(request) = handshake.receive(piece)? {
            assert!(found.is_none(), "the request is returned once");
            found = Some(request);
        }
    }
    Ok(found)
}

/// Returns the outcome of these bytes, checking that it is the same at once, in single bytes, and
/// cut in two anywhere (for long inputs, at some hundred places).
pub(crate) fn outcome(
    config: &HandshakeConfig,
    bytes: impl AsRef<[u8]>,
) -> Result<Option<Request>, BadRequest> {
    let bytes = bytes.as_ref();
    let config = Arc::new(config.clone());
    let whole = feed(&config, [bytes]);
    assert_eq!(whole, feed(&config, bytes.chunks(1)), "in single bytes");
    let stride = bytes.len() / 500 + 1;
    for cut in (0..=bytes.len()).step_by(stride) {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(whole, feed(&config, [front, back]), "cut at {cut}");
    }
    whole
}

/// Returns the request in these bytes.
#[track_caller]
pub(crate) fn accepted(config: &HandshakeConfig, bytes: impl AsRef<[u8]>) -> Request {
    match outcome(config, bytes) {
        Ok(Some(request)) => request,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Returns the status with which these bytes are refused, or 0 if they are not.
#[track_caller]
pub(crate) fn status(config: &HandshakeConfig, bytes: impl AsRef<[u8]>) -> u16 {
    match outcome(config, bytes) {
        Ok(Some(_)) => 0,
        Ok(None) => panic!("incomplete"),
        Err(bad) => bad.status(),
    }
}

#[track_caller]
pub(crate) fn refused(request: impl AsRef<[u8]>) -> u16 {
    status(&config(), request)
}

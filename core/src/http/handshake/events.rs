//! Checks the requests of event streams: the one that opens a stream, those that post messages, and those by
//! which a browser asks whether a page may send these.

use super::config::HandshakeConfig;
use super::head::Version;
use super::headers::{Headers, Known};
use super::request::{Parts, Purpose, Request};
use super::target::{Target, lobby};
use super::{token, upgrade};
use crate::BadRequest;

/// The head of a request at the path of event streams.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    /// The segment after the path, which is not decoded: a room, or the secret of a session.
    pub(super) segment: Option<&'a str>,
    pub(super) version: Version,
    pub(super) headers: Headers,
}

/// Of several faults, the first in this order is reported: method, host, body, room, token.
pub(super) fn check(
    config: &HandshakeConfig,
    target: Target<'_>,
    head: Head<'_>,
) -> Result<Request, BadRequest> {
    let Head {
        method,
        segment,
        version,
        mut headers,
    } = head;
    let method = match method {
        "GET" => "GET",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => return Err(BadRequest::StreamMethod),
    };
    upgrade::check_host(&headers, version)?;
    let length = body_length(&headers)?;
    let purpose = match method {
        "POST" => Purpose::Post {
            length: length.ok_or(BadRequest::LengthRequired)?,
        },
        _ if length.is_some_and(|length| length > 0) => {
            let rule = "a request for an event stream must not have a body";
            return Err(BadRequest::Syntax(rule));
        }
        "OPTIONS" => Purpose::Preflight,
        _ => Purpose::EventStream,
    };
    let opens = purpose == Purpose::EventStream;
    let room = segment.filter(|_| opens);
    let lobby = room.map(|raw| lobby(raw, config.name_bytes)).transpose()?;
    target.replace_host(&mut headers);
    let token = if opens {
        token::find(&config.tokens, &target.query, &headers, &[])?
    } else {
        None
    };
    Ok(Request::from(Parts {
        method: method.into(),
        path: target.path,
        query: target.query,
        headers,
        token,
        lobby,
        purpose,
        ..Parts::default()
    }))
}

/// Returns the length of the body, if the head says that there is one.
fn body_length(headers: &Headers) -> Result<Option<u64>, BadRequest> {
    // With chunks the length is not known in advance and could be unbounded.
    if headers.all(Known::TransferEncoding).next().is_some() {
        return Err(BadRequest::LengthRequired);
    }
    if headers.all(Known::ContentLength).next().is_none() {
        return Ok(None);
    }
    let length = headers.only(Known::ContentLength);
    let digits = length.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(length) => Ok(Some(length)),
        None => Err(BadRequest::Syntax(
            "there must be one Content-Length, a number",
        )),
    }
}

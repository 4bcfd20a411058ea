//! Parses the request target into path, route and query.

use std::borrow::Cow;
use std::sync::Arc;

use super::authority::Authority;
use super::config::Endpoint;
use super::headers::Headers;
use super::percent::percent_decode;
use super::query::Query;
use crate::{BadName, BadRequest, Tokens, check_name};

const ENCODING: BadRequest =
    BadRequest::Syntax("the path is not percent-encoded UTF-8 without control characters");

/// The destination of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The endpoint, with the lobby that the path names.
    Upgrade { lobby: Option<Arc<str>> },
    /// Any other path.
    Elsewhere,
}

/// The schemes accepted in a target in absolute form.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// A decoded path and query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The authority of an absolute form, which replaces `Host`.
    authority: Option<&'a str>,
    raw_path: &'a str,
    pub(super) path: String,
    pub(super) query: Query,
}

impl<'a> Target<'a> {
    /// Parses a target in origin form or absolute form; others (`*`, `host:port`) are not found.
    pub(super) fn parse(target: &'a str, tokens: &Tokens) -> Result<Self, BadRequest> {
        let (authority, target) = split_authority(target)?;
        let (raw_path, query) = target.split_once('?').unwrap_or((target, ""));
        let raw_path = if raw_path.is_empty() { "/" } else { raw_path };
        Ok(Self {
            authority,
            raw_path,
            path: decode_path(raw_path)?.into_owned(),
            query: Query::parse(query, tokens.query.as_deref())?,
        })
    }

    /// Replaces `Host` by the authority of an absolute form (RFC 9112, section 3.2.2).
    pub(super) fn replace_host(&self, headers: &mut Headers) {
        if let Some(authority) = self.authority {
            headers.set_host(authority);
        }
    }

    /// Matches the path by segments. They are split before decoding, so an encoded slash never
    /// separates segments.
    pub(super) fn route(
        &self,
        endpoint: &Endpoint,
        name_bytes: usize,
    ) -> Result<Route, BadRequest> {
        let Endpoint::At(endpoint) = endpoint else {
            return Ok(Route::Upgrade { lobby: None });
        };
        if self.raw_path.starts_with("//") {
            return Err(BadRequest::NotFound);
        }
        Ok(match self.under(endpoint)? {
            None => Route::Elsewhere,
            Some(None) => Route::Upgrade { lobby: None },
            Some(Some(raw)) => Route::Upgrade {
                lobby: Some(lobby(raw, name_bytes)?),
            },
        })
    }

    /// Returns the undecoded segment that follows `path` in this one, if any; `None` if this is neither
    /// `path` nor one segment below it.
    #[allow(
        clippy::option_option,
        reason = "the path itself differs from another path"
    )]
    pub(super) fn under(&self, path: &str) -> Result<Option<Option<&'a str>>, BadRequest> {
        let mut given = self.raw_path[1..].split('/');
        let mut at_root = true;
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            at_root = false;
            match given.next() {
                Some(raw) if decode_path(raw)? == segment => {}
                _ => return Ok(None),
            }
        }
        Ok(match (given.next(), given.next()) {
            (None, _) => Some(None),
            (Some(""), None) if at_root => Some(None),
            (Some(raw), None) if !raw.is_empty() => Some(Some(raw)),
            _ => None,
        })
    }
}

impl Endpoint {
    /// Returns the lobby that an undecoded path names, if it is a path of this endpoint.
    ///
    /// # Errors
    ///
    /// [`BadRequest::NotFound`] for any other path; another one if the name is malformed, or longer than
    /// `name_bytes`.
    pub fn lobby_of(&self, path: &str, name_bytes: usize) -> Result<Option<String>, BadRequest> {
        let nowhere = Tokens {
            query: None,
            ..Tokens::default()
        };
        let target = Target::parse(path, &nowhere)?;
        match target.route(self, name_bytes)? {
            Route::Upgrade { lobby } => Ok(lobby.map(|lobby| lobby.as_ref().to_owned())),
            Route::Elsewhere => Err(BadRequest::NotFound),
        }
    }
}

/// Splits scheme and authority off a target in absolute form, which a server must accept (RFC 9112,
/// section 3.2.2).
fn split_authority(target: &str) -> Result<(Option<&str>, &str), BadRequest> {
    if target.starts_with('/') {
        return Ok((None, target));
    }
    let (scheme, rest) = target.split_once("://").ok_or(BadRequest::NotFound)?;
    if !SCHEMES.iter().any(|it| scheme.eq_ignore_ascii_case(it)) {
        return Err(BadRequest::NotFound);
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match Authority::parse(authority) {
        Some(_) => Ok((Some(authority), rest)),
        None => Err(BadRequest::Syntax("the target must have a legal host")),
    }
}

pub(super) fn lobby(raw: &str, name_bytes: usize) -> Result<Arc<str>, BadRequest> {
    let name = decode_path(raw)?;
    if name.contains('/') {
        return Err(BadRequest::Syntax("a room name must not have a slash"));
    }
    check_name(&name, name_bytes).map_err(|bad| match bad {
        BadName::TooLong(_) => BadRequest::Syntax("the room name is too long"),
        BadName::Empty | BadName::Control | BadName::Reserved => ENCODING,
    })?;
    Ok(name.into())
}

fn decode_path(raw: &str) -> Result<Cow<'_, str>, BadRequest> {
    let path = if raw.contains('%') {
        match percent_decode(raw, false) {
            (bytes, true) => String::from_utf8(bytes).map_err(|_| ENCODING)?.into(),
            _ => return Err(ENCODING),
        }
    } else {
        Cow::Borrowed(raw)
    };
    let is_plain = path.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !is_plain && path.chars().any(char::is_control) {
        return Err(ENCODING);
    }
    Ok(path)
}

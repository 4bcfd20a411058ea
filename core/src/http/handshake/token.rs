//! Extracts the token of a request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::headers::{Headers, Known};
use super::query::Query;
use crate::{BadRequest, Token, Tokens};

const ILLEGAL: BadRequest = BadRequest::Syntax("the token is malformed");
const ENCODING: BadRequest = BadRequest::Syntax("the token is not percent-encoded UTF-8");

/// Looks for the token in the configured places and returns the first one. Other places, and
/// further tokens, may belong to other programs and are ignored.
///
/// An empty token counts as present, so the application is asked and refuses it. If it counted as
/// absent, a page that sends `?token=` by mistake would be asked for a first message.
pub(super) fn find(
    places: &Tokens,
    query: &Query,
    headers: &Headers,
    bearers: &[String],
) -> Result<Option<Token>, BadRequest> {
    if places.subprotocol
        && let Some(encoded) = bearers.first()
    {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ILLEGAL)?;
        let token = String::from_utf8(bytes).map_err(|_| ILLEGAL)?;
        return Ok(Some(Token::new(token)));
    }
    if places.header
        && let Some(token) = headers.all(Known::Authorization).find_map(bearer)
    {
        return legal(token).map(Some);
    }
    if let Some(token) = query.token() {
        return match token {
            Some(token) => Ok(Some(Token::new(token))),
            None => Err(ENCODING),
        };
    }
    if let Some(name) = &places.cookie
        && let Some(token) = headers
            .all(Known::Cookie)
            .find_map(|cookies| cookie(cookies, name))
    {
        return legal(token).map(Some);
    }
    Ok(None)
}

/// Returns the credentials of the `Bearer` scheme; other schemes belong to the application.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, rest) = authorization
        .split_once([' ', '\t'])
        .unwrap_or((authorization, ""));
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| rest.trim_ascii())
}

/// Returns the value of the first cookie of this name, without the optional quotes (RFC 6265).
fn cookie<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    let value = cookies
        .split(';')
        .filter_map(|cookie| cookie.split_once('='))
        .find_map(|(given, value)| (given.trim_ascii() == name).then(|| value.trim_ascii()))?;
    let unquoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    Some(unquoted.unwrap_or(value))
}

/// Validates a token from a header: no white space, and no U+FFFD, which replaced invalid UTF-8.
fn legal(value: &str) -> Result<Token, BadRequest> {
    let illegal = |c: char| c.is_whitespace() || c == char::REPLACEMENT_CHARACTER;
    if value.contains(illegal) {
        return Err(ILLEGAL);
    }
    Ok(Token::new(value))
}

//! Finds the token of a request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::headers::{Headers, Known};
use super::query::Query;
use crate::{BadRequest, Token, Tokens};

/// What the offered subprotocol with a token begins with.
pub(crate) const BEARER_PROTOCOL: &str = "base64url.bearer.switchboard.";

const ILLEGAL: BadRequest = BadRequest::Syntax("the token is not legal where it stands");
const ENCODING: BadRequest = BadRequest::Syntax("the token is not percent-encoded UTF-8");

/// Looks for the token in these places, until there is one: what stands in a place that is not looked
/// at, or behind the first token, may be of another program.
///
/// An empty token is a token: the application is asked about it and will say no. Were it taken
/// for none, `?token=` from a page that forgot its token would wait for a first message.
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

/// The credentials of the `Bearer` scheme; other schemes are the application's own.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, rest) = authorization
        .split_once([' ', '\t'])
        .unwrap_or((authorization, ""));
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| rest.trim_ascii())
}

/// The value of the first cookie of this name, without the quotes that RFC 6265 allows.
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

/// A token in a header has no spaces, and was UTF-8 before it became a `str`.
fn legal(value: &str) -> Result<Token, BadRequest> {
    let illegal = |c: char| c.is_whitespace() || c == char::REPLACEMENT_CHARACTER;
    if value.contains(illegal) {
        return Err(ILLEGAL);
    }
    Ok(Token::new(value))
}

//! Where a request may carry its token, and that it carries one at most.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::headers::{Headers, Known};
use super::query::Query;
use crate::{BadRequest, Token};

/// What the offered subprotocol with a token begins with.
pub(crate) const BEARER_PROTOCOL: &str = "base64url.bearer.switchboard.";

pub(super) const SEVERAL: BadRequest = BadRequest::Syntax("a request may carry one token");
const ILLEGAL: BadRequest = BadRequest::Syntax("the token is not legal where it stands");

/// Collects the token from the query, the `Authorization` header, the cookie and the subprotocol.
///
/// An empty token is a token: the application is asked about it and will say no. Were it taken
/// for none, `?token=` from a page that forgot its token would wait for a first message.
pub(super) fn find(
    query: &Query,
    headers: &Headers,
    bearers: &[String],
) -> Result<Option<Token>, BadRequest> {
    let mut found = Found(None);
    for (_, value) in query.iter().filter(|&(name, _)| name == "token") {
        found.put(value.to_owned())?;
    }
    for value in headers.all(Known::Authorization).filter_map(bearer) {
        found.put(legal(value)?.to_owned())?;
    }
    for value in headers.all(Known::Cookie).flat_map(token_cookies) {
        found.put(legal(value)?.to_owned())?;
    }
    for encoded in bearers {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ILLEGAL)?;
        found.put(String::from_utf8(bytes).map_err(|_| ILLEGAL)?)?;
    }
    Ok(found.0)
}

struct Found(Option<Token>);

impl Found {
    fn put(&mut self, secret: String) -> Result<(), BadRequest> {
        if self.0.is_some() {
            return Err(SEVERAL);
        }
        self.0 = Some(Token::new(secret));
        Ok(())
    }
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

/// The values of every cookie called `token`, without the quotes that RFC 6265 allows.
fn token_cookies(cookies: &str) -> impl Iterator<Item = &str> {
    cookies
        .split(';')
        .filter_map(|cookie| cookie.split_once('='))
        .filter(|(name, _)| name.trim_ascii() == "token")
        .map(|(_, value)| {
            let value = value.trim_ascii();
            value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .unwrap_or(value)
        })
}

/// A token in a header has no spaces, and was UTF-8 before it became a `str`.
fn legal(value: &str) -> Result<&str, BadRequest> {
    let illegal = |c: char| c.is_whitespace() || c == char::REPLACEMENT_CHARACTER;
    if value.contains(illegal) {
        return Err(ILLEGAL);
    }
    Ok(value)
}

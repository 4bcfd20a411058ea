//! Requests of sockets that the application upgraded itself.

use super::headers::Headers;
use super::request::{Parts, Request};
use super::target::Target;
use super::{token, upgrade};
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
        let mut collected = Headers::default();
        for (name, value) in headers {
            collected.push(name.as_ref(), value.as_ref());
        }
        build(tokens, target, lobby, collected)
    }
}

/// Builds the request of a socket that the application upgraded.
fn build(
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
        deflate: None,
    }))
}

/// Returns `:authority`, which replaces `Host` over HTTP/2 (RFC 9113, section 8.3.1).
fn authority(headers: &Headers) -> Result<Option<&str>, BadRequest> {
    let mut authorities = headers.iter().filter(|(name, _)| *name == ":authority");
    match (authorities.next(), authorities.next()) {
        (_, Some(_)) => Err(BadRequest::Syntax("there must be at most one :authority")),
        (first, None) => Ok(first.map(|(_, value)| value)),
    }
}

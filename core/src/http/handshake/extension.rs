//! Negotiation of the extension permessage-deflate (RFC 7692, section 7.1).

use std::fmt;

use super::config::HandshakeConfig;
use super::headers::{Headers, Known};
use super::query::Query;
use super::scan::is_token;
use crate::wire::deflate::CONTEXT_BITS;

const NAME: &str = "permessage-deflate";

/// The extension permessage-deflate as negotiated by client and server.
///
/// The client compresses each message independently (`client_no_context_takeover`), with any window,
/// because messages are inflated with the largest one. The server does the same
/// (`server_no_context_takeover`), unless it is configured otherwise and the client can keep its
/// inflation window.
///
/// `Display` writes the value of `Sec-WebSocket-Extensions` in the response.
///
/// ```
/// use switchboard_core::PerMessageDeflate;
///
/// let offers = ["permessage-deflate; server_max_window_bits=10, permessage-deflate"];
/// let agreed = PerMessageDeflate::negotiate(offers).expect("an acceptable offer");
/// assert_eq!(agreed.server_max_window_bits, Some(10));
/// assert_eq!(
///     agreed.to_string(),
///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
///      server_max_window_bits=10"
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerMessageDeflate {
    /// The base-two logarithm of the window with which the client inflates, from 8 to 15, if it
    /// asked for one.
    pub server_max_window_bits: Option<u8>,
    /// Whether the client keeps its inflation window, so that a message may refer to earlier ones
    /// (context takeover by the server).
    pub server_context_takeover: bool,
}

impl PerMessageDeflate {
    /// Accepts the first acceptable offer in the values of the headers `Sec-WebSocket-Extensions` of a
    /// request, in their order. Each message is compressed independently.
    ///
    /// Returns `None` if there is none, or if a header is malformed, which is no reason to refuse a
    /// client. An offer with an unknown, repeated or malformed parameter is not acceptable (RFC 7692,
    /// section 7.1).
    pub fn negotiate<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let agreed = Self::accept(headers)?;
        Some(Self {
            server_context_takeover: false,
            ..agreed
        })
    }

    /// Accepts the first acceptable offer, with context takeover if the client offers it and its window
    /// is large enough.
    fn accept<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut agreed = None;
        for header in headers {
            let mut rest = Rest(header.as_bytes());
            loop {
                rest.skip_spaces();
                if rest.0.is_empty() {
                    break;
                }
                if !rest.eat(b',') {
                    let offer = rest.extension()?;
                    agreed = agreed.or(offer);
                    rest.skip_spaces();
                    if !rest.0.is_empty() && !rest.eat(b',') {
                        return None;
                    }
                }
            }
        }
        agreed
    }
}

impl fmt::Display for PerMessageDeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if !self.server_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        f.write_str("; client_no_context_takeover")?;
        match self.server_max_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// Returns what a server that offers compression, or does not, agrees on with the client.
///
/// A page in a browser offers the extension always, so it can decline in the query.
pub(super) fn agreed(
    config: &HandshakeConfig,
    query: &Query,
    headers: &Headers,
) -> Option<PerMessageDeflate> {
    if !config.compression || query.iter().any(|pair| pair == ("deflate", "off")) {
        return None;
    }
    let offers = headers.all(Known::WebSocketExtensions);
    if config.room_contexts {
        PerMessageDeflate::accept(offers)
    } else {
        PerMessageDeflate::negotiate(offers)
    }
}

/// The part of a header that is not parsed yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Parses an extension and its parameters (RFC 6455, section 9.1). Returns `None` if it is
    /// malformed; the inner value is the result of the negotiation if the offer is acceptable.
    #[allow(
        clippy::option_option,
        reason = "a malformed header differs from an offer that is not acceptable"
    )]
    fn extension(&mut self) -> Option<Option<PerMessageDeflate>> {
        let mut acceptable = self.token()? == NAME.as_bytes();
        let mut offer = Offer::default();
        loop {
            self.skip_spaces();
            if !self.eat(b';') {
                break;
            }
            self.skip_spaces();
            let name = self.token()?;
            self.skip_spaces();
            let value = if self.eat(b'=') {
                self.skip_spaces();
                Some(self.value()?)
            } else {
                None
            };
            acceptable = acceptable && offer.add(name, value.as_deref());
        }
        let is_large = offer.server_bits.is_none_or(|bits| bits >= CONTEXT_BITS);
        let agreed = PerMessageDeflate {
            server_max_window_bits: offer.server_bits,
            server_context_takeover: is_large && !offer.server_no_context,
        };
        Some(acceptable.then_some(agreed))
    }

    fn skip_spaces(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Parses a token (RFC 9110, section 5.6.2).
    fn token(&mut self) -> Option<&'a [u8]> {
        let len = self.0.iter().take_while(|&&byte| is_token(byte)).count();
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        (len > 0).then_some(token)
    }

    /// Parses a token, or a quoted one.
    fn value(&mut self) -> Option<Vec<u8>> {
        if !self.eat(b'"') {
            return self.token().map(<[u8]>::to_vec);
        }
        let mut value = Vec::new();
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            match byte {
                b'"' => break,
                b'\\' => {
                    let (&escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    value.push(escaped);
                }
                _ => value.push(byte),
            }
        }
        let whole = !value.is_empty() && value.iter().all(|&byte| is_token(byte));
        whole.then_some(value)
    }
}

/// The parameters of an offer so far.
#[derive(Default)]
struct Offer {
    server_bits: Option<u8>,
    client_bits: bool,
    server_no_context: bool,
    client_no_context: bool,
}

impl Offer {
    /// Adds a parameter. Returns whether the offer is still acceptable.
    fn add(&mut self, name: &[u8], value: Option<&[u8]>) -> bool {
        match (name, value) {
            (b"server_no_context_takeover", None) => !replace(&mut self.server_no_context),
            (b"client_no_context_takeover", None) => !replace(&mut self.client_no_context),
            (b"client_max_window_bits", None) => !replace(&mut self.client_bits),
            (b"client_max_window_bits", Some(value)) => {
                bits(value).is_some() && !replace(&mut self.client_bits)
            }
            (b"server_max_window_bits", Some(value)) => {
                let first = self.server_bits.is_none();
                self.server_bits = bits(value);
                first && self.server_bits.is_some()
            }
            _ => false,
        }
    }
}

/// Sets a flag and returns whether it was set before.
fn replace(flag: &mut bool) -> bool {
    std::mem::replace(flag, true)
}

/// Parses a window size: 8 to 15, without a leading zero (RFC 7692, section 7.1.2).
fn bits(value: &[u8]) -> Option<u8> {
    match *value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

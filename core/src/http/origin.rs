//! Origin checks (RFC 6455, section 10.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Request;
use crate::http::handshake::{Authority, Known};

/// The web origins from which pages may connect.
///
/// Browsers send the origin of the page; other programs need not, and may send anything. The check
/// therefore only prevents foreign pages from using a user's cookies. A request without `Origin` is
/// allowed.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origins {
    /// The host and port of [`Request::host`]. The scheme is not compared, because it is unknown
    /// behind a proxy that terminates TLS.
    #[default]
    Same,
    /// Any value of `Origin`.
    Any,
    /// These origins, each written as `scheme://host` or `scheme://host:port`. Scheme, host and
    /// port must be equal.
    List(Vec<String>),
}

impl Origins {
    /// Returns whether the request may connect.
    ///
    /// All variants but `Any` refuse `null`, several `Origin` headers, and invalid origins.
    pub fn allows(&self, request: &Request) -> bool {
        self.check_request(request).is_ok()
    }

    /// Like [`allows`](Self::allows), but returns why the request is refused.
    ///
    /// # Errors
    ///
    /// The [`BadOrigin`] says what is wrong with the header, or that its origin may not connect.
    pub fn check_request(&self, request: &Request) -> Result<(), BadOrigin> {
        if *self == Self::Any {
            return Ok(());
        }
        let mut origins = request.header_values(Known::Origin);
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        if origins.next().is_some() {
            return Err(BadOrigin::Several);
        }
        let origin = Origin::parse(origin).ok_or(BadOrigin::Opaque)?;
        match self {
            Self::Any => Ok(()),
            Self::Same => origin.check_host(request),
            Self::List(allowed) => allowed
                .iter()
                .filter_map(|entry| Origin::parse(entry))
                .any(|entry| entry.equals(origin))
                .then_some(())
                .ok_or(BadOrigin::Unlisted),
        }
    }

    /// Returns the headers by which a page of the origin of this request, which was checked, may read the
    /// response (WHATWG Fetch, section 3.3). With `Any`, not that to a request with cookies.
    pub(crate) fn sharing(&self, request: &Request) -> Vec<(String, String)> {
        let Some(origin) = request.header_values(Known::Origin).next() else {
            return Vec::new();
        };
        let headers: &[(&str, &str)] = match self {
            Self::Any => &[("Access-Control-Allow-Origin", "*")],
            Self::Same | Self::List(_) => &[
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Credentials", "true"),
                ("Vary", "Origin"),
            ],
        };
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        headers.iter().map(owned).collect()
    }

    /// Checks that every entry of a list is an origin, so that a typo does not refuse all clients.
    ///
    /// # Errors
    ///
    /// The first entry that is not an origin.
    pub fn check(&self) -> Result<(), String> {
        let Self::List(entries) = self else {
            return Ok(());
        };
        match entries.iter().find(|entry| Origin::parse(entry).is_none()) {
            None => Ok(()),
            Some(entry) => Err(format!(
                "`{entry}` is not an origin: write scheme://host or scheme://host:port, \
                 without a path or a wildcard"
            )),
        }
    }
}

/// Why a page may not connect.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BadOrigin {
    /// The request has several `Origin` headers.
    Several,
    /// `Origin` is `null`, or is not a valid origin.
    Opaque,
    /// The host of `Origin` differs from the requested host.
    Host,
    /// The hosts are equal, but the ports are not. A proxy must forward the port that the browser
    /// used, as nginx does with `proxy_set_header Host $http_host`, but not with `$host`.
    Port,
    /// The list does not contain this origin.
    Unlisted,
}

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Several => "there must be at most one Origin",
            Self::Opaque => "Origin must name a host",
            Self::Host => "the host of Origin is not that of Host",
            Self::Port => "the port of Origin is not that of Host",
            Self::Unlisted => "Origin is not in the list",
        })
    }
}

impl std::error::Error for BadOrigin {}

/// A serialized origin (RFC 6454, section 6.2) that is not opaque.
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let legal = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        // A star is legal in a host name, but here it is meant as a wildcard, which is not
        // supported.
        if !legal || authority.contains('*') {
            return None;
        }
        Some(Self {
            scheme,
            authority: Authority::parse(authority)?,
        })
    }

    fn default_port(self) -> Option<u16> {
        let is = |scheme| self.scheme.eq_ignore_ascii_case(scheme);
        if is("http") || is("ws") {
            Some(80)
        } else if is("https") || is("wss") {
            Some(443)
        } else {
            None
        }
    }

    fn port(self) -> Option<u16> {
        self.authority.port_or(self.default_port())
    }

    fn equals(self, other: Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.authority.same_host(other.authority)
            && self.port() == other.port()
    }

    /// Checks that the request is for this origin's host and port. A `Host` without a port means
    /// the default port of the origin's scheme; an origin without a known port never matches.
    fn check_host(self, request: &Request) -> Result<(), BadOrigin> {
        let host = request.host().and_then(Authority::parse);
        let host = host.ok_or(BadOrigin::Host)?;
        if !self.authority.same_host(host) {
            return Err(BadOrigin::Host);
        }
        if self.port().is_none() || self.port() != host.port_or(self.default_port()) {
            return Err(BadOrigin::Port);
        }
        Ok(())
    }
}

//! Which pages may connect (RFC 6455, section 10.2).

use std::fmt;

use serde::Deserialize;

use crate::Request;
use crate::handshake::{Authority, Known};

/// Whose pages may connect.
///
/// Browsers name the origin of the page that asks; other programs need not, and may lie. So this
/// keeps foreign pages from using the cookies of a user, and nothing else. A request without
/// `Origin` is let through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origins {
    /// Pages of the host and port that [`Request::host`] names. The scheme is not compared: behind a proxy
    /// that ends TLS it is not known.
    #[default]
    Same,
    /// All pages, and whatever else stands in `Origin`.
    Any,
    /// Pages of these origins, each written as `scheme://host` or `scheme://host:port`. Scheme, host
    /// and port must all be equal.
    List(Vec<String>),
}

impl Origins {
    /// Whether the page that sends this request may connect.
    ///
    /// `null`, several `Origin` headers, and what is no origin are refused by all but `Any`.
    pub fn allows(&self, request: &Request) -> bool {
        self.check_request(request).is_ok()
    }

    /// The same as [`allows`](Self::allows), and if not, why.
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

    /// Checks that every entry of a list is an origin, so that a slip of the pen does not refuse
    /// everybody. The error names the entry.
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
    /// There are several `Origin` headers.
    Several,
    /// `Origin` is `null`, or names no host.
    Opaque,
    /// The host of `Origin` is not that of `Host`.
    Host,
    /// The host is the same, but the port is not. Behind a proxy: it must pass on the port that the
    /// browser named, as nginx does with `proxy_set_header Host $http_host`, but not with `$host`.
    Port,
    /// `Origin` is not in the list.
    Unlisted,
}

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Several => "there must be one Origin at most",
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
        // A star is legal in a name, but nobody who writes one means a name.
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

    /// Whether the request is for this origin's host and port. A `Host` without a port means the default
    /// of the origin's scheme; an origin without any port is never the same.
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

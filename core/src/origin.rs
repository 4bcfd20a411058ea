//! Which pages may connect (RFC 6455, section 10.2).

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
    /// Pages of the host and port that `Host` names. The scheme is not compared: behind a proxy
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
        if *self == Self::Any {
            return true;
        }
        let mut origins = request.header_values(Known::Origin);
        let Some(origin) = origins.next() else {
            return true;
        };
        if origins.next().is_some() {
            return false;
        }
        let Some(origin) = Origin::parse(origin) else {
            return false;
        };
        match self {
            Self::Any => true,
            Self::Same => origin.is_of_host(request),
            Self::List(allowed) => allowed
                .iter()
                .filter_map(|entry| Origin::parse(entry))
                .any(|entry| entry.equals(origin)),
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

    /// Whether `Host` names this origin's host and port. A `Host` without a port means the default
    /// of the origin's scheme; an origin without any port is never the same.
    fn is_of_host(self, request: &Request) -> bool {
        let mut hosts = request.header_values(Known::Host);
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Some(host) = Authority::parse(host) else {
            return false;
        };
        self.authority.same_host(host)
            && self.port().is_some()
            && self.port() == host.port_or(self.default_port())
    }
}

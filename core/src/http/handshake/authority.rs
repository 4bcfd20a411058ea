//! Parses `host:port`, as in `Host` and `Origin`.

use std::net::Ipv6Addr;

/// A host and an optional port (RFC 3986, section 3.2, without user information).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Returns `None` for an empty host, user information and illegal bytes. The zone of an IPv6
    /// address is dropped, since it has a meaning on the client's machine only.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, after) = rest.split_once(']')?;
            let address = match address.split_once('%') {
                Some((address, zone)) if is_zone(zone) => address,
                Some(_) => return None,
                None => address,
            };
            address.parse::<Ipv6Addr>().ok()?;
            match after.strip_prefix(':') {
                Some(port) => (address, port),
                None if after.is_empty() => (address, ""),
                None => return None,
            }
        } else {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            if host.is_empty() || !host.bytes().all(is_host) {
                return None;
            }
            (host, port)
        };
        let port = match port {
            "" => None,
            _ if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
            _ => return None,
        };
        Some(Self { host, port })
    }

    /// Returns the port, or `default` if none is given.
    pub(crate) fn port_or(self, default: Option<u16>) -> Option<u16> {
        self.port.or(default)
    }

    pub(crate) fn same_host(self, other: Authority<'_>) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
    }
}

/// Returns whether this is a valid IPv6 zone, the part after the `%`. A `%` inside it may be
/// encoded (RFC 6874) or not, as many programs write it.
pub(crate) fn is_zone(zone: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%');
    !zone.is_empty() && zone.bytes().all(legal)
}

/// The bytes of a registered name (RFC 3986, section 3.2.2), except the comma, which separates
/// several hosts in a header.
const fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b';'
                | b'='
        )
}

//! `host:port`, as it stands in `Host` and in `Origin`.

use std::net::Ipv6Addr;

/// A host and, if it was given, a port (RFC 3986, section 3.2, without user information).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// `None` for an empty host, for user information, and for whatever does not belong there.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, after) = rest.split_once(']')?;
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

    /// The port, or what stands for none.
    pub(crate) fn port_or(self, default: Option<u16>) -> Option<u16> {
        self.port.or(default)
    }

    pub(crate) fn same_host(self, other: Authority<'_>) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
    }
}

/// The bytes of a registered name, without the comma: it would make one of two hosts.
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

//! Client addresses: which one a limit counts, and how it is found behind proxies.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::Request;
use crate::http::handshake::{Known, is_zone};

/// The key of per-address limits: an IPv4 address, or an IPv6 /64 network, which is what one
/// customer usually has. An IPv4-mapped address counts as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpKey(Key);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    V4([u8; 4]),
    /// The upper 64 bits.
    V6([u8; 8]),
}

impl IpKey {
    /// Returns the key under which an address is counted.
    pub const fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => Key::V4(address.octets()),
            IpAddr::V6(address) => Key::V6(((address.to_bits() >> 64) as u64).to_be_bytes()),
        })
    }

    /// Returns the networks that one customer may have, of those that contain the address, by
    /// prefix length and first address: the address itself for IPv4, and for IPv6 the /64, the /56
    /// and the /48 network.
    pub(crate) fn networks(self) -> impl Iterator<Item = (u8, Self)> {
        let prefixes: &[u8] = match self.0 {
            Key::V4(_) => &[32],
            Key::V6(_) => &[64, 56, 48],
        };
        prefixes.iter().map(move |&prefix| {
            let Key::V6(mut upper) = self.0 else {
                return (prefix, self);
            };
            upper[usize::from(prefix / 8)..].fill(0);
            (prefix, Self(Key::V6(upper)))
        })
    }
}

// The derived implementation also hashes the kind and the length, which takes longer. The number of
// bytes distinguishes the kinds.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(octets) => state.write_u32(u32::from_be_bytes(*octets)),
            Self::V6(upper) => state.write_u64(u64::from_be_bytes(*upper)),
        }
    }
}

impl fmt::Display for IpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Key::V4(octets) => Ipv4Addr::from(octets).fmt(f),
            Key::V6(upper) => {
                let upper = u128::from(u64::from_be_bytes(upper));
                write!(f, "{}/64", Ipv6Addr::from_bits(upper << 64))
            }
        }
    }
}

/// Determines the client's address, looking through trusted proxies.
///
/// If the peer is trusted, this is the rightmost address in `X-Forwarded-For`, over all headers of
/// that name, that is not trusted itself; entries to its left may be forged by the client. At an
/// invalid entry, or at the start of the header, the search ends with the last trusted address. If
/// the peer is not trusted, the header is ignored.
///
/// IPv4-mapped addresses are returned as IPv4.
pub fn client_address(peer: IpAddr, request: &Request, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let entries = request
        .header_values(Known::XForwardedFor)
        .rev()
        .flat_map(|list| list.rsplit(','));
    for entry in entries {
        let Some(address) = parse_entry(entry.trim_ascii()) else {
            break;
        };
        client = address.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

/// Sets the client's address in the request, and whether a trusted proxy is in between.
pub(crate) fn set_client(request: &mut Request, peer: IpAddr, trusted: &[IpNet]) {
    request.set_peer(client_address(peer, request, trusted));
    request.set_behind_proxy(is_trusted(peer.to_canonical(), trusted));
}

/// Returns whether an address is in one of the networks. An IPv4 address also matches networks that
/// are written in IPv4-mapped form.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let mapped = match address {
        IpAddr::V4(address) => Some(IpAddr::V6(address.to_ipv6_mapped())),
        IpAddr::V6(_) => None,
    };
    trusted
        .iter()
        .any(|network| network.contains(&address) || mapped.is_some_and(|it| network.contains(&it)))
}

/// Parses an address with an optional port; IPv6 with or without brackets and zone.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let Some((address, rest)) = entry.split_once('%') else {
        return parse_without_zone(entry);
    };
    let (zone, rest) = rest.split_at(rest.find(']').unwrap_or(rest.len()));
    let address = parse_without_zone(&format!("{address}{rest}"))?;
    (is_zone(zone) && address.is_ipv6()).then_some(address)
}

fn parse_without_zone(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse() {
        return Some(address);
    }
    if let Ok(socket) = entry.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let address = entry.strip_prefix('[')?.strip_suffix(']')?;
    address.parse().ok().map(IpAddr::V6)
}

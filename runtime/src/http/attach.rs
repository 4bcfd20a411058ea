//! Takes a stream out of hyper and hands it to the hub.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Once;

use hyper::rt::{Read, Write};
use hyper::upgrade::Upgraded;
use hyper_util::server::conn::auto::upgrade::downcast;
use switchboard_core::{Admission, Request};

use super::stream::HyperStream;
use crate::accept::upgraded as arrival;
use crate::hub::Hub;
use crate::listen::Listen;
use crate::net::{AnySocket, PolledSocket};
use crate::shield::warn;

/// How hyper is given the TCP streams of a runtime.
pub trait HyperIo: Listen {
    /// The adapter of a TCP stream.
    type Io: Read + Write + Unpin + Send + 'static;

    /// Returns the TCP stream and its peer's address.
    ///
    /// # Errors
    ///
    /// Fails if the stream is not connected or cannot be configured.
    fn into_socket(io: Self::Io) -> io::Result<(AnySocket, IpAddr)>;
}

/// Hands the hub a stream that hyper has upgraded. `peer` overrides the address of a TCP stream, and is
/// needed for every other one.
pub(super) fn attach<R: HyperIo>(
    hub: &Hub,
    upgraded: Upgraded,
    peer: Option<IpAddr>,
    request: Request,
    admission: Option<Admission>,
) -> io::Result<()> {
    let (io, early) = match direct::<R>(upgraded) {
        Ok(direct) => direct,
        Err(upgraded) => {
            let socket = AnySocket::new(PolledSocket::new(HyperStream(upgraded)));
            let peer = peer.unwrap_or_else(unknown);
            return hub.attach::<R>(socket, peer, arrival(request, admission), Vec::new());
        }
    };
    let (socket, address) = R::into_socket(io)?;
    let peer = peer.unwrap_or(address);
    hub.attach::<R>(socket, peer, arrival(request, admission), early)
}

/// Returns the stream beneath hyper, and the bytes that hyper has read from it already, if it is a TCP
/// stream. `auto` wraps it in its own type.
fn direct<R: HyperIo>(upgraded: Upgraded) -> Result<(R::Io, Vec<u8>), Upgraded> {
    match downcast::<R::Io>(upgraded) {
        Ok(parts) => Ok((parts.io, parts.read_buf.to_vec())),
        Err(upgraded) => upgraded
            .downcast::<R::Io>()
            .map(|parts| (parts.io, parts.read_buf.to_vec())),
    }
}

/// The limits of one address then apply to all such clients together, which is logged once.
pub(super) fn unknown() -> IpAddr {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        warn!(
            "the addresses of clients are unknown, and all count as one: set `Upgrade::peer`, \
             or serve with `into_make_service_with_connect_info::<SocketAddr>()`"
        );
    });
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

//! TCP without epoll: each socket is registered with the reactor, like any other stream.

use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll, ready};

use switchboard_runtime::{AnySocket, PolledSocket, SelfWaking};
use tokio::net::{TcpListener, TcpStream};

use crate::socket::Polled;

pub(crate) type Acceptor = TcpListener;
pub(crate) type Sockets = SelfWaking;

#[allow(clippy::unnecessary_wraps)] // Fallible on Linux.
pub(crate) fn sockets() -> io::Result<Sockets> {
    Ok(SelfWaking)
}

#[allow(clippy::unnecessary_wraps)]
pub(crate) fn acceptor(listener: TcpListener, _: usize) -> io::Result<Acceptor> {
    Ok(listener)
}

pub(crate) fn poll_accept(
    acceptor: &Acceptor,
    context: &mut Context<'_>,
) -> Poll<io::Result<(AnySocket, IpAddr)>> {
    loop {
        let (stream, _) = ready!(acceptor.poll_accept(context))?;
        // Skip a peer that has gone already; the listener still works.
        if let Ok(accepted) = socket(stream) {
            return Poll::Ready(Ok(accepted));
        }
    }
}

pub(crate) fn socket(stream: TcpStream) -> io::Result<(AnySocket, IpAddr)> {
    let peer = stream.peer_addr()?.ip();
    stream.set_nodelay(true)?;
    Ok((AnySocket::new(PolledSocket::new(Polled(stream))), peer))
}

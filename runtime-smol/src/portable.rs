//! TCP without epoll: each socket is registered with the reactor, like any other stream.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use smol::Async;
use smol::net::{TcpListener, TcpStream};
use switchboard_runtime::{AnySocket, PolledSocket, SelfWaking};

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
    let listener: Arc<Async<std::net::TcpListener>> = acceptor.clone().into();
    loop {
        match listener.get_ref().accept() {
            Ok((stream, _)) => {
                // Skip a peer that has gone already; the listener still works.
                if let Ok(accepted) = socket(Async::new(stream)?.into()) {
                    return Poll::Ready(Ok(accepted));
                }
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
        ready!(listener.poll_readable(context))?;
    }
}

pub(crate) fn socket(stream: TcpStream) -> io::Result<(AnySocket, IpAddr)> {
    let peer = stream.peer_addr()?.ip();
    stream.set_nodelay(true)?;
    Ok((AnySocket::new(PolledSocket::new(Polled(stream))), peer))
}

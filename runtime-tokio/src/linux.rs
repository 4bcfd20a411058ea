//! TCP on Linux: sockets in the epoll set of their event loop.

use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};

use switchboard_runtime::AnySocket;
use switchboard_runtime::epoll;
use tokio::net::{TcpListener, TcpStream};

use crate::watch::Watched;

pub(crate) type Acceptor = epoll::Acceptor<Watched>;
pub(crate) type Sockets = epoll::EpollSet<Watched>;

pub(crate) fn sockets() -> io::Result<Sockets> {
    Sockets::new()
}

pub(crate) fn acceptor(listener: TcpListener, unsent_bytes: usize) -> io::Result<Acceptor> {
    Acceptor::new(listener.into_std()?.into(), unsent_bytes)
}

pub(crate) fn poll_accept(
    acceptor: &Acceptor,
    context: &mut Context<'_>,
) -> Poll<io::Result<(AnySocket, IpAddr)>> {
    acceptor.poll_accept(context)
}

pub(crate) fn socket(stream: TcpStream) -> io::Result<(AnySocket, IpAddr)> {
    epoll::socket(stream.into_std()?)
}

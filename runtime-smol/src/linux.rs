//! TCP streams in the epoll set of their event loop.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use smol::net::{TcpListener, TcpStream};
use switchboard_runtime::AnySocket;
use switchboard_runtime::epoll;

use crate::watch::Watched;

pub(crate) type Acceptor = epoll::Acceptor<Watched>;
pub(crate) type Sockets = epoll::EpollSet<Watched>;

pub(crate) fn sockets() -> io::Result<Sockets> {
    Sockets::new()
}

pub(crate) fn acceptor(listener: TcpListener) -> io::Result<Acceptor> {
    // The listener may be shared: a descriptor of our own is watched for us alone.
    Acceptor::new(listener.as_fd().try_clone_to_owned()?)
}

pub(crate) fn poll_accept(
    acceptor: &Acceptor,
    context: &mut Context<'_>,
) -> Poll<io::Result<(AnySocket, IpAddr)>> {
    acceptor.poll_accept(context)
}

pub(crate) fn socket(stream: TcpStream) -> io::Result<(AnySocket, IpAddr)> {
    epoll::socket(stream.as_fd().try_clone_to_owned()?.into())
}

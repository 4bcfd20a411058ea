//! TCP on Linux: sockets in the epoll set of their event loop.

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

#[allow(clippy::needless_pass_by_value)] // The portable version keeps it.
pub(crate) fn acceptor(listener: TcpListener, unsent_bytes: usize) -> io::Result<Acceptor> {
    // The listener may be shared, so register a descriptor of our own.
    Acceptor::new(listener.as_fd().try_clone_to_owned()?, unsent_bytes)
}

pub(crate) fn poll_accept(
    acceptor: &Acceptor,
    context: &mut Context<'_>,
) -> Poll<io::Result<(AnySocket, IpAddr)>> {
    acceptor.poll_accept(context)
}

#[allow(clippy::needless_pass_by_value)]
pub(crate) fn socket(stream: TcpStream) -> io::Result<(AnySocket, IpAddr)> {
    epoll::socket(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;

    #[test]
    fn those_who_wait_are_accepted_without_a_look_at_the_reactor_for_each() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let peers = [0; 3].map(|_| std::net::TcpStream::connect(address).unwrap());
        let acceptor = acceptor(smol::Async::new(listener).unwrap().into(), 1 << 16).unwrap();
        smol::block_on(poll_fn(|context| poll_accept(&acceptor, context))).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 1..peers.len() {
            assert!(poll_accept(&acceptor, &mut context).is_ready());
        }
        assert!(poll_accept(&acceptor, &mut context).is_pending());
    }
}

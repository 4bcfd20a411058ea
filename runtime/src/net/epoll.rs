//! TCP on Linux: each event loop has one epoll set, which is all that the runtime's reactor sees. An
//! idle connection costs the runtime no task, no timer and no reactor entry.
//!
//! Sockets are edge-triggered: their readiness is kept until a short read or a blocked write clears it.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with, sockopt};

use super::any::AnySocket;
use super::sockets::Sockets;
use super::tcp::{HUNG_UP, READABLE, Tcp, WRITABLE, limit_unsent};
use super::token::{Readiness, SocketToken};

/// Maximum number of events per poll.
const EVENTS: usize = 256;

/// A file descriptor registered with the runtime's reactor.
pub trait Watch: Sized + Send + Sync + 'static {
    /// Registers a descriptor with the current runtime.
    ///
    /// # Errors
    ///
    /// Fails if the reactor cannot watch it.
    fn new(fd: OwnedFd) -> io::Result<Self>;

    /// Returns the descriptor.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Waits until the descriptor is readable, then calls `look` once. `look` returns whether there may be
    /// more.
    fn poll_look(
        &self,
        context: &mut Context<'_>,
        look: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<bool>,
    ) -> Poll<io::Result<()>>;
}

/// Wraps a stream, makes it non-blocking, sets `TCP_NODELAY`, and returns its peer's address.
///
/// # Errors
///
/// The stream is not connected, or cannot be configured.
pub fn socket(stream: TcpStream) -> io::Result<(AnySocket, IpAddr)> {
    let peer = stream.peer_addr()?.ip();
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok((AnySocket::tcp(Tcp::new(stream)), peer))
}

/// A listener registered with the runtime's reactor.
#[derive(Debug)]
pub struct Acceptor<W> {
    listener: W,
    /// No stream waits that had connected before the listener was prepared, so all inherit its options.
    inherits: AtomicBool,
}

impl<W: Watch> Acceptor<W> {
    /// Takes over a listener. Of each stream that it accepts, the kernel holds at most `unsent_bytes` that
    /// are not sent yet.
    ///
    /// # Errors
    ///
    /// Fails if the listener cannot be watched.
    pub fn new(listener: OwnedFd, unsent_bytes: usize) -> io::Result<Self> {
        prepare(&listener, unsent_bytes)?;
        Ok(Self {
            listener: W::new(listener)?,
            inherits: AtomicBool::new(false),
        })
    }

    /// Accepts the next connection, with `TCP_NODELAY` set, and returns its peer's address.
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(AnySocket, IpAddr)>> {
        let mut accepted = None;
        loop {
            let polled = self.listener.poll_look(context, &mut |listener| {
                accepted = accept(listener);
                Ok(accepted.is_some())
            });
            match (accepted.take(), polled) {
                (Some(accepted), _) => {
                    return Poll::Ready(accepted.map(|(stream, peer)| (self.wrap(stream), peer)));
                }
                (None, Poll::Pending) => return Poll::Pending,
                (None, Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                (None, Poll::Ready(Ok(()))) => self.inherits.store(true, Ordering::Relaxed),
            }
        }
    }

    fn wrap(&self, stream: TcpStream) -> AnySocket {
        AnySocket::tcp(if self.inherits.load(Ordering::Relaxed) {
            Tcp::limited(stream)
        } else {
            // It fails if the peer has gone, which a read will report.
            let _ = stream.set_nodelay(true);
            Tcp::new(stream)
        })
    }
}

/// Sets options that accepted streams are to have. On Linux, those that connect from now on inherit them,
/// which saves a system call or two for each.
fn prepare(listener: &OwnedFd, unsent_bytes: usize) -> io::Result<()> {
    rustix::io::ioctl_fionbio(listener, true)?;
    limit_unsent(listener, unsent_bytes);
    Ok(sockopt::set_tcp_nodelay(listener, true)?)
}

/// Accepts one connection; `None` if there is none.
fn accept(listener: BorrowedFd<'_>) -> Option<io::Result<(TcpStream, IpAddr)>> {
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        return match acceptfrom_with(listener, flags) {
            Ok((fd, Some(address))) => match SocketAddr::try_from(address) {
                Ok(peer) => Some(Ok((fd.into(), peer.ip()))),
                Err(error) => Some(Err(error.into())),
            },
            // The peer has gone already.
            Ok((_, None)) | Err(Errno::INTR | Errno::CONNABORTED) => continue,
            Err(Errno::AGAIN) => None,
            Err(error) => Some(Err(error.into())),
        };
    }
}

/// The epoll set of one event loop.
#[derive(Debug)]
pub struct EpollSet<W>(W);

impl<W: Watch> EpollSet<W> {
    /// Creates an empty set.
    ///
    /// # Errors
    ///
    /// Fails if the process has too many files open, or outside of a runtime.
    pub fn new() -> io::Result<Self> {
        W::new(epoll::create(CreateFlags::CLOEXEC)?).map(Self)
    }
}

impl<W: Watch> Sockets for EpollSet<W> {
    fn add(&mut self, socket: &AnySocket, token: SocketToken) -> io::Result<()> {
        let Some(socket) = socket.as_tcp() else {
            return Ok(());
        };
        let data = EventData::new_u64(token.to_bits());
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(self.0.fd(), &socket.stream, data, flags)?)
    }

    fn watch_writes(&mut self, socket: &AnySocket, token: SocketToken) -> io::Result<()> {
        let Some(socket) = socket.as_tcp() else {
            return Ok(());
        };
        let data = EventData::new_u64(token.to_bits());
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::modify(self.0.fd(), &socket.stream, data, flags)?)
    }

    fn look(&mut self, ready: &mut Vec<(SocketToken, Readiness)>) -> io::Result<bool> {
        look(self.0.fd(), ready)
    }

    fn poll_look(
        &mut self,
        context: &mut Context<'_>,
        ready: &mut Vec<(SocketToken, Readiness)>,
    ) -> Poll<io::Result<bool>> {
        let mut more = false;
        self.0
            .poll_look(context, &mut |set| {
                more = look(set, ready)?;
                Ok(more)
            })
            .map_ok(|()| more)
    }
}

fn look(set: BorrowedFd<'_>, ready: &mut Vec<(SocketToken, Readiness)>) -> io::Result<bool> {
    let mut room = [MaybeUninit::<Event>::uninit(); EVENTS];
    let at_once = Timespec::default();
    let events = match epoll::wait(set, &mut room, Some(&at_once)) {
        Ok((events, _)) => events,
        Err(Errno::INTR) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let more = events.len() == EVENTS;
    ready.extend(events.iter().map(|event| {
        let (data, flags) = (event.data, event.flags);
        (SocketToken::from_bits(data.u64()), readiness(flags))
    }));
    Ok(more)
}

fn readiness(flags: EventFlags) -> Readiness {
    let mut bits = 0;
    let end = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
    if flags.intersects(EventFlags::IN | end) {
        bits |= READABLE;
    }
    if flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR) {
        bits |= WRITABLE;
    }
    if flags.intersects(end) {
        bits |= HUNG_UP;
    }
    Readiness(bits)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::fd::AsFd;
    use std::task::Waker;

    use rustix::net::{RecvFlags, recv};
    use socket2::SockRef;

    use super::*;

    /// Always ready, until a look finds nothing.
    struct Looked {
        fd: OwnedFd,
        drained: AtomicBool,
    }

    impl Watch for Looked {
        fn new(fd: OwnedFd) -> io::Result<Self> {
            let drained = AtomicBool::new(false);
            Ok(Self { fd, drained })
        }

        fn fd(&self) -> BorrowedFd<'_> {
            self.fd.as_fd()
        }

        fn poll_look(
            &self,
            _: &mut Context<'_>,
            look: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<bool>,
        ) -> Poll<io::Result<()>> {
            if self.drained.swap(false, Ordering::Relaxed) {
                return Poll::Pending;
            }
            self.drained.store(!look(self.fd())?, Ordering::Relaxed);
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn who_is_accepted_has_no_delay_and_does_not_block() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let listener = OwnedFd::from(listener);
        prepare(&listener, 4_321).expect("a listener");
        assert!(accept(listener.as_fd()).is_none());
        let _client = TcpStream::connect(address).expect("a connection");
        let (stream, peer) = accept(listener.as_fd())
            .expect("somebody")
            .expect("a stream");
        assert!(stream.nodelay().expect("an option"));
        let limit = SockRef::from(&stream).tcp_notsent_lowat();
        assert_eq!(limit.expect("an option"), 4_321);
        assert_eq!(peer, Ipv4Addr::LOCALHOST);
        let empty = recv(&stream, &mut [0; 1][..], RecvFlags::empty());
        assert_eq!(empty.map(|(bytes, _)| bytes), Err(Errno::AGAIN));
    }

    #[test]
    fn who_connected_before_the_listener_was_prepared_has_the_same_options() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let connect = || TcpStream::connect(address).expect("a connection");
        let mut clients = vec![connect()];
        let acceptor = Acceptor::<Looked>::new(listener.into(), 4_321).expect("a listener");
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            let Poll::Ready(Ok((socket, _))) = acceptor.poll_accept(&mut context) else {
                panic!("somebody has connected");
            };
            socket.limit_unsent(4_321);
            let stream = &socket.as_tcp().expect("it is watched").stream;
            assert!(stream.nodelay().expect("an option"));
            let limit = SockRef::from(stream).tcp_notsent_lowat();
            assert_eq!(limit.expect("an option"), 4_321);
            assert!(acceptor.poll_accept(&mut context).is_pending());
            clients.push(connect());
        }
    }
}

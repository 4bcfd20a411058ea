//! A socket of either kind: TCP that an epoll set watches, or anything else.

use std::fmt;
use std::io;
#[cfg(feature = "tls")]
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(feature = "tls")]
use rustls::ServerConfig;

use super::socket::Socket;
#[cfg(target_os = "linux")]
use super::tcp::Tcp;
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::token::Readiness;
#[cfg(feature = "tls")]
use crate::sync::Arc;

/// A type-erased [`Socket`].
pub struct AnySocket(Kind);

enum Kind {
    /// A socket in an epoll set. The usual kind, so it is stored inline.
    #[cfg(target_os = "linux")]
    Tcp(Tcp),
    #[cfg(feature = "tls")]
    Tls(Box<Tls<AnySocket>>),
    // In two boxes, so that this kind is not larger than the usual one.
    Other(Box<Box<dyn Socket>>),
}

// There is one per connection.
#[cfg(not(test))]
const _: () = assert!(size_of::<AnySocket>() <= 16);

impl AnySocket {
    /// Wraps a socket that wakes its task by itself.
    pub fn new(socket: impl Socket) -> Self {
        Self(Kind::Other(Box::new(Box::new(socket))))
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn tcp(socket: Tcp) -> Self {
        Self(Kind::Tcp(socket))
    }

    /// Begins a TLS session over the socket.
    #[cfg(feature = "tls")]
    pub(crate) fn secured(self, peer: IpAddr, config: Arc<ServerConfig>) -> io::Result<Self> {
        Tls::new(self, peer, config).map(|tls| Self(Kind::Tls(Box::new(tls))))
    }

    /// Returns the socket if it is one in an epoll set.
    #[cfg(target_os = "linux")]
    pub(crate) fn as_tcp(&self) -> Option<&Tcp> {
        match &self.0 {
            Kind::Tcp(socket) => Some(socket),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.socket().as_tcp(),
            Kind::Other(_) => None,
        }
    }

    /// Limits the unsent bytes that the kernel holds. No effect on other kinds of sockets.
    pub(crate) fn limit_unsent(&self, bytes: usize) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket.limit_unsent(bytes),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.socket().limit_unsent(bytes),
            Kind::Other(_) => {
                let _ = bytes;
            }
        }
    }

    /// Limits the time for which sent data may stay unacknowledged. No effect on other kinds of
    /// sockets.
    pub(crate) fn limit_unacknowledged(&self, time: Duration) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket.limit_unacknowledged(time),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.socket().limit_unacknowledged(time),
            Kind::Other(_) => {
                let _ = time;
            }
        }
    }

    /// Records readiness. No effect on other kinds of sockets, which track it themselves.
    pub(crate) fn note(&self, readiness: Readiness) {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket.note(readiness),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.socket().note(readiness),
            Kind::Other(_) => {
                let _ = readiness;
            }
        }
    }

    /// Returns whether the task has to wait until the underlying socket accepts bytes that were already
    /// written.
    pub(crate) fn has_unsent(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.has_unsent(),
            // The kernel has it, or whoever drives the stream.
            _ => false,
        }
    }

    /// Reads a word of the socket, so that it is in the processor's cache.
    pub(crate) fn fetch(&self) -> u64 {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket.fetch(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.socket().fetch(),
            Kind::Other(_) => 0,
        }
    }

    fn socket(&self) -> &dyn Socket {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Tcp(socket) => socket,
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => &**tls,
            Kind::Other(socket) => &***socket,
        }
    }
}

impl fmt::Debug for AnySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnySocket").finish_non_exhaustive()
    }
}

/// Takes the place of a socket that has been closed.
pub(crate) struct NoSocket;

impl Socket for NoSocket {
    fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn try_write(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for AnySocket {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.socket().poll_read(context, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket().try_write(bytes)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_writable(context)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.socket().shutdown_write()
    }

    fn drive_writes(&self, context: &mut Context<'_>) {
        self.socket().drive_writes(context);
    }
}

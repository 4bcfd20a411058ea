//! A TCP stream that an epoll set watches, edge-triggered. The readiness that the set has reported is
//! kept here until a short read or a blocked write clears it.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::SockRef;

use super::socket::Socket;
use super::token::Readiness;
use crate::sync::atomic::{AtomicU8, Ordering};

/// There is input, or the end of it.
pub(super) const READABLE: u8 = 1;
/// The socket accepts bytes.
pub(super) const WRITABLE: u8 = 2;
/// The peer has closed its side, so no further edge announces unread input.
pub(super) const HUNG_UP: u8 = 4;

/// A TCP stream in an epoll set.
#[derive(Debug)]
pub(crate) struct Tcp {
    pub(super) stream: TcpStream,
    ready: AtomicU8,
    /// Whether the stream has inherited a limit of its unsent bytes.
    limited: bool,
}

impl Tcp {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            ready: AtomicU8::new(0),
            limited: false,
        }
    }

    /// Wraps a stream that has inherited the limit of its unsent bytes from its listener.
    pub(super) fn limited(stream: TcpStream) -> Self {
        Self {
            limited: true,
            ..Self::new(stream)
        }
    }

    /// Limits the unsent bytes that the kernel holds, unless its listener has done so.
    pub(crate) fn limit_unsent(&self, bytes: usize) {
        if !self.limited {
            limit_unsent(&self.stream, bytes);
        }
    }

    /// Makes the kernel end the stream if the peer does not acknowledge sent data for this long, or
    /// accepts nothing for as long.
    pub(crate) fn limit_unacknowledged(&self, time: Duration) {
        let _ = SockRef::from(&self.stream).set_tcp_user_timeout(Some(time));
    }

    pub(crate) const fn fetch(&self) -> u64 {
        self.limited as u64
    }

    pub(crate) fn note(&self, readiness: Readiness) {
        self.ready.fetch_or(readiness.0, Ordering::Relaxed);
    }

    fn has(&self, bits: u8) -> bool {
        self.ready.load(Ordering::Relaxed) & bits != 0
    }

    fn forget(&self, bits: u8) {
        self.ready.fetch_and(!bits, Ordering::Relaxed);
    }
}

/// Limits the unsent bytes that the kernel holds of a socket. If the option is not supported, only the send
/// buffer bounds them.
pub(super) fn limit_unsent(socket: &impl AsFd, bytes: usize) {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(bytes);
}

impl Socket for Tcp {
    fn poll_read(&self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.has(READABLE | HUNG_UP) {
            return Poll::Pending;
        }
        let length = buffer.len();
        match recv(&self.stream, buffer, RecvFlags::empty()) {
            Ok((bytes, _)) => {
                // Any further input triggers an edge.
                if bytes < length {
                    self.forget(READABLE);
                }
                Poll::Ready(Ok(bytes))
            }
            Err(Errno::AGAIN) => {
                self.forget(READABLE);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    // Writes dominate the cost of a delivery, so this bypasses libc, whose `send` is a cancellation point;
    // that shows in profiles.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.stream, bytes, SendFlags::NOSIGNAL)?)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // This may be an edge from before the blocked write. The retry then blocks, too, and the next edge
        // comes after it.
        if self.has(WRITABLE) {
            self.forget(WRITABLE);
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

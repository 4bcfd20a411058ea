//! A file descriptor in smol's reactor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use smol::Async;
use switchboard_runtime::epoll::Watch;

/// A file descriptor registered with smol's reactor.
#[derive(Debug)]
pub struct Watched {
    fd: Async<OwnedFd>,
    /// The last call reported that there may be more, so the next one does not wait.
    more: AtomicBool,
}

impl Watch for Watched {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            fd: Async::new_nonblocking(fd)?,
            more: AtomicBool::new(false),
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn poll_look(
        &self,
        context: &mut Context<'_>,
        look: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<bool>,
    ) -> Poll<io::Result<()>> {
        if !self.more.swap(false, Ordering::Relaxed) {
            ready!(self.fd.poll_readable(context))?;
        }
        let more = look(self.fd.as_fd())?;
        self.more.store(more, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

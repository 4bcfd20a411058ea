//! A file descriptor in tokio's reactor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use switchboard_runtime::epoll::Watch;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A file descriptor registered with tokio's reactor.
#[derive(Debug)]
pub struct Watched(AsyncFd<OwnedFd>);

impl Watch for Watched {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        // Deprecated because a type might return varying descriptors. An `OwnedFd` does not, and the
        // replacement is `unsafe`.
        #[allow(deprecated)]
        AsyncFd::with_interest(fd, Interest::READABLE).map(Self)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn poll_look(
        &self,
        context: &mut Context<'_>,
        look: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<bool>,
    ) -> Poll<io::Result<()>> {
        let mut guard = ready!(self.0.poll_read_ready(context))?;
        if !look(self.0.as_fd())? {
            guard.clear_ready();
        }
        Poll::Ready(Ok(()))
    }
}

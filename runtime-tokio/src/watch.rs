//! One file descriptor in tokio's reactor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use switchboard_runtime::epoll::Watch;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A file descriptor that tokio waits for.
#[derive(Debug)]
pub struct Watched(AsyncFd<OwnedFd>);

impl Watch for Watched {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        // Deprecated, because it cannot know of every type that its descriptor stays the same. That of
        // an `OwnedFd` does, and what is to replace it is unsafe to call.
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

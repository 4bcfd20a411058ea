//! One file descriptor in smol's reactor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use smol::Async;
use switchboard_runtime::epoll::Watch;

/// A file descriptor that smol waits for.
#[derive(Debug)]
pub struct Watched(Async<OwnedFd>);

impl Watch for Watched {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Async::new_nonblocking(fd).map(Self)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn poll_look(
        &self,
        context: &mut Context<'_>,
        look: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<bool>,
    ) -> Poll<io::Result<()>> {
        // What is still there is told of at once when it is asked for again.
        ready!(self.0.poll_readable(context))?;
        look(self.0.as_fd())?;
        Poll::Ready(Ok(()))
    }
}

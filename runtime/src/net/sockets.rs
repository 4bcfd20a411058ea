//! How an event loop hears of its sockets.

use std::io;
use std::task::{Context, Poll};

use super::any::AnySocket;
use super::token::{Readiness, SocketToken};

/// The sockets of one event loop, as the operating system or somebody else watches them.
pub trait Sockets: Send + 'static {
    /// Watches one more: from now on `token` is told of when there is something to do.
    fn add(&mut self, socket: &AnySocket, token: SocketToken) -> io::Result<()>;

    /// Tells of it also when it takes bytes again.
    fn watch_writes(&mut self, socket: &AnySocket, token: SocketToken) -> io::Result<()>;

    /// Looks for sockets with something to do, without waiting; says whether there may be more.
    fn look(&mut self, ready: &mut Vec<(SocketToken, Readiness)>) -> io::Result<bool>;

    /// Waits until it is worth to look, and looks.
    fn poll_look(
        &mut self,
        context: &mut Context<'_>,
        ready: &mut Vec<(SocketToken, Readiness)>,
    ) -> Poll<io::Result<bool>>;
}

/// Sockets that wake their tasks by themselves: nothing is to be watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelfWaking;

impl Sockets for SelfWaking {
    fn add(&mut self, _: &AnySocket, _: SocketToken) -> io::Result<()> {
        Ok(())
    }

    fn watch_writes(&mut self, _: &AnySocket, _: SocketToken) -> io::Result<()> {
        Ok(())
    }

    fn look(&mut self, _: &mut Vec<(SocketToken, Readiness)>) -> io::Result<bool> {
        Ok(false)
    }

    fn poll_look(
        &mut self,
        _: &mut Context<'_>,
        _: &mut Vec<(SocketToken, Readiness)>,
    ) -> Poll<io::Result<bool>> {
        Poll::Pending
    }
}

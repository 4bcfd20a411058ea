//! How an event loop learns which sockets are ready.

use std::io;
use std::task::{Context, Poll};

use super::any::AnySocket;
use super::token::{Readiness, SocketToken};

/// The set of sockets that one event loop watches.
pub trait Sockets: Send + 'static {
    /// Adds a socket. From now on its readiness is reported with `token`.
    ///
    /// # Errors
    ///
    /// The connection is reset if its socket cannot be watched.
    fn add(&mut self, socket: &AnySocket, token: SocketToken) -> io::Result<()>;

    /// Also reports when the socket becomes writable.
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add).
    fn watch_writes(&mut self, socket: &AnySocket, token: SocketToken) -> io::Result<()>;

    /// Collects ready sockets without waiting. Returns whether there may be more.
    ///
    /// # Errors
    ///
    /// The error is logged, and the loop takes its next turn.
    fn look(&mut self, ready: &mut Vec<(SocketToken, Readiness)>) -> io::Result<bool>;

    /// Waits until sockets may be ready, then collects them. Returns whether there may be more.
    fn poll_look(
        &mut self,
        context: &mut Context<'_>,
        ready: &mut Vec<(SocketToken, Readiness)>,
    ) -> Poll<io::Result<bool>>;
}

/// An empty implementation for sockets that wake their tasks by themselves.
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

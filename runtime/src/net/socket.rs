//! What a stream has to be able to do.

use std::io;
use std::task::{Context, Poll};

/// A stream that its connection's task reads, and that any thread writes.
pub trait Socket: Send + Sync + 'static {
    /// Reads into `buffer`. 0 means the end of the stream. Called only by the connection's task.
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as the stream accepts now. Called from any thread,
    /// but never concurrently.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the stream accepts nothing now. Any other error ends the connection.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Completes when a write may be retried. Called only by the connection's task.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Shuts down the write side. The read side stays open.
    ///
    /// # Errors
    ///
    /// Errors are ignored: the read side detects a lost peer.
    fn shutdown_write(&self) -> io::Result<()>;

    /// Drives writes that the stream has accepted but not sent. Called whenever the connection's task is
    /// polled, also while it does not read. Not needed if accepted bytes are sent without further calls.
    fn drive_writes(&self, context: &mut Context<'_>) {
        let _ = context;
    }
}

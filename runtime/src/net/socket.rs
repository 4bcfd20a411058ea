//! What a stream has to be able to do.

use std::io;
use std::task::{Context, Poll};

/// A stream that one task reads, and that whoever holds the turn writes.
pub trait Socket: Send + Sync + 'static {
    /// Reads into `buffer`; 0 is the end. Only the connection's own task calls this.
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes what the stream takes now; `WouldBlock` if that is nothing. Called from any thread,
    /// by one at a time.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether it is worth trying to write. Only the connection's own task calls this.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the write side; the read side goes on.
    fn shutdown_write(&self) -> io::Result<()>;

    /// Goes on with what the stream has taken but not sent. The connection's own task calls this
    /// whenever it is polled, also while it does not read. Nothing to do where bytes that were taken
    /// are sent without further calls.
    fn drive_writes(&self, context: &mut Context<'_>) {
        let _ = context;
    }
}

//! A stream within the process: the hub's end is one of its sockets, the other end is a request and the
//! response to it in an HTTP library.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::net::Stream;
use crate::shield::wake;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The capacity of each direction in bytes.
const CAPACITY: usize = 64 << 10;

/// Returns the two ends of a stream.
pub(super) fn pipe() -> (HubEnd, LibraryEnd) {
    let directions = Arc::new([Mutex::default(), Mutex::default()]);
    (HubEnd(directions.clone()), LibraryEnd(directions))
}

type Directions = Arc<[Mutex<Direction>; 2]>;

const TO_HUB: usize = 0;
const FROM_HUB: usize = 1;

/// One direction.
#[derive(Default)]
struct Direction {
    bytes: VecDeque<u8>,
    /// Nothing more is written, or nothing more read.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Direction {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        if self.bytes.is_empty() && !self.closed {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        // Memory can always be read.
        Poll::Ready(self.bytes.read(buffer).unwrap_or_default())
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(CAPACITY - self.bytes.len());
        if length == 0 && !bytes.is_empty() {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.bytes.extend(&bytes[..length]);
        Poll::Ready(Ok(length))
    }
}

fn lock(directions: &Directions, direction: usize) -> MutexGuard<'_, Direction> {
    directions[direction]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn read(
    directions: &Directions,
    direction: usize,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<usize> {
    let mut guard = lock(directions, direction);
    let read = guard.poll_read(context, buffer);
    let waits = guard.writer.take_if(|_| read.is_ready());
    drop(guard);
    waits.into_iter().for_each(wake);
    read
}

fn write(
    directions: &Directions,
    direction: usize,
    context: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    let mut guard = lock(directions, direction);
    let written = guard.poll_write(context, bytes);
    let waits = guard.reader.take_if(|_| written.is_ready());
    drop(guard);
    waits.into_iter().for_each(wake);
    written
}

fn close(directions: &Directions, direction: usize) {
    let mut guard = lock(directions, direction);
    guard.closed = true;
    let waits = [guard.reader.take(), guard.writer.take()];
    drop(guard);
    waits.into_iter().flatten().for_each(wake);
}

/// The end that the hub reads requests from and writes responses to.
pub(super) struct HubEnd(Directions);

impl Stream for HubEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        read(&self.0, TO_HUB, context, buffer).map(Ok)
    }

    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        write(&self.0, FROM_HUB, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.0, FROM_HUB);
        Poll::Ready(Ok(()))
    }
}

impl Drop for HubEnd {
    fn drop(&mut self) {
        close(&self.0, TO_HUB);
        close(&self.0, FROM_HUB);
    }
}

/// The other end.
pub(super) struct LibraryEnd(Directions);

impl LibraryEnd {
    /// Sends some of `bytes` to the hub.
    pub(super) fn poll_send(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        write(&self.0, TO_HUB, context, bytes)
    }

    /// Takes some of what the hub has written. 0 is the end.
    pub(super) fn poll_receive(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        read(&self.0, FROM_HUB, context, buffer)
    }
}

impl Drop for LibraryEnd {
    fn drop(&mut self) {
        close(&self.0, TO_HUB);
        close(&self.0, FROM_HUB);
    }
}

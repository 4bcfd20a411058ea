//! Writes what waits, outside the lock.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::task::Poll;

use switchboard_core::{Chunk, ConnectionId, Event, Frame};

use crate::runtime::Runtime;
use crate::shared::{DynLink, Shared};
use crate::socket::BLOCKED;
use crate::sync::Arc;

/// Connections that are written to before everything else gets its turn.
const TURN: usize = 32;
/// Bytes that are taken for one connection at a time.
const CHUNK: usize = 64 << 10;
/// Bytes of the buffer above which no further connection is taken in a turn.
const BUFFER: usize = 256 << 10;

/// One connection's share of a turn.
struct Share {
    id: ConnectionId,
    link: DynLink,
    what: What,
    outcome: io::Result<usize>,
}

enum What {
    Copied(Range<usize>),
    Shared(Frame, usize),
}

/// Takes turns until the hub is no more: waits for work, lets everything that is ready run first
/// so that what comes at the same time goes out together, takes some, writes it, reports.
pub(crate) async fn flush<R: Runtime>(shared: Arc<Shared>, index: usize) {
    let mut buffer = Vec::new();
    let mut turn = Vec::with_capacity(TURN);
    while !shared.is_closed() {
        wait(&shared, index).await;
        R::yield_now().await;
        while take_turn(&shared, &mut buffer, &mut turn, index) {
            R::yield_now().await;
        }
        if buffer.capacity() > CHUNK {
            buffer = Vec::new();
        }
    }
}

/// Writes what waits now, a turn of it: before an end that would discard it.
pub(crate) fn flush_now(shared: &Shared) {
    take_turn(shared, &mut Vec::new(), &mut Vec::new(), 0);
}

/// One turn; says whether there was anything to do.
fn take_turn(shared: &Shared, buffer: &mut Vec<u8>, turn: &mut Vec<Share>, index: usize) -> bool {
    let found = take(shared, buffer, turn, index);
    for share in turn.iter_mut() {
        let bytes = match &share.what {
            What::Copied(range) => &buffer[range.clone()],
            What::Shared(frame, from) => &frame.as_bytes()[*from..],
        };
        share.outcome = write(&share.link, bytes);
    }
    report(shared, turn);
    buffer.clear();
    found
}

async fn wait(shared: &Shared, index: usize) {
    poll_fn(|context| {
        if let Some(waker) = shared.flusher(index) {
            waker.register(context.waker());
        }
        if shared.is_closed() || shared.read(|switchboard, _| switchboard.wants_write()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Becomes the writer of some connections; says whether there are any.
fn take(shared: &Shared, buffer: &mut Vec<u8>, turn: &mut Vec<Share>, index: usize) -> bool {
    let more = shared.with(|locked, _| {
        while turn.len() < TURN && buffer.len() < BUFFER {
            let Some(id) = locked.switchboard.poll_send() else {
                break;
            };
            let Some(link) = locked.link(id) else {
                continue;
            };
            let start = buffer.len();
            let what = match locked.switchboard.transmit(id, buffer, CHUNK) {
                Chunk::Copied(bytes) => What::Copied(start..start + bytes),
                Chunk::Shared(frame, from) => What::Shared(frame, from),
                Chunk::Nothing => What::Copied(start..start),
            };
            turn.push(Share {
                id,
                link,
                what,
                outcome: Ok(0),
            });
        }
        locked.switchboard.wants_write()
    });
    if more && !turn.is_empty() {
        // There is work for another thread.
        shared.wake_flusher(index + 1);
    }
    !turn.is_empty()
}

/// Writes until all is out or the socket takes no more.
fn write(link: &DynLink, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match link.socket.try_write(&bytes[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

fn report(shared: &Shared, turn: &mut Vec<Share>) {
    shared.with(|locked, now| {
        for share in turn.iter() {
            let event = match share.outcome {
                Ok(written) => Event::Wrote(written),
                Err(_) => Event::Reset,
            };
            // A connection that went meanwhile is stale, and nobody's business any more.
            let _ = locked.switchboard.handle(now, share.id, event);
        }
    });
    for share in turn.drain(..) {
        let wanted = match &share.what {
            What::Copied(range) => range.len(),
            What::Shared(frame, from) => frame.as_bytes().len() - from,
        };
        if share.outcome.is_ok_and(|written| written < wanted) {
            share.link.signal(BLOCKED);
        }
    }
}

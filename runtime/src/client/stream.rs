//! The stream of a client's events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::events::Event;
use super::shared::Shared;

/// A stream of a client's events, in order: of all of them, or of those of a channel
/// ([`Client::events_of`](super::Client::events_of)). Ends after the last handle was dropped and every event
/// was taken. Once the stream is dropped, its events are discarded.
#[must_use = "streams do nothing unless polled"]
pub struct Events {
    pub(super) shared: Arc<Shared>,
    pub(super) key: u64,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// Returns the next event, or `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut locked = self.shared.lock();
        let ended = locked.ended;
        let Some(backlog) = locked.streams.backlog(self.key) else {
            unreachable!("a stream is open until it is dropped");
        };
        let before = match backlog.pop() {
            Some(event) => return Poll::Ready(Some(event)),
            None if ended => return Poll::Ready(None),
            None => backlog.register(context),
        };
        drop(locked);
        // Dropping the waker may drop a task, and with it a handle, which takes the lock.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Dropping the waker in it may drop a task, and with it a handle, which takes the lock.
        let waiting = self.shared.lock().streams.close(self.key);
        drop(waiting);
    }
}

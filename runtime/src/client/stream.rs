//! The stream of a client's events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::events::Event;
use super::shared::Shared;

/// The stream of a client's events, in order. Ends after the last handle was dropped and every event
/// was taken. Once the stream is dropped, events are discarded.
#[must_use = "streams do nothing unless polled"]
pub struct Events {
    pub(super) shared: Arc<Shared>,
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
        match locked.backlog.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if locked.ended => Poll::Ready(None),
            None => {
                locked.backlog.register(context);
                Poll::Pending
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let waiting = self.shared.lock().backlog.stop_listening();
        drop(waiting);
    }
}

//! The futures that the client's handle returns.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_channel::oneshot;
use switchboard_core::client::Failure;

use super::place::Place;

/// Waits until a channel is entered. Dropping this does not cancel the subscription.
#[derive(Debug)]
pub struct Subscribing {
    pub(super) done: Option<Result<(), Failure>>,
    pub(super) entered: oneshot::Receiver<Result<(), Failure>>,
}

impl Future for Subscribing {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(done) = self.done.take() {
            return Poll::Ready(done);
        }
        let entered = Pin::new(&mut self.entered).poll(context);
        entered.map(|entered| entered.unwrap_or(Err(Failure::Stopped)))
    }
}

/// Waits until the server was told of the close. Dropping this does not cancel the close.
pub struct Closing {
    pub(super) place: Place,
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}

impl Future for Closing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.place.poll_until(context, |locked, _| {
            (locked.is_quiet() || locked.ended).then_some(())
        })
    }
}

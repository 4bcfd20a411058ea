//! The listener's loop.

use std::future::{Future, IntoFuture};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use switchboard_core::response::PageResponse;
use switchboard_core::{DrainReport, Request};
use switchboard_runtime::Pages;
use tokio::net::TcpListener;
use tracing::warn;

use crate::Hub;

/// How long accepting rests after an error that others cause, such as too many open files.
const REST: Duration = Duration::from_millis(50);

/// A listener at work; await it.
#[must_use = "it does nothing unless awaited"]
pub struct Serve {
    listener: TcpListener,
    hub: Hub,
    pages: Option<Pages>,
}

/// Takes every connection of a listener into the hub, until the hub is drained.
pub fn serve(listener: TcpListener, hub: Hub) -> Serve {
    Serve { listener, hub, pages: None }
}

impl Serve {
    /// Answers requests that are no upgrade: a page, statistics, a health check.
    pub fn with_pages<F, A>(self, pages: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = PageResponse> + Send + 'static,
    {
        Self { pages: Some(Arc::new(move |request| Box::pin(pages(request)))), ..self }
    }

    async fn run(self) -> io::Result<DrainReport> {
        let Self { listener, hub, pages } = self;
        hub.start(&hub.runtime());
        let mut drained = pin!(hub.drained());
        loop {
            let accepted = std::future::poll_fn(|context| {
                if let Poll::Ready(report) = drained.as_mut().poll(context) {
                    return Poll::Ready(Err(report));
                }
                listener.poll_accept(context).map(Ok)
            });
            match accepted.await {
                Ok(Ok((stream, _))) => {
                    if let Err(error) = hub.accept_with(stream, Vec::new(), pages.clone()) {
                        // It was gone before it was taken.
                        tracing::debug!(%error, "not accepted");
                    }
                }
                Ok(Err(error)) => {
                    warn!(%error, "cannot accept");
                    tokio::time::sleep(REST).await;
                }
                Err(report) => return Ok(report),
            }
        }
    }
}

impl IntoFuture for Serve {
    type Output = io::Result<DrainReport>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

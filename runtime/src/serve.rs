//! The accept loop.

use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

#[cfg(feature = "tls")]
use rustls::ServerConfig;
use switchboard_core::response::PageResponse;
use switchboard_core::{DrainReport, Request};

use crate::argument::IntoListener;
use crate::driver;
use crate::hub::Hub;
use crate::listen::Listen;
#[cfg(feature = "tls")]
use crate::net::check_tls;
use crate::node::{Arrival, Pages};
use crate::runtime::{BoxFuture, Timer};
use crate::shield::warn;
use crate::sync::Arc;

/// Pause after an error of `accept`, such as too many open files.
const REST: Duration = Duration::from_millis(50);

/// Number of connections to accept before yielding.
const ACCEPTS: usize = 16;

/// # Serving a listener
impl Hub {
    /// Accepts all connections of `listener`, until the hub is drained.
    pub fn serve<L, R>(self, listener: L) -> Serve<R>
    where
        L: IntoListener<R>,
        R: Listen,
    {
        Serve {
            listener: listener.into_listener(),
            hub: self,
            pages: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// Accepts connections until the hub is drained. Created by [`Hub::serve`]; await it.
///
/// # Errors
///
/// Fails outside of a runtime, if no executor was set; if the listener cannot be used; and if the
/// runtime that drives the hub has shut down.
#[must_use = "`Serve` does nothing unless awaited"]
pub struct Serve<R: Listen> {
    listener: R::Listener,
    hub: Hub,
    pages: Option<Pages>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<ServerConfig>>,
}

impl<R: Listen> Serve<R> {
    /// Answers requests that are not upgrades, such as pages, statistics and health checks. Without this
    /// they get 404. HTTP/1.0 is accepted for them, because the health checks of some proxies use it.
    pub fn with_pages<F, A>(self, pages: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = PageResponse> + Send + 'static,
    {
        Self {
            pages: Some(Arc::new(move |request| Box::pin(pages(request)))),
            ..self
        }
    }

    /// Serves everything over TLS, pages too. The TLS handshake is part of the request: both together have
    /// `timeouts.handshake`, and hold a handshake seat.
    ///
    /// When awaited, it fails if rustls refuses the configuration, or if its `alpn_protocols` contain
    /// anything but `http/1.1`.
    #[cfg(feature = "tls")]
    pub fn with_tls(self, config: impl Into<Arc<ServerConfig>>) -> Self {
        Self {
            tls: Some(config.into()),
            ..self
        }
    }

    async fn run(self) -> io::Result<DrainReport> {
        #[cfg(feature = "tls")]
        let tls = self.tls;
        #[cfg(feature = "tls")]
        tls.as_ref().map_or(Ok(()), check_tls)?;
        let (listener, hub, pages) = (self.listener, self.hub, self.pages);
        let executor = hub.executor::<R>()?;
        driver::start::<R>(hub.host(), || Ok(executor.clone()))?;
        let unsent_bytes = hub.config().limits.unsent_bytes;
        let acceptor = R::acceptor(&executor, listener, unsent_bytes)?;
        let mut drained = pin!(hub.drained());
        let mut turn: usize = 0;
        loop {
            turn += 1;
            if turn.is_multiple_of(ACCEPTS) {
                R::yield_now().await;
            }
            let accepted = poll_fn(|context| match drained.as_mut().poll(context) {
                Poll::Ready(report) => Poll::Ready(Err(report)),
                Poll::Pending => R::poll_accept(&acceptor, context).map(Ok),
            });
            match accepted.await {
                Ok(Ok((socket, peer))) => {
                    #[cfg(feature = "tls")]
                    let socket = match &tls {
                        Some(config) => socket.secured(peer, config.clone())?,
                        None => socket,
                    };
                    hub.attach::<R>(socket, peer, Arrival::Fresh(pages.clone()), Vec::new())?;
                }
                Ok(Err(error)) => {
                    warn!(%error, "accept failed");
                    let mut rest = R::Timer::new(R::Timer::now() + REST);
                    poll_fn(|context| rest.poll(context)).await;
                }
                Err(report) => return Ok(report),
            }
        }
    }
}

impl<R: Listen> IntoFuture for Serve<R> {
    type Output = io::Result<DrainReport>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

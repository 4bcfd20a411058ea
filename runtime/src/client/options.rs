//! What can be set of a client.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::client::{Config, TokenReason};

use crate::runtime::BoxFuture;

/// What can be set of a client.
#[derive(Clone)]
pub struct Options {
    /// The ceiling of the random delay before coming back: the first (500 ms), ...
    pub backoff_min: Duration,
    /// ... the last (20 s), ...
    pub backoff_max: Duration,
    /// ... and what it grows by with each failure (2).
    pub backoff_factor: f64,
    /// How many attempts without a stable connection before giving up (0: no limit).
    pub max_attempts: u32,
    /// How long opening a connection may take (15 s): longer than a server gives its hook to answer.
    pub open_timeout: Duration,
    /// How long the server may take to answer a request, from when it was sent (10 s).
    /// [`Duration::MAX`]: as long as the connection lives.
    pub request_timeout: Duration,
    /// How much may wait for a connection. `None`: publishing fails while there is none.
    pub queue: Option<Queue>,
    /// Of the random delays. By default the operating system chooses.
    pub seed: Option<u32>,
    /// The largest message taken from the server, in bytes (1 MiB). A larger one ends the connection.
    pub max_message_bytes: usize,
    /// How many events wait for whoever reads them (1 024), ...
    pub max_events: usize,
    /// ... and how many bytes of messages (4 MiB). More are dropped, and counted: `Event::Lagged`.
    pub max_event_bytes: usize,
    /// Sends the token as `?token=` instead of a subprotocol: it will be in the logs of everything
    /// between.
    pub token_in_query: bool,
    /// How `wss://` is spoken. Without it, as by default, such an address is an error: which roots to
    /// trust, and by which cryptography, is the application's choice.
    #[cfg(feature = "client-tls")]
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Whom to ask for a token: before the first connection, after 4001 (once), and after 4202.
    pub token: Option<TokenSource>,
    /// How long it may take to answer (15 s); then it is asked again later.
    pub token_timeout: Duration,
}

/// Whom to ask for a token.
#[derive(Clone)]
pub struct TokenSource(Arc<Ask>);

type Ask = dyn Fn(TokenReason) -> BoxFuture<Result<String, NoToken>> + Send + Sync;

impl TokenSource {
    /// This function. If it panics, or does not answer within [`Options::token_timeout`], it is asked
    /// again later.
    pub fn new<F, A>(source: F) -> Self
    where
        F: Fn(TokenReason) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, NoToken>> + Send + 'static,
    {
        Self(Arc::new(move |reason| Box::pin(source(reason))))
    }

    pub(super) fn ask(&self, reason: TokenReason) -> BoxFuture<Result<String, NoToken>> {
        (self.0)(reason)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").finish_non_exhaustive()
    }
}

/// How much may wait for a connection, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Messages (100).
    pub count: usize,
    /// Bytes of them in all (256 KiB).
    pub bytes: usize,
    /// For how long (30 s).
    pub age: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        let Config {
            count, bytes, age, ..
        } = Config::default();
        Self { count, bytes, age }
    }
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoToken {
    /// Not now: the client comes back later and asks again.
    Failed,
    /// There is none to be had: the client stops.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        let config = Config::default();
        Self {
            backoff_min: config.min,
            backoff_max: config.max,
            backoff_factor: config.factor,
            max_attempts: config.attempts,
            open_timeout: config.open,
            request_timeout: config.request,
            queue: Some(Queue::default()),
            seed: None,
            max_message_bytes: 1 << 20,
            max_events: 1_024,
            max_event_bytes: 4 << 20,
            token_in_query: false,
            #[cfg(feature = "client-tls")]
            tls: None,
            token: None,
            token_timeout: Duration::from_secs(15),
        }
    }
}

impl Options {
    /// These options, with this function to ask for a token.
    #[must_use]
    pub fn with_token<F, A>(self, source: F) -> Self
    where
        F: Fn(TokenReason) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, NoToken>> + Send + 'static,
    {
        Self {
            token: Some(TokenSource::new(source)),
            ..self
        }
    }

    pub(super) fn config(&self, seed: u32) -> Config {
        let Queue { count, bytes, age } = self.queue.unwrap_or_default();
        Config {
            seed: self.seed.unwrap_or(seed),
            min: self.backoff_min,
            max: self.backoff_max,
            factor: self.backoff_factor,
            attempts: self.max_attempts,
            open: self.open_timeout,
            request: self.request_timeout,
            token: self.token.is_some(),
            queue: self.queue.is_some(),
            count,
            bytes,
            age,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("backoff_min", &self.backoff_min)
            .field("backoff_max", &self.backoff_max)
            .field("max_attempts", &self.max_attempts)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

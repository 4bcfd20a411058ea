//! The client's options.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::client::{MachineConfig, TokenReason};
use switchboard_core::protocol::Since;

use crate::runtime::BoxFuture;

/// Options of a client.
#[derive(Clone)]
pub struct Options {
    /// Initial ceiling of the random delay before a reconnect (500 ms).
    pub backoff_min: Duration,
    /// Maximum ceiling of that delay (20 s).
    pub backoff_max: Duration,
    /// Factor by which the ceiling grows with each failure (2).
    pub backoff_factor: f64,
    /// Number of attempts without a stable connection before giving up (0: unlimited).
    pub max_attempts: u32,
    /// Timeout for opening a connection (15 s). Should exceed the server's hook timeout (10 s).
    pub open_timeout: Duration,
    /// Timeout for the server's answer to a request, from when it was sent (10 s).
    /// [`Duration::MAX`]: as long as the connection lives.
    pub request_timeout: Duration,
    /// Bounds for messages that wait for a connection, and for those that are sent again after one was
    /// lost. `None`: publishing fails without a connection, and nothing is sent again.
    pub queue: Option<Queue>,
    /// Seed of the random delays. `None` uses the operating system's randomness.
    pub seed: Option<u32>,
    /// Size limit for a message of the server, in bytes (1 MiB). A larger one ends the connection.
    pub max_message_bytes: usize,
    /// Number of unread events that are kept (1 024).
    pub max_events: usize,
    /// Bytes of unread events that are kept (4 MiB). Further events are dropped, and counted in
    /// `Event::Lagged`.
    pub max_event_bytes: usize,
    /// Sends the token as `?token=` instead of in a subprotocol. It then appears in the logs of every
    /// proxy between.
    pub token_in_query: bool,
    /// The TLS configuration for `wss://`, which is an error without one (the default): trusted roots and
    /// the cryptography provider are the application's choice.
    #[cfg(feature = "client-tls")]
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The token source. Asked before the first connection, once after a close with 4001, after 4202, and
    /// before a token expires ([`Token::expires_in`]).
    pub token: Option<TokenSource>,
    /// Timeout for the token source (15 s). It is asked again later.
    pub token_timeout: Duration,
}

/// A token of the application.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(super) text: String,
    pub(super) expires_in: Option<Duration>,
}

impl Token {
    /// Sets the time from now until the token expires. The client requests a new one after three
    /// quarters of that time, and sends it on the open connection.
    #[must_use]
    pub fn expires_in(self, life: Duration) -> Self {
        Self {
            expires_in: Some(life),
            ..self
        }
    }
}

impl<T: Into<String>> From<T> for Token {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            expires_in: None,
        }
    }
}

/// Omits the text.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// A function that provides tokens.
#[derive(Clone)]
pub struct TokenSource(Arc<Ask>);

type Ask = dyn Fn(TokenReason) -> BoxFuture<Result<Token, NoToken>> + Send + Sync;

impl TokenSource {
    /// Wraps a function. If it panics, or does not answer within [`Options::token_timeout`], it is called
    /// again later.
    pub fn new<F, A>(source: F) -> Self
    where
        F: Fn(TokenReason) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, NoToken>> + Send + 'static,
    {
        Self(Arc::new(move |reason| {
            let answer = source(reason);
            Box::pin(async { answer.await.map(Token::from) })
        }))
    }

    /// Like [`new`](Self::new), for tokens that say when they expire.
    pub fn expiring<F, A>(source: F) -> Self
    where
        F: Fn(TokenReason) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Token, NoToken>> + Send + 'static,
    {
        Self(Arc::new(move |reason| Box::pin(source(reason))))
    }

    pub(super) fn ask(&self, reason: TokenReason) -> BoxFuture<Result<Token, NoToken>> {
        (self.0)(reason)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").finish_non_exhaustive()
    }
}

/// Options for subscribing to a channel. They count for a channel that is not subscribed yet; after the
/// first answer the client knows its position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeOptions<'a> {
    /// Recovers the messages after this position.
    pub since: Option<Since<'a>>,
    /// Begins with this many of the latest messages, as far as the server allows. Not used with `since`.
    pub last: Option<u64>,
}

/// Bounds for messages that wait for a connection or are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Maximum number of messages (100).
    pub count: usize,
    /// Maximum total size in bytes (256 KiB).
    pub bytes: usize,
    /// Maximum time that a message waits (30 s).
    pub age: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        let MachineConfig {
            count, bytes, age, ..
        } = MachineConfig::default();
        Self { count, bytes, age }
    }
}

/// The reason for not providing a token.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoToken {
    /// Temporary: the client retries later and asks again.
    Failed,
    /// Permanent: the client stops.
    Never,
}

impl Default for Options {
    fn default() -> Self {
        let config = MachineConfig::default();
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
    /// Sets the function that provides tokens.
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

    pub(super) fn config(&self, seed: u32, session: String) -> MachineConfig {
        let Queue { count, bytes, age } = self.queue.unwrap_or_default();
        MachineConfig {
            seed: self.seed.unwrap_or(seed),
            min: self.backoff_min,
            max: self.backoff_max,
            factor: self.backoff_factor,
            attempts: self.max_attempts,
            open: self.open_timeout,
            request: self.request_timeout,
            session,
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

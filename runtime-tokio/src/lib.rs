//! A WebSocket connection manager for servers on tokio.
//!
//! Switchboard accepts WebSocket connections, authenticates them through your application, groups them
//! by user and by room, and delivers messages between them. It enforces limits at every step, detects
//! dead connections, bounds the queues of slow ones, and shuts a node down gracefully. The same API is
//! available for smol, as `switchboard-smol`.
//!
//! # Example
//!
//! A server that sends every message back:
//!
//! ```no_run
//! use switchboard_tokio::{Application, Connection, Config, Denied, Hub, Message, Wire, serve};
//!
//! struct Echo;
//!
//! impl Application for Echo {
//!     async fn on_message(&self, client: &Connection, message: Message) -> Result<(), Denied> {
//!         if let Message::Text(text) = message {
//!             let _ = client.send_text(&text);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let hub = Hub::new(Config { wire: Wire::Raw, ..Config::default() }, Echo)?;
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     serve(listener, hub).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Concepts
//!
//! - An **[`Application`]** is your code: hooks that authenticate a request, authorize entering a room,
//!   and are called for messages and for connects and disconnects. Every hook has a default. A hook that
//!   panics or takes longer than 10 s closes its own connection and no other.
//! - A **[`Hub`]** is the handle to one node: a cheaply cloned value with methods to broadcast, send,
//!   join, leave, close, inspect and drain, usable from any task or thread. None of them waits for a
//!   client, except those that are `async`. Values that the node owns, such as the application, hold a
//!   [`WeakHub`]; [`Hub::new_with`] creates both together.
//! - A **connection** is one accepted WebSocket, identified by a [`ConnectionId`] that is never reused.
//!   Hooks get a [`Connection`], a handle to it.
//! - A **user** is the [`Identity`] behind one or more connections. [`UserPolicy`] decides whether a
//!   further connection replaces the old one, is refused, or is admitted.
//! - A **room** is a named set of connections that exists while it has members. Its messages are
//!   numbered, and all members see them in one order. A connection enters the *lobby* that its URL
//!   names, and other rooms by request.
//! - A **[`Receipt`]** is returned by each send. It counts what became of the message for each member:
//!   queued, excluded, dropped, or closed for it.
//! - A **slow consumer** is a connection that does not read what is queued for it. Queues are bounded, and
//!   [`SlowPolicy`] decides whether it is closed or misses messages. A broadcast never waits for it. A
//!   publisher that is faster than the network awaits [`Hub::ready`].
//! - Every **end** has one [`CloseReason`], and every **refusal** one variant of [`Refused`], which
//!   determine the close code, the HTTP status, the log line and the counter in [`Stats`].
//!
//! # Accepting connections
//!
//! [`serve`] accepts every connection of a TCP listener, and with [`Serve::with_pages`] answers other
//! HTTP requests on the same port. [`Hub::accept`] takes a TCP stream that you accepted yourself,
//! [`Hub::accept_stream`] any other stream, such as TLS, and [`Hub::accept_upgraded`] a stream that
//! another HTTP library has already upgraded. For axum and hyper, use the module `http`. The compiler
//! infers the runtime from the stream; everything else of a hub is the same on every runtime.
//!
//! ```no_run
//! # use tokio::io::{AsyncRead, AsyncWrite};
//! use tokio::net::TcpListener;
//! use switchboard_tokio::Hub;
//! # use tokio::net::TcpStream;
//!
//! # async fn tls(stream: TcpStream) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin + Send> {
//! #     Ok(stream)
//! # }
//! #
//! async fn plain(listener: TcpListener, hub: Hub) -> std::io::Result<()> {
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         hub.accept(stream, Vec::new())?;
//!     }
//! }
//!
//! async fn encrypted(listener: TcpListener, hub: Hub) -> std::io::Result<()> {
//!     loop {
//!         let (stream, peer) = listener.accept().await?;
//!         let stream = tls(stream).await?; // in a real server, in a task of its own
//!         hub.accept_stream(stream, peer.ip(), Vec::new())?;
//!     }
//! }
//! ```
//!
//! # Operating
//!
//! [`operations`] turns [`Hub::stats`] into health checks and metrics, for `with_pages` or for any HTTP
//! framework:
//!
//! ```no_run
//! use switchboard_tokio::{Hub, PageResponse, Request, operations};
//!
//! fn pages(hub: &Hub, request: &Request) -> PageResponse {
//!     let page = operations::page(request, || hub.stats());
//!     page.unwrap_or_else(|| PageResponse::text(404, "no such path\n"))
//! }
//! ```
//!
//! [`http_api`] lets programs in other languages publish, send and query over HTTP.
//!
//! # Protocols
//!
//! With [`Wire::Json`], the default, clients speak a small JSON protocol: they subscribe to rooms,
//! publish, send direct messages, and get presence notifications. Clients for it exist in Rust (feature
//! `client`) and in TypeScript. With [`Wire::Raw`] a connection carries only your own messages.
//!
//! # Configuration
//!
//! [`Config`] contains every limit, timeout and policy, each with a default. It is checked once, when the
//! hub is created.
//!
//! # Feature flags
//!
//! - `server`, on by default: everything on this page except the module `client`.
//! - `client`: the module `client`, a client that reconnects and resubscribes automatically. Off by
//!   default, so that a server does not build tungstenite. A program that is only a client needs
//!   nothing else: `default-features = false, features = ["client"]`.
//! - `http`: the module `http`, to embed a hub in an application of hyper or of another library with the
//!   types of the crate `http`.
//! - `axum`: the extractor for axum; includes `http`.
//! - `tls`: `serve_tls` and the module `tls`, to serve over TLS by rustls. The application chooses the
//!   certificate and the cryptography provider.
//! - `client-tls`: `wss://` in the client, by rustls. The application chooses the trusted roots and the
//!   cryptography provider.
//! - `redis`, `redis-tls`: several nodes over Redis, for hubs with [`Config::cluster`].

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "server")]
mod listen;
#[cfg(feature = "redis")]
mod redis;
mod rt;
#[cfg(feature = "server")]
mod socket;
#[cfg(any(feature = "client", feature = "redis"))]
mod stream;
#[cfg(all(feature = "server", target_os = "linux", not(switchboard_portable)))]
#[path = "linux.rs"]
mod tcp;
#[cfg(all(
    feature = "server",
    not(all(target_os = "linux", not(switchboard_portable)))
))]
#[path = "portable.rs"]
mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(all(feature = "server", target_os = "linux", not(switchboard_portable)))]
mod watch;

pub use self::rt::{Executor, Tokio};

#[cfg(feature = "server")]
#[doc(inline)]
pub use switchboard_core::operations;
#[cfg(feature = "server")]
#[doc(inline)]
pub use switchboard_core::protocol::{
    BadContent, Content, ErrorCode, Json, RequestId, ServerMessage, Timestamp,
};
#[cfg(feature = "server")]
#[doc(inline)]
pub use switchboard_core::response::{PageResponse, accept_key};
#[cfg(feature = "server")]
#[doc(inline)]
pub use switchboard_core::{
    Admission, ApplicationCode, BadCloseCode, BadConnectionId, BadName, BadOrigin, BadPosition,
    BadPresenceInfo, BadRequest, Buckets, CloseReason, ClusterReport, ClusterStats, Clustering,
    CompressedStats, Compression, Config, ConfigError, ConnectionId, ContextStats, Denied, Direct,
    DrainReport, Dump, Endpoint, Excerpt, Exclude, FlightRecorder, Frame, Health, HealthPing,
    History, HistoryStats, Identity, Inconsistency, InflatedStats, JoinError, JoinFrom, Keep,
    Limits, Notice, Order, Origins, PerMessageDeflate, PingResult, Position, Presence,
    PresenceInfo, Quantiles, Rate, Rates, Reach, Reason, Receipt, Recoveries, Refusal, Refused,
    Request, RoomHistory, RoomMessage, RoomPresence, RoomRule, Rooms, SendError, SlowPolicy,
    StaleId, Stats, Stored, Timeouts, Token, Tokens, UserPolicy, UserReport, WhenDown, Wire,
    check_user,
};
#[cfg(feature = "server")]
#[doc(inline)]
pub use switchboard_runtime::{
    Application, BroadcastError, Connection, Delivery, Entry, Foreign, Hub, IntoExecutor,
    IntoListener, IntoSocket, Listen, Message, PolledBy, WeakHub, http_api,
};

#[doc(inline)]
pub use switchboard_runtime::Runtime;

/// Accepts connections until the hub is drained. Returned by [`serve`]; await it.
#[cfg(feature = "server")]
pub type Serve = switchboard_runtime::Serve<Tokio>;

/// Accepts all connections of `listener` into `hub`, until the hub is drained. Short for [`Hub::serve`].
#[cfg(feature = "server")]
pub fn serve(listener: tokio::net::TcpListener, hub: Hub) -> Serve {
    hub.serve(listener)
}

/// Accepts all connections of `listener` into `hub` over TLS, until the hub is drained. Short for
/// [`Serve::with_tls`]; see the module [`tls`].
#[cfg(feature = "tls")]
pub fn serve_tls(
    listener: tokio::net::TcpListener,
    config: impl Into<std::sync::Arc<rustls::ServerConfig>>,
    hub: Hub,
) -> Serve {
    hub.serve(listener).with_tls(config)
}

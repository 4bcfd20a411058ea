//! The driver of Switchboard, a WebSocket connection manager for servers, written once for every async
//! runtime.
//!
//! Applications use `switchboard-tokio` or `switchboard-smol`, which re-export everything that they
//! need. Depend on this crate to port Switchboard to another runtime, or for code that works on each
//! of them: [`Hub`], [`Application`] and [`Connection`] are the same types everywhere.
//!
//! The driver moves bytes between sockets and the core, calls the application's hooks, and sleeps until
//! the next deadline. It makes no policy decisions; those are in `switchboard-core`.
//!
//! ```text
//!   accept ──▶ Event loop (one per thread): its sockets and their tasks
//!                Task (one per connection): read, decode, call hooks ────────▶ ┌──────┐
//!                Writer: take queued writes, write them, report ◀────────────▶ │ core │
//!   Hub (any thread): broadcast, send, join, drain ──────────────────────────▶ │ lock │
//!   Ticker (one): sleep until the next deadline ─────────────────────────────▶ └──────┘
//! ```
//!
//! The lock is never held across a system call, an await or a call of the application.
//!
//! # Porting to a runtime
//!
//! - Implement [`Runtime`] for a type without values, such as `enum Tokio {}`: how tasks are spawned, and
//!   its [`Timer`].
//! - Implement [`Listen`] for it: how TCP connections are accepted and sockets watched.
//! - Implement [`IntoExecutor`], [`IntoListener`] and [`IntoSocket`] with it as their parameter for the
//!   types that applications pass to a hub, and [`PolledBy`] for [`Foreign<S>`](Foreign), where `S` is any
//!   stream that the runtime can read and write, adapted as a [`Stream`].
//! - Choose the [`Sockets`] of an event loop: on Linux the epoll set in `epoll`, elsewhere
//!   [`SelfWaking`], where each socket wakes its own task.
//! - Re-export what applications need, with an alias of [`Serve`].
//!
//! # Features
//!
//! - `server`, on by default: everything for servers.
//! - `client`: the module `client`, a client that reconnects and resubscribes by itself, for runtimes
//!   that implement its trait `Dial`.
//! - `client-tls`: `wss://` in the client, by rustls.
//! - `http`: the module `http`, to embed a hub in an application of hyper or of another library with the
//!   types of the crate `http`, for runtimes that implement its trait `HyperIo`.
//! - `axum`: the extractor for axum.
//! - `tls`: serving over TLS, by rustls.
//! - `redis`, `redis-tokio`, `redis-smol`, `redis-tls`: several nodes over Redis, for hubs with
//!   [`Config::cluster`](switchboard_core::Config::cluster).

#[cfg(feature = "server")]
mod accept;
#[cfg(feature = "server")]
mod application;
#[cfg(feature = "server")]
mod argument;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
mod driver;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "server")]
pub mod http_api;
#[cfg(feature = "server")]
mod hub;
#[cfg(feature = "server")]
mod listen;
#[cfg_attr(
    not(feature = "server"),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "a client needs a part of it"
    )
)]
mod machine;
#[cfg(feature = "server")]
mod net;
#[cfg(feature = "server")]
mod node;
#[cfg(any(feature = "client", feature = "redis"))]
mod race;
#[cfg(feature = "redis")]
#[doc(hidden)]
pub mod redis;
mod runtime;
#[cfg(test)]
#[path = "../schedules/mod.rs"]
mod schedules;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod shared_application;
#[cfg_attr(
    not(feature = "server"),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "a client needs a part of it"
    )
)]
mod shield;
#[cfg(feature = "server")]
mod sync;
#[cfg(feature = "server")]
mod waiters;

#[cfg(feature = "server")]
pub use self::application::Application;
#[cfg(feature = "server")]
pub use self::argument::{Foreign, IntoExecutor, IntoListener, IntoSocket, PolledBy};
#[cfg(feature = "server")]
pub use self::hub::{BroadcastError, Connection, Delivery, Entry, Hub, Message, WeakHub};
#[cfg(feature = "server")]
pub use self::listen::Listen;
#[cfg(all(feature = "server", target_os = "linux"))]
pub use self::net::epoll;
#[cfg(feature = "server")]
pub use self::net::{
    AnySocket, PolledSocket, Readiness, SelfWaking, Socket, SocketToken, Sockets, Stream,
};
#[cfg(any(feature = "client", feature = "redis"))]
#[doc(hidden)]
pub use self::race::race;
pub use self::runtime::{BoxFuture, Runtime, Timer};
#[cfg(feature = "server")]
pub use self::serve::Serve;
#[cfg(any(feature = "client-tls", feature = "redis-tls"))]
#[doc(hidden)]
pub use rustls;

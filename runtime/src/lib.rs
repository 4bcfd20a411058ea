//! The runtime-independent driver of Switchboard, shared by `switchboard-tokio` and
//! `switchboard-smol`. Applications use one of those crates. Depend on this one to port Switchboard to
//! another runtime, by implementing [`Runtime`] and [`Socket`].
//!
//! The driver moves bytes between sockets and the core, calls the application's hooks, and sleeps until
//! the next deadline. It makes no policy decisions; those are in `switchboard-core`.
//! ```text
//!   accept ──▶ Event loop (one per thread): its sockets and their tasks
//!                Task (one per connection): read, decode, call hooks ────────▶ ┌──────┐
//!                Writer: take queued writes, write them, report ◀────────────▶ │ core │
//!   Hub (any thread): broadcast, send, join, drain ──────────────────────────▶ │ lock │
//!   Ticker (one): sleep until the next deadline ─────────────────────────────▶ └──────┘
//! ```
//! The lock is never held across a system call, an await or a call of the application.

mod accept;
mod application;
#[cfg(feature = "client")]
pub mod client;
mod driver;
mod hub;
mod machine;
mod net;
mod node;
#[cfg(feature = "redis")]
#[doc(hidden)]
pub mod redis;
mod runtime;
#[cfg(test)]
#[path = "../schedules/mod.rs"]
mod schedules;
mod serve;
mod shield;
mod sync;
mod waiters;

pub use self::application::Application;
pub use self::hub::{BroadcastError, Connection, Entry, Hub, Message};
#[cfg(target_os = "linux")]
pub use self::net::epoll;
pub use self::net::{
    AnySocket, PolledSocket, Readiness, SelfWaking, Socket, SocketToken, Sockets, Stream,
};
pub use self::runtime::{BoxFuture, Polls, Runtime, Timer};
pub use self::serve::Serve;

//! The driver of Switchboard, written once: what `switchboard-tokio` and `switchboard-smol` do
//! alike. Applications use one of those; this crate is for whoever brings Switchboard to another
//! runtime, by implementing [`Runtime`] and [`Socket`].
//!
//! It moves bytes between sockets and the core, calls the application, and sleeps until the next
//! deadline. What it does not do is decide: every rule stands in `switchboard-core`.
//!
//! ```text
//!   accept ──▶ Event loop (one per thread): its sockets and their tasks
//!                Task (one per connection): read, decode, ask the application ▶ ┌──────┐
//!                Writer: take what waits, write it, report ◀──────────────────▶ │ core │
//!   Hub (any thread): broadcast, send, join, drain ───────────────────────────▶ │ lock │
//!   Ticker (one): sleep until the next deadline ──────────────────────────────▶ └──────┘
//! ```
//! The lock is never held over a system call, an await or a call of the application.

mod application;
#[cfg(feature = "client")]
pub mod client;
mod driver;
mod hub;
mod machine;
mod net;
mod node;
mod runtime;
#[cfg(test)]
#[path = "../schedules/mod.rs"]
mod schedules;
mod serve;
mod shield;
mod sync;
mod waiters;

pub use self::application::{Application, Connection, Entry, Message};
pub use self::hub::{BroadcastError, Hub};
#[cfg(target_os = "linux")]
pub use self::net::epoll;
pub use self::net::{
    AnySocket, PolledSocket, Readiness, SelfWaking, Socket, SocketToken, Sockets, Stream,
};
pub use self::runtime::{BoxFuture, Polls, Runtime, Timer};
pub use self::serve::{RuntimeHub, Serve};

pub use switchboard_core as core;

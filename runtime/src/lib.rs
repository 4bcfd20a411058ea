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
mod backlog;
mod calls;
#[cfg(feature = "client")]
pub mod client;
mod effects;
#[cfg(target_os = "linux")]
pub mod epoll;
mod event_loop;
mod hub;
mod inbox;
mod machine;
mod node;
mod polled;
mod runtime;
#[cfg(test)]
mod schedules;
mod serve;
mod shared;
mod shield;
mod socket;
mod sockets;
mod sync;
mod task;
mod ticker;
mod waiters;
mod writer;

pub use self::application::{Application, Connection, Entry, Message};
pub use self::hub::{BroadcastError, Hub};
pub use self::inbox::SocketToken;
pub use self::polled::{PolledSocket, Stream};
pub use self::runtime::{BoxFuture, Polls, Runtime, Timer};
pub use self::serve::{RuntimeHub, Serve};
pub use self::socket::{AnySocket, Socket};
pub use self::sockets::{Readiness, SelfWaking, Sockets};

pub use switchboard_core as core;

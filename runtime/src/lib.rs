//! The driver of Switchboard, written once: what `switchboard-tokio` and `switchboard-smol` do
//! alike. Applications use one of those; this crate is for whoever brings Switchboard to another
//! runtime, by implementing [`Runtime`] and [`Socket`].
//!
//! It moves bytes between sockets and the core, calls the application, and sleeps until the next
//! deadline. What it does not do is decide: every rule stands in `switchboard-core`.
//!
//! ```text
//!   accept ──▶ Task (one per connection): read, decode, ask the application ──▶ ┌──────┐
//!   Hub (any thread): broadcast, send, join, drain ───────────────────────────▶ │ core │
//!   Ticker (one): sleep until the next deadline ──────────────────────────────▶ │ lock │
//!   Flusher (one per thread): take what waits, write it, report ◀─────────────▶ └──────┘
//! ```
//! The lock is never held over a system call, an await or a call of the application.

mod application;
#[cfg(feature = "client")]
pub mod client;
mod flusher;
mod foreign;
mod hooks;
mod hub;
mod machine;
mod runtime;
#[cfg(test)]
mod schedules;
mod serve;
mod shared;
mod socket;
mod sync;
mod task;
mod ticker;
mod waiting;

pub use self::application::{Application, Client, Entry, Message};
pub use self::foreign::{Foreign, Stream};
pub use self::hub::{BroadcastError, Hub};
pub use self::runtime::{BoxFuture, Polls, Runtime, Timer};
pub use self::serve::{RuntimeHub, Serve};
pub use self::socket::Socket;

pub use switchboard_core as core;

//! A client: the machine of the core over a real WebSocket, on any runtime that can [`Dial`].
//!
//! ```text
//!   Client (any thread): subscribe, publish, close ─▶ ┌─────────┐ ─▶ Events (whoever listens)
//!   Driver (one task): dial, read, write, sleep ◀───▶ │ machine │
//!                                                     └─ lock ──┘
//! ```
//! Everything is bounded: what waits for a connection, what has no answer yet, what the socket has
//! not taken, what the application has not read.

mod dial;
mod driver;
mod events;
mod gate;
mod handle;
mod options;
mod race;
mod shared;

pub use self::dial::{BadUrl, Dial, Target};
pub use self::events::{Event, Events};
pub use self::handle::{Client, Closing, SendError, SendOptions, Subscribing};
pub use self::options::{NoToken, Options, Queue, TokenSource};
pub use self::race::race;

#[cfg(feature = "client-tls")]
pub use rustls;
pub use switchboard_core::client::{
    Close, Failure, Gap, ServerText, Stage, State, StopReason, TokenReason, WaitReason,
};
pub use tungstenite;

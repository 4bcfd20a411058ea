//! The client: the core's state machine over a real WebSocket, on any runtime that implements [`Dial`].
//!
//! ```text
//!   Client (any thread): subscribe, publish, close ─▶ ┌─────────┐ ─▶ Events (one stream)
//!   Driver (one task): dial, read, write, sleep ◀───▶ │ machine │
//!                                                     └─ lock ──┘
//! ```
//! Every buffer is bounded: messages that wait for a connection, unacknowledged messages, unsent bytes
//! and unread events.

mod dial;
mod driver;
mod events;
mod farewell;
mod futures;
mod gate;
mod handle;
mod locked;
mod options;
mod place;
mod requests;
mod send;
mod shared;
mod stream;
mod streams;
mod tokens;

pub use self::dial::{BadUrl, Dial, Target};
pub use self::events::Event;
pub use self::futures::{Closing, Subscribing};
pub use self::handle::Client;
pub use self::options::{NoToken, Options, Queue, SubscribeOptions, Token, TokenSource};
pub use self::send::{RequestError, SendOptions};
pub use self::stream::Events;

pub use crate::race::race;
#[cfg(feature = "client-tls")]
pub use rustls;
pub use switchboard_core::client::{
    Close, Failure, Gap, Presence, ServerText, Stage, State, StopReason, TokenReason, WaitReason,
};
pub use switchboard_core::protocol::Since;
pub use tungstenite;

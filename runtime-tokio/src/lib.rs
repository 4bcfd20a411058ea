//! Switchboard, the WebSocket connection manager, on tokio.
//!
//! ```no_run
//! use switchboard_tokio::{Application, Client, Config, Hub, Message, Wire, serve};
//!
//! struct Echo;
//!
//! impl Application for Echo {
//!     async fn on_message(&self, client: &Client, message: Message) -> Result<(), switchboard_tokio::Denied> {
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

mod hub;
mod rt;
mod serve;
mod socket;

pub use self::hub::Hub;
pub use self::rt::Executor;
pub use self::serve::{Serve, serve};

pub use switchboard_core::response::PageResponse;
pub use switchboard_core::{
    self as core, CloseReason, Config, ConfigError, ConnectionId, Denied, Direct, DrainReport,
    Endpoint, Exclude, Frame, Identity, JoinError, Limits, Notice, Origins, Presence, Rate, Rates,
    Receipt, Refusal, Refused, Request, RoomRule, Rooms, SendError, SlowPolicy, StaleId, Stats,
    Timeouts, Token, UserPolicy, Wire,
};
pub use switchboard_runtime::{Application, BroadcastError, Client, Entry, Message};

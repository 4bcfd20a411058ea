//! Switchboard, the WebSocket connection manager, on smol.
//!
//! ```no_run
//! use switchboard_smol::{Application, Connection, Config, Denied, Hub, Message, Wire, serve};
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
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     smol::block_on(async {
//!         let hub = Hub::new(Config { wire: Wire::Raw, ..Config::default() }, Echo)?;
//!         let listener = smol::net::TcpListener::bind("127.0.0.1:8080").await?;
//!         serve(listener, hub).await?;
//!         Ok(())
//!     })
//! }
//! ```

#[cfg(feature = "client")]
pub mod client;
mod rt;
mod socket;
#[cfg(all(target_os = "linux", not(switchboard_portable)))]
#[path = "linux.rs"]
mod tcp;
#[cfg(not(all(target_os = "linux", not(switchboard_portable))))]
#[path = "portable.rs"]
mod tcp;
#[cfg(all(target_os = "linux", not(switchboard_portable)))]
mod watch;

pub use self::rt::{Executor, Smol};

pub use switchboard_core::response::PageResponse;
pub use switchboard_core::{
    self as core, ApplicationCode, BadOrigin, CloseReason, Config, ConfigError, ConnectionId,
    Denied, Direct, DrainReport, Endpoint, Exclude, Frame, Health, HealthPing, Identity, JoinError,
    Limits, Notice, Origins, PingResult, Presence, Rate, Rates, Receipt, Refusal, Refused, Request,
    RoomRule, Rooms, SendError, SlowPolicy, StaleId, Stats, Timeouts, Token, Tokens, UserPolicy,
    Wire,
};
pub use switchboard_runtime::{Application, BroadcastError, Connection, Entry, Message};

/// A handle on one node's connections: cheap to clone, usable from any task or thread.
pub type Hub = switchboard_runtime::RuntimeHub<Smol>;

/// A listener at work; await it.
pub type Serve = switchboard_runtime::Serve<Smol>;

/// Takes every connection of a listener into the hub, until the hub is drained.
pub fn serve(listener: smol::net::TcpListener, hub: Hub) -> Serve {
    Serve::new(listener, hub)
}

//! A client that reconnects by itself, and stops when a close code forbids it (feature `client`).
//!
//! ```no_run
//! use switchboard_tokio::client::{Client, Event, Options};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (client, mut events) = Client::connect("ws://127.0.0.1:8080/ws", Options::default())?;
//!     client.subscribe("blue").await?;
//!     client.publish("blue", "hello").await?;
//!     while let Some(event) = events.next().await {
//!         if let Event::Message(message) = event {
//!             println!("{:?}: {}", message.sender(), message.content::<String>()?);
//!         }
//!     }
//!     Ok(())
//! }
//! ```

use switchboard_runtime::client::tungstenite::Error;
use switchboard_runtime::client::{Dial, Target};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::rt::Tokio;
use crate::stream::connect;
#[cfg(feature = "client-tls")]
use crate::stream::encrypt;

pub use crate::stream::Duplex;

pub use switchboard_runtime::client::{
    BadUrl, Close, Closing, Event, Events, Failure, Gap, NoToken, Options, Presence, Queue,
    RequestError, SendOptions, ServerText, Since, Stage, State, StopReason, SubscribeOptions,
    Subscribing, Token, TokenReason, TokenSource, WaitReason,
};

#[cfg(feature = "client-tls")]
pub use switchboard_runtime::client::rustls;

/// A client on tokio that reconnects by itself. Cheap to clone, usable from any task or thread.
pub type Client = switchboard_runtime::client::Client<Tokio>;

impl Dial for Tokio {
    type WebSocket = WebSocketStream<Box<dyn Duplex>>;

    async fn dial(target: Target) -> Result<Self::WebSocket, Error> {
        let stream = connect(&target.host, target.port).await?;
        #[cfg(feature = "client-tls")]
        let stream: Box<dyn Duplex> = match target.tls {
            None => Box::new(stream),
            Some((config, name)) => encrypt(stream, config, name).await?,
        };
        #[cfg(not(feature = "client-tls"))]
        let stream: Box<dyn Duplex> = Box::new(stream);
        let (socket, _) =
            client_async_with_config(target.request, stream, Some(target.config)).await?;
        Ok(socket)
    }
}

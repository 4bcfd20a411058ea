//! The JSON protocol (`docs/protocol.md`): requests of clients and messages of the server.
//!
//! [`parse()`] turns the text of one message into a [`Command`] or a [`Rejected`] in one pass,
//! without building a tree and without recursion. [`ServerMessage`] is everything sent by the
//! server. [`Content`], which passes from one client to others, is validated once and never
//! serialised again.
//!
//! ```
//! use switchboard_core::protocol::{Command, ServerMessage, parse};
//!
//! let text = r#"{"type":"message","id":7,"channel":"blue","content":{"x": 1.0}}"#;
//! let Ok(Command::Message { id, channel: Some(channel), content, key: None, echo: false, volatile: false, again: None }) = parse(text) else {
//!     panic!("a message");
//! };
//! let mut out = Vec::new();
//! ServerMessage::Message { channel: &channel, key: None, content, sender: Some("ann"), seq: 3 }.write(&mut out);
//! assert_eq!(
//!     out,
//!     br#"{"type":"message","channel":"blue","content":{"x": 1.0},"sender":"ann","seq":3}"#
//! );
//! let ack = ServerMessage::Ack { id: id.as_ref().unwrap(), seq: 3, duplicate: false, local: false };
//! assert_eq!(ack.to_json(), r#"{"type":"ack","id":7,"seq":3}"#);
//! ```

#[cfg(feature = "server")]
mod command;
mod content;
#[cfg(feature = "server")]
mod fields;
#[cfg(feature = "server")]
mod parse;
#[cfg(feature = "server")]
pub(crate) mod position;
#[cfg(feature = "server")]
mod server_message;
mod since;

#[cfg(feature = "server")]
pub use command::{Command, RequestId, Timestamp};
pub use content::{BadContent, Content, Json};
#[cfg(feature = "server")]
pub use parse::{Rejected, parse};
#[cfg(feature = "server")]
pub(crate) use server_message::write_before_seq;
#[cfg(feature = "server")]
pub use server_message::{ErrorCode, ServerMessage};
pub use since::Since;

/// The prefix of the subprotocol that carries a token.
pub(crate) const BEARER_PROTOCOL: &str = "base64url.bearer.switchboard.";

/// The maximum size in bytes of the JSON text of an id, of a ping's timestamp, of a position's
/// epoch, or of a rejected request's channel that is echoed.
pub const MAX_ECHO_BYTES: usize = 128;

/// The maximum nesting depth of arrays and objects, including the message itself.
///
/// This is the default limit of `serde_json`. Members therefore never receive a message that their
/// own parser refuses or overflows its stack on.
pub const MAX_NESTING: usize = 127;

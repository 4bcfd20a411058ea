//! The JSON protocol (spec, section 10): what clients may ask, and what the server says.
//!
//! [`parse`] turns the text of one message into a [`Command`] or a [`Rejected`] in one pass, without
//! a tree and without recursion; [`ServerMessage`] is everything that goes the other way.
//! What passes through from one client to others, [`Content`], is checked once and never written anew.
//!
//! ```
//! use switchboard_core::protocol::{Command, ServerMessage, parse};
//!
//! let text = r#"{"type":"message","id":7,"channel":"blue","content":{"x": 1.0}}"#;
//! let Ok(Command::Message { id, channel: Some(channel), content, echo: false }) = parse(text) else {
//!     panic!("a message");
//! };
//! let mut out = Vec::new();
//! ServerMessage::Message { channel: &channel, content, sender: Some("ann"), seq: 3 }.write(&mut out);
//! assert_eq!(
//!     out,
//!     br#"{"type":"message","channel":"blue","content":{"x": 1.0},"sender":"ann","seq":3}"#
//! );
//! let ack = ServerMessage::Ack { id: id.as_ref().unwrap(), seq: 3 };
//! assert_eq!(ack.to_json(), r#"{"type":"ack","id":7,"seq":3}"#);
//! ```

mod command;
mod content;
mod fields;
mod parse;
mod server_message;

pub use command::{Command, RequestId, Timestamp};
pub use content::{BadContent, Content, KeptContent};
pub use parse::{Rejected, parse};
pub use server_message::{ErrorCode, ServerMessage};

/// The longest JSON text of an id, of a ping's timestamp or of a rejected request's channel that
/// is carried back, in bytes.
pub const MAX_ECHO_BYTES: usize = 128;

/// How deep arrays and objects of a message may lie in each other, the message itself included.
///
/// It is what `serde_json` reads with its default settings, so that no member is sent something
/// that its own parser refuses, or overflows its stack on.
pub const MAX_NESTING: usize = 127;

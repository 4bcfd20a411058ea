//! The arguments of hooks about messages and about entries into rooms.

use std::fmt;

use switchboard_core::protocol::Json;

use crate::sync::Arc;

/// The way in which a client enters a room.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As the lobby of its URL, on connecting or when it re-enters that room later.
    Lobby,
    /// With a `subscribe` message.
    Subscribe,
}

/// What happens to a message of a client. Without effect in raw mode, where only the application
/// receives messages.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub enum Delivery {
    /// The members of the room get it.
    #[default]
    Deliver,
    /// They get this content in its place. The key, if there is one, stays.
    Replace(Json),
    /// It is not delivered and takes no number. Its sender receives an `ack` without a `seq`.
    Handled,
}

/// A message that a client sent.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message, in raw mode.
    Text(String),
    /// A binary message, in raw mode.
    Binary(Vec<u8>),
    /// A message to a room, in the JSON protocol.
    Room {
        /// The room.
        room: Arc<str>,
        /// The content: JSON text, exactly as the client wrote it.
        content: String,
        /// The key whose value the content is, in a room that keeps the latest value of each; `null`
        /// removes the key.
        key: Option<Arc<str>>,
        /// Whether it is for those members only for which nothing waits in the room.
        volatile: bool,
        /// The id of the request as the client wrote it, an integer or a string of JSON; `None` if it wants
        /// no answer. A message that a client sends again, after the connection has ended before its answer,
        /// has the same one. So an application that stores what it is told, and whose answer may then
        /// have no effect, knows by the user, the session (the parameter `session` of the
        /// [`Request`](switchboard_core::Request)) and this id what it has stored already.
        id: Option<String>,
    },
}

impl fmt::Debug for Message {
    /// Shows sizes only, never the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
            Self::Room { room, content, .. } => {
                write!(f, "Room({room:?}, {} bytes)", content.len())
            }
        }
    }
}

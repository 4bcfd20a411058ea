//! What only the application can decide.

use std::sync::Arc;

use crate::protocol::{KeptContent, RequestId};
use crate::{Frame, Token};

/// A question that only the application can answer. Pass the answer to [`Switchboard::answer`], or
/// for a token to [`Switchboard::authenticated`].
#[derive(Clone, Debug)]
pub enum Question {
    /// Whether the connection may enter a room.
    Join {
        /// The room.
        room: Arc<str>,
        /// Whether the room is the lobby, to which the connection returns.
        lobby: bool,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// Whether the connection may send to a user.
    Direct {
        /// The user.
        to: Arc<str>,
        /// The encoded message.
        frame: Frame,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// Whether a message may go to a room that the sender is in.
    Message {
        /// The room.
        room: Arc<str>,
        /// The content, as the client wrote it.
        content: KeptContent,
        /// Whether the sender receives it too.
        echo: bool,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// Whether a token is valid, and whose it is.
    Token {
        /// The token.
        token: Token,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
}

/// A refusal by the application.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Missing or invalid credentials.
    Unauthorized,
    /// Authenticated, but not allowed.
    Forbidden,
}

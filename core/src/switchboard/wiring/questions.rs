//! What only the application can decide.

use std::sync::Arc;

use crate::protocol::{Json, RequestId};
use crate::{Frame, JoinFrom, Reach, Token, Twin};

/// A question that only the application can answer. Pass the answer to [`Switchboard::answer`][a], or
/// for a token to [`Switchboard::authenticated`][b].
///
/// [a]: crate::Switchboard::answer
/// [b]: crate::Switchboard::authenticated
#[derive(Clone, Debug)]
pub enum Question {
    /// Whether the connection may enter a room.
    Join {
        /// The room.
        room: Arc<str>,
        /// Whether the room is the lobby, to which the connection returns.
        lobby: bool,
        /// From where on it wants the room's messages.
        from: JoinFrom,
        /// How far back into the room's history it may reach; see [`limit`](Self::limit).
        reach: Reach,
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
        /// The content, as the client wrote it; see [`replace`](Self::replace).
        content: Json,
        /// Whether the application has handled it, so that it is not delivered; see
        /// [`handle`](Self::handle).
        handled: bool,
        /// The key whose value the content is.
        key: Option<Arc<str>>,
        /// Whether the sender receives it too.
        echo: bool,
        /// Whether it is for those only for which nothing waits in the room.
        volatile: bool,
        /// For a message that is sent again: the number that the room had come to when it was first
        /// sent.
        again: Option<u64>,
        /// The message's compressed form; a [`Session`](crate::session::Session) makes it when it is
        /// granted.
        twin: Option<Box<Twin>>,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
    /// What a method of the application returns.
    Call {
        /// The name of the method.
        method: Arc<str>,
        /// The parameters, as the client wrote them.
        params: Json,
        /// The result; see [`resolve`](Self::resolve). `null` at first.
        result: Json,
        /// The id of the request.
        request: RequestId<'static>,
    },
    /// Whether a token is valid, and whose it is.
    Token {
        /// The token.
        token: Token,
        /// The id of the request.
        request: Option<RequestId<'static>>,
    },
}

impl Question {
    /// Returns whether what follows the answer may have to wait for it to be carried out.
    pub(crate) const fn may_wait(&self) -> bool {
        matches!(
            self,
            Self::Join { .. } | Self::Message { again: Some(_), .. }
        )
    }

    /// Sets how far back into the history of the room the connection may reach, for a question whether
    /// it may enter one.
    pub fn limit(&mut self, to: Reach) {
        if let Self::Join { reach, .. } = self {
            *reach = to;
        }
    }

    /// Sets the content that goes to a room in place of what the client wrote.
    pub fn replace(&mut self, with: Json) {
        if let Self::Message { content, .. } = self {
            *content = with;
        }
    }

    /// Records that the application has handled a message to a room. It then gets no number and is not
    /// delivered.
    pub const fn handle(&mut self) {
        if let Self::Message { handled, .. } = self {
            *handled = true;
        }
    }

    /// Sets the result of a call.
    pub fn resolve(&mut self, with: Json) {
        if let Self::Call { result, .. } = self {
            *result = with;
        }
    }
}

//! Messages of clients, and the questions to the application that follow from them.

use super::Wish;

/// A client's message, understood or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `subscribe`, and from where on.
    Subscribe(String, Wish),
    /// `unsubscribe`.
    Unsubscribe(String),
    /// `message`: room, content, and whether the sender wants an echo.
    Message(Option<String>, String, bool),
    /// A `message` that the application has handled.
    Handled,
    /// `direct`: user and content.
    Direct(String, String),
    /// `call`: method and parameters, which are the result.
    Call(String, String),
    /// `ping`, with its timestamp.
    Ping(Option<String>),
    /// `health_pong`.
    HealthPong(Option<u64>),
    /// `auth`.
    Auth,
    /// Not understood: code, text, room.
    Rejected(String, String, Option<String>),
}

/// A question that the application has to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The message in question.
    pub said: Said,
    /// The id of the request.
    pub request: Option<String>,
}

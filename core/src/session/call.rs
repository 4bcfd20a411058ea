//! What a session asks of the application, and what comes back.

use std::sync::Arc;

use crate::protocol::RequestId;
use crate::{CloseReason, Denied, Identity, Question, Request};

/// What the driver does next for a session.
#[derive(Debug)]
pub enum Step {
    /// Call the application, then [`Session::reply`](super::Session::reply) or
    /// [`Session::failed`](super::Session::failed).
    Call(Call),
    /// Write what waits in the queues now, then ask for the next step: what follows ends the
    /// connection, and discards what was answered before.
    Flush,
}

/// A call of the application. A driver has to carry out each: the list is complete on purpose.
#[derive(Debug)]
pub enum Call {
    /// Makes a page; answered by [`Reply::Page`].
    Page(Request),
    /// Asks who a client is; answered by [`Reply::Identity`].
    Authenticate(Login),
    /// Asks whether a client may enter the lobby that its URL names, before it is admitted;
    /// answered by [`Reply::Lobby`].
    Lobby(Lobby),
    /// Tells that the connection was admitted; answered by [`Reply::Connected`].
    Connect,
    /// Asks about a request of the client; answered by [`Reply::Verdict`].
    Ask(Question),
    /// Hands over a text message in raw mode; answered by [`Reply::Delivered`].
    Text(String),
    /// Hands over a binary message in raw mode; answered by [`Reply::Delivered`].
    Binary(Vec<u8>),
    /// Tells that the connection has ended; answered by [`Reply::Disconnected`].
    Disconnect(Ended),
}

/// The application's answer to a [`Call`].
#[derive(Debug)]
pub enum Reply {
    /// The whole response.
    Page(Vec<u8>),
    /// Who the client is.
    Identity(Login, Result<Identity, Denied>),
    /// Whether it may enter its lobby.
    Lobby(Lobby, Result<(), Denied>),
    /// `on_connect` has returned.
    Connected,
    /// Whether the request is granted.
    Verdict(Question, Result<(), Denied>),
    /// Whether the connection goes on after this message.
    Delivered(Result<(), Denied>),
    /// `on_disconnect` has returned.
    Disconnected,
}

/// A login under way.
#[derive(Debug)]
pub struct Login {
    /// What the client presented.
    pub request: Request,
    /// The id of the `auth` message, where there was one.
    pub(super) answers: Option<RequestId<'static>>,
}

/// The second half of a login: whether the lobby is open to this user.
#[derive(Debug)]
pub struct Lobby {
    /// The user's name.
    pub user: Arc<str>,
    /// The room.
    pub room: Arc<str>,
    pub(super) identity: Identity,
    pub(super) answers: Option<RequestId<'static>>,
}

/// How an admitted connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The rooms that it was in.
    pub rooms: Vec<Arc<str>>,
    /// The reason.
    pub reason: CloseReason,
}

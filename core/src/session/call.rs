//! Calls of the application and their replies.

use std::sync::Arc;

use super::admitted::{Admission, Data};
use crate::protocol::RequestId;
use crate::{CloseReason, Denied, JoinFrom, Question, Reach, Request};

/// The next step of a driver for a session.
#[derive(Debug)]
pub enum Step {
    /// Call the application, then [`Session::reply`](super::Session::reply), or
    /// [`Session::failed`](super::Session::failed) if it panics.
    Call(Call),
    /// Write what is queued before asking for the next step, which ends the connection and discards
    /// queued answers.
    Flush,
}

/// A call of the application. Exhaustive on purpose, because a driver has to carry out each.
#[derive(Debug)]
pub enum Call {
    /// Makes a page; answered by [`Reply::Page`].
    Page(Request),
    /// Authenticates a client; answered by [`Reply::Identity`].
    Authenticate(Login),
    /// Asks whether a client may enter the lobby, before it is admitted; answered by
    /// [`Reply::Lobby`].
    Lobby(Lobby),
    /// Reports that the connection was admitted; answered by [`Reply::Connected`].
    Connect,
    /// Reports that the connection has entered a room; answered by [`Reply::Noted`].
    Joined(Arc<str>),
    /// Reports that the connection has left a room that [`Joined`](Self::Joined) reported; answered by
    /// [`Reply::Noted`].
    Left(Arc<str>),
    /// Asks whether to grant a request of the client; answered by [`Reply::Verdict`].
    Ask(Question),
    /// Passes on a text message in raw mode; answered by [`Reply::Delivered`].
    Text(String),
    /// Passes on a binary message in raw mode; answered by [`Reply::Delivered`].
    Binary(Vec<u8>),
    /// Reports that the connection has ended; answered by [`Reply::Disconnected`].
    Disconnect(Ended),
}

/// The application's answer to a [`Call`].
#[derive(Debug)]
pub enum Reply {
    /// The complete HTTP response.
    Page(Vec<u8>),
    /// The identity of the client, or a refusal.
    Identity(Login, Result<Admission, Denied>),
    /// Whether the client may enter its lobby.
    Lobby(Lobby, Result<(), Denied>),
    /// `on_connect` has returned.
    Connected,
    /// `on_join` or `on_leave` has returned.
    Noted,
    /// Whether the request is granted.
    Verdict(Question, Result<(), Denied>),
    /// Whether the connection stays open after this message.
    Delivered(Result<(), Denied>),
    /// `on_disconnect` has returned.
    Disconnected,
}

/// A login under way.
#[derive(Debug)]
pub struct Login {
    /// The request, with the token that the client presented.
    pub request: Request,
    /// The id of the `auth` message, where there was one.
    pub(super) answers: Option<RequestId<'static>>,
}

/// A login under way whose identity is known; asks whether this user may enter the lobby.
#[derive(Debug)]
pub struct Lobby {
    /// The user's name.
    pub user: Arc<str>,
    /// The room.
    pub room: Arc<str>,
    /// From where on the client wants the lobby's messages.
    pub from: JoinFrom,
    pub(super) reach: Reach,
    pub(super) admission: Admission,
    pub(super) answers: Option<RequestId<'static>>,
}

impl Lobby {
    /// Sets how far back into the history of the lobby the client may reach.
    pub const fn limit(&mut self, to: Reach) {
        self.reach = to;
    }

    /// Returns what the application keeps with the connection.
    pub const fn data(&self) -> &Data {
        self.admission.data()
    }
}

/// How an admitted connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The rooms that the connection was in.
    pub rooms: Vec<Arc<str>>,
    /// Why it ended.
    pub reason: CloseReason,
}

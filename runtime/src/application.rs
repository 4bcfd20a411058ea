//! The application's side.

use std::fmt;
use std::future::Future;

use switchboard_core::{
    CloseReason, ConnectionId, Denied, Frame, Identity, Notice, Receipt, Request, SendError,
};

use crate::hub::Hub;
use crate::runtime::BoxFuture;
use crate::sync::Arc;

/// What the application decides, and what it is told.
///
/// Every hook has a default; an application writes those that it needs, as `async fn`. Hooks of
/// one connection run one at a time, in the order of what they are about, `on_connect` first and
/// `on_disconnect` last. Each has `timeouts.hook` (10 s): one that takes longer, or panics, ends
/// its connection (1011 `internal`) and nothing else. A hook may call anything of the [`Hub`].
///
/// Hooks of different connections do not wait for each other, not even those of one user. The
/// `on_connect` of a connection that replaces another may come before the `on_disconnect` of that
/// one: a hook that runs for the old connection, or its `on_disconnect`, would otherwise keep its user
/// out for as long as 20 s. So keep what you note down by connection ([`Connection::id`]), not by user.
///
/// A hook must not block its thread: the connections that share its event loop, one part in as many
/// as the runtime has threads, are neither read nor written by it until it awaits or returns. What
/// computes for long belongs on a thread of its own (`spawn_blocking`, `smol::unblock`).
pub trait Application: Send + Sync + 'static {
    /// Who is this? Called for each request, for a first message with a token
    /// ([`Identity::FirstMessage`]), and for each `auth` message of an open connection; there the
    /// request has only a token and an address.
    ///
    /// A user's name must follow the rules for names and must not begin with `anon-`, which is kept
    /// for anonymous connections: another is told the client as `internal` and logged as an error.
    ///
    /// By default everybody is let in, anonymously.
    fn authenticate(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<Identity, Denied>> + Send {
        let _ = request;
        async { Ok(Identity::Anonymous) }
    }

    /// May this client enter this room? Not asked where rooms are open.
    ///
    /// A yes is no entry yet: the room may be full by then, for example. [`on_notice`](Self::on_notice)
    /// is told [`Notice::Joined`] or [`Notice::JoinFailed`], or where the client was not admitted
    /// [`Notice::Refused`], with the id of this client.
    ///
    /// By default a client may enter the lobby of its URL, and nothing else.
    fn authorize_join(
        &self,
        client: &Connection,
        room: &str,
        entry: Entry,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        let _ = (client, room);
        async move {
            match entry {
                Entry::Lobby => Ok(()),
                Entry::Subscribe => Err(Denied::Forbidden),
            }
        }
    }

    /// May this client send to this user? Not asked where direct messages are open.
    ///
    /// By default never.
    fn authorize_direct(
        &self,
        client: &Connection,
        to: &str,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        let _ = (client, to);
        async { Err(Denied::Forbidden) }
    }

    /// A connection was admitted, and is in its lobby.
    fn on_connect(&self, client: &Connection) -> impl Future<Output = ()> + Send {
        let _ = client;
        async {}
    }

    /// A message came in. Where JSON is spoken, a `message` to a room, before it goes out to the
    /// members: `Err` keeps it back, and its sender is told. In raw mode, any message; `Err` closes
    /// the connection (4001 or 4003).
    fn on_message(
        &self,
        client: &Connection,
        message: Message,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        let _ = (client, message);
        async { Ok(()) }
    }

    /// A connection has ended; it was in these rooms.
    fn on_disconnect(
        &self,
        client: &Connection,
        rooms: &[Arc<str>],
        reason: CloseReason,
    ) -> impl Future<Output = ()> + Send {
        let _ = (client, rooms, reason);
        async {}
    }

    /// Something happened on the node: presence changed, a limit came near, the host stood still.
    /// Must return at once.
    fn on_notice(&self, notice: &Notice) {
        let _ = notice;
    }
}

/// How a client wants to enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// As the lobby of its URL: on connecting, or when it comes back to it.
    Lobby,
    /// By a `subscribe` message.
    Subscribe,
}

/// What a client sent.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// A text message, in raw mode.
    Text(String),
    /// A binary message, in raw mode.
    Binary(Vec<u8>),
    /// A message to a room, where JSON is spoken.
    Room {
        /// The room.
        room: Arc<str>,
        /// The content: JSON text, as the client wrote it.
        content: String,
    },
}

impl fmt::Debug for Message {
    /// Never shows what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
            Self::Room { room, content } => write!(f, "Room({room:?}, {} bytes)", content.len()),
        }
    }
}

/// A connection, as a hook sees it. Cheap to clone, and may be kept; what is done with it after its
/// end is answered with an error.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) user: Arc<str>,
    pub(crate) hub: Hub,
}

impl Connection {
    /// The connection.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whose it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The hub that it is connected to.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Sends it a text message as it is.
    pub fn send_text(&self, text: &str) -> Result<Receipt, SendError> {
        self.hub.send(self.id, Frame::text(text))
    }

    /// Sends it a binary message as it is.
    pub fn send_binary(&self, bytes: &[u8]) -> Result<Receipt, SendError> {
        self.hub.send(self.id, Frame::binary(bytes))
    }
}

/// [`Application`] with its futures boxed, so that a hub need not name it.
pub(crate) trait DynApplication: Send + Sync + 'static {
    fn authenticate(self: Arc<Self>, request: Request) -> BoxFuture<Result<Identity, Denied>>;
    fn authorize_join(
        self: Arc<Self>,
        client: Connection,
        room: Arc<str>,
        entry: Entry,
    ) -> BoxFuture<Result<(), Denied>>;
    fn authorize_direct(
        self: Arc<Self>,
        client: Connection,
        to: Arc<str>,
    ) -> BoxFuture<Result<(), Denied>>;
    fn on_connect(self: Arc<Self>, client: Connection) -> BoxFuture<()>;
    fn on_message(
        self: Arc<Self>,
        client: Connection,
        message: Message,
    ) -> BoxFuture<Result<(), Denied>>;
    fn on_disconnect(
        self: Arc<Self>,
        client: Connection,
        rooms: Vec<Arc<str>>,
        reason: CloseReason,
    ) -> BoxFuture<()>;
    fn on_notice(&self, notice: &Notice);
}

impl<A: Application> DynApplication for A {
    fn authenticate(self: Arc<Self>, request: Request) -> BoxFuture<Result<Identity, Denied>> {
        Box::pin(async move { Application::authenticate(&*self, &request).await })
    }

    fn authorize_join(
        self: Arc<Self>,
        client: Connection,
        room: Arc<str>,
        entry: Entry,
    ) -> BoxFuture<Result<(), Denied>> {
        Box::pin(async move { Application::authorize_join(&*self, &client, &room, entry).await })
    }

    fn authorize_direct(
        self: Arc<Self>,
        client: Connection,
        to: Arc<str>,
    ) -> BoxFuture<Result<(), Denied>> {
        Box::pin(async move { Application::authorize_direct(&*self, &client, &to).await })
    }

    fn on_connect(self: Arc<Self>, client: Connection) -> BoxFuture<()> {
        Box::pin(async move { Application::on_connect(&*self, &client).await })
    }

    fn on_message(
        self: Arc<Self>,
        client: Connection,
        message: Message,
    ) -> BoxFuture<Result<(), Denied>> {
        Box::pin(async move { Application::on_message(&*self, &client, message).await })
    }

    fn on_disconnect(
        self: Arc<Self>,
        client: Connection,
        rooms: Vec<Arc<str>>,
        reason: CloseReason,
    ) -> BoxFuture<()> {
        Box::pin(async move { Application::on_disconnect(&*self, &client, &rooms, reason).await })
    }

    fn on_notice(&self, notice: &Notice) {
        Application::on_notice(self, notice);
    }
}

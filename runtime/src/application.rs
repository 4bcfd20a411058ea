//! The [`Application`] trait.

use std::future::Future;

use switchboard_core::protocol::Json;
use switchboard_core::{
    Admission, CloseReason, Denied, Identity, JoinFrom, Notice, Reach, Request,
};

use crate::hub::{Connection, Delivery, Entry, Hooks, Message};
use crate::runtime::BoxFuture;
use crate::sync::Arc;

/// The hooks of an application.
///
/// Every hook has a default; an application implements those that it needs, as `async fn`. Hooks of
/// one connection run one at a time, in the order of the events that caused them:
///
/// 1. `admit` or `authenticate`, then `authorize_join` for the lobby of the URL;
/// 2. `on_connect`, once the connection is admitted, then `on_join` for its lobby;
/// 3. one hook for each request of the client; `on_join` and `on_leave` as soon as it has entered or left
///    a room;
/// 4. `on_leave` for each room that it was in at its end, then `on_disconnect`.
///
/// The outcome of what a hook has granted is always reported: for a room by `on_join` and `on_leave`,
/// or by [`Notice::JoinFailed`]; for a client by `on_connect` and `on_disconnect`, or by
/// [`Notice::Refused`].
///
/// Each hook has `timeouts.hook` (10 s): one that takes longer, or panics, closes its connection with 1011
/// `internal` and has no other effect. A hook may call any method of [`Hub`](crate::Hub).
///
/// Hooks of different connections run concurrently, including those of one user. `on_connect` of a
/// connection that replaces another may run before `on_disconnect` of the old one; otherwise a hook of
/// the old connection could keep its user out for up to 20 s. Therefore key your own state by
/// connection ([`Connection::id`]), not by user.
///
/// A hook must not block its thread: until it awaits or returns, the other connections of its event
/// loop are neither read nor written. There is one event loop per thread of the runtime. Run long
/// computations on another thread (`spawn_blocking`, `smol::unblock`).
///
/// # Example
///
/// ```
/// # use switchboard_core::{CloseReason, Denied, Identity, Request};
/// # use switchboard_runtime::{Application, Connection, Entry};
/// # use std::sync::Arc;
/// struct Chat;
///
/// impl Application for Chat {
///     async fn authenticate(&self, request: &Request) -> Result<Identity, Denied> {
///         // Look the token up, or verify it, in a real application.
///         let token = request.token().ok_or(Denied::Unauthorized)?;
///         Ok(Identity::user(token.reveal()))
///     }
///
///     async fn authorize_join(
///         &self,
///         client: &Connection,
///         room: &str,
///         _: Entry,
///     ) -> Result<(), Denied> {
///         match room {
///             "staff" if client.user() != "ann" => Err(Denied::Forbidden),
///             _ => Ok(()),
///         }
///     }
///
///     async fn on_disconnect(&self, client: &Connection, rooms: &[Arc<str>], why: CloseReason) {
///         println!("{} has left {rooms:?}: {why}", client.user());
///     }
/// }
/// ```
pub trait Application: Send + Sync + 'static {
    /// Authenticates a request. Called for each upgrade request, for a first message with a token
    /// ([`Identity::FirstMessage`]), and for each `auth` message on an open connection; for messages, the
    /// request contains only a token and an address.
    ///
    /// A user's name must follow the rules for names and must not begin with `anon-`, which is reserved
    /// for anonymous connections. Otherwise the client is refused with `internal`, and an error is logged.
    ///
    /// The default admits every client anonymously.
    fn authenticate(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<Identity, Denied>> + Send {
        let _ = request;
        async { Ok(Identity::Anonymous) }
    }

    /// Authenticates a request, and attaches data to the connection. Called instead of
    /// [`authenticate`](Self::authenticate).
    ///
    /// Later hooks read the data of the [`Admission`] with [`Connection::get`], until `on_disconnect`
    /// has returned. If the answer to an `auth` message on an open connection has data, it replaces all
    /// data of the connection.
    ///
    /// The default calls `authenticate`, and attaches nothing.
    ///
    /// ```
    /// # use switchboard_core::{Admission, Denied, Request};
    /// # use switchboard_runtime::{Application, Connection};
    /// struct Profile {
    ///     colour: String,
    /// }
    ///
    /// # struct Board;
    /// impl Application for Board {
    ///     async fn admit(&self, request: &Request) -> Result<Admission, Denied> {
    ///         let name = request.token().ok_or(Denied::Unauthorized)?.reveal();
    ///         let colour = request.header("x-colour").unwrap_or("teal").to_owned();
    ///         Ok(Admission::user(name).with(Profile { colour }))
    ///     }
    ///
    ///     async fn on_connect(&self, client: &Connection) {
    ///         if let Some(profile) = client.get::<Profile>() {
    ///             println!("{} writes in {}", client.user(), profile.colour);
    ///         }
    ///     }
    /// }
    /// ```
    fn admit(&self, request: &Request) -> impl Future<Output = Result<Admission, Denied>> + Send {
        let identity = self.authenticate(request);
        async { identity.await.map(Admission::from) }
    }

    /// Decides whether a client may enter a room. Not called with `Rooms::Open`.
    ///
    /// `Ok` does not guarantee entry: the room may be full by then, for example. The outcome is reported
    /// to [`on_notice`](Self::on_notice) with this client's id: [`Notice::Joined`],
    /// [`Notice::JoinFailed`], or [`Notice::Refused`] if the client was not admitted.
    ///
    /// The default allows only the lobby of the client's URL.
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

    /// Decides whether a client may enter a room, and how far back into its history it may reach.
    /// `from` says where the client wants to start; a client that reconnects sends the position up to
    /// which it has received everything. Called for every join, instead of
    /// [`authorize_join`](Self::authorize_join).
    ///
    /// The default calls `authorize_join`, and grants what the client requests. Override it if a client
    /// must not read messages from a time when it was not allowed to be in the room.
    ///
    /// ```
    /// # use switchboard_runtime::{Application, Connection, Entry};
    /// # use switchboard_core::{Denied, JoinFrom, Reach};
    /// # struct Club;
    /// # impl Club {
    /// #     async fn member_since(&self, _user: &str) -> Option<u64> { None }
    /// # }
    /// impl Application for Club {
    ///     async fn authorize_join_from(
    ///         &self,
    ///         client: &Connection,
    ///         _room: &str,
    ///         _entry: Entry,
    ///         _from: &JoinFrom,
    ///     ) -> Result<Reach, Denied> {
    ///         // The number of the first message after the user became a member.
    ///         let first = self.member_since(client.user()).await;
    ///         first.map(Reach::From).ok_or(Denied::Forbidden)
    ///     }
    /// }
    /// ```
    fn authorize_join_from(
        &self,
        client: &Connection,
        room: &str,
        entry: Entry,
        from: &JoinFrom,
    ) -> impl Future<Output = Result<Reach, Denied>> + Send {
        let _ = from;
        let granted = self.authorize_join(client, room, entry);
        async { granted.await.map(|()| Reach::All) }
    }

    /// Decides whether a client may send a direct message to a user. Not called with `Direct::Open`.
    ///
    /// The default forbids it.
    fn authorize_direct(
        &self,
        client: &Connection,
        to: &str,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        let _ = (client, to);
        async { Err(Denied::Forbidden) }
    }

    /// Called after a connection was admitted and entered its lobby, before `on_join` for the lobby.
    fn on_connect(&self, client: &Connection) -> impl Future<Output = ()> + Send {
        let _ = client;
        async {}
    }

    /// Called after a connection has entered a room: as its lobby, by `subscribe`, or by
    /// [`Hub::join`](crate::Hub::join). Later messages of the client wait until it returns, so this is
    /// the place to send a snapshot of the room's state.
    ///
    /// Not called for a room that the connection left before the hook could run.
    fn on_join(&self, client: &Connection, room: &str) -> impl Future<Output = ()> + Send {
        let _ = (client, room);
        async {}
    }

    /// Called after a connection has left a room for which [`on_join`](Self::on_join) was called, once for
    /// each such call: by `unsubscribe`, by [`Hub::leave`](crate::Hub::leave), or because it has ended.
    fn on_leave(&self, client: &Connection, room: &str) -> impl Future<Output = ()> + Send {
        let _ = (client, room);
        async {}
    }

    /// Called for each message. With the JSON protocol these are `message`s to a room, before they are
    /// delivered: `Err` suppresses delivery, and the sender gets an error. In raw mode it is called for
    /// every message, and `Err` closes the connection (4001 or 4003).
    fn on_message(
        &self,
        client: &Connection,
        message: Message,
    ) -> impl Future<Output = Result<(), Denied>> + Send {
        let _ = (client, message);
        async { Ok(()) }
    }

    /// Called for each message, and decides whether it is delivered, delivered with another content, or
    /// handled by the application itself. Called instead of [`on_message`](Self::on_message).
    ///
    /// The default calls `on_message`, and delivers the messages that it permits.
    ///
    /// ```
    /// # use switchboard_core::Denied;
    /// # use switchboard_core::protocol::Json;
    /// # use switchboard_runtime::{Application, Connection, Delivery, Message};
    /// # struct Polite;
    /// impl Application for Polite {
    ///     async fn process_message(
    ///         &self,
    ///         client: &Connection,
    ///         message: Message,
    ///     ) -> Result<Delivery, Denied> {
    ///         match message {
    ///             Message::Room { content, .. } if content.contains("damn") => {
    ///                 Ok(Delivery::Replace(Json::encode("(removed)")?))
    ///             }
    ///             Message::Room { content, .. } if content == "\"/roll\"" => {
    ///                 let _ = client.hub().direct(client.user(), "4", None);
    ///                 Ok(Delivery::Handled)
    ///             }
    ///             _ => Ok(Delivery::Deliver),
    ///         }
    ///     }
    /// }
    /// ```
    fn process_message(
        &self,
        client: &Connection,
        message: Message,
    ) -> impl Future<Output = Result<Delivery, Denied>> + Send {
        let granted = self.on_message(client, message);
        async { granted.await.map(|()| Delivery::Deliver) }
    }

    /// Called for each `call` of the JSON protocol; returns the result. `params` is JSON text, `null`
    /// if the client sent none. `Err` is answered with an error. Switchboard's clients never send a
    /// call twice.
    ///
    /// The default has no methods: each call is answered with `unknown_type`, and counts as a strike.
    ///
    /// ```
    /// # use switchboard_core::Denied;
    /// # use switchboard_core::protocol::Json;
    /// # use switchboard_runtime::{Application, Connection};
    /// # struct Sums;
    /// impl Application for Sums {
    ///     async fn on_call(
    ///         &self,
    ///         _: &Connection,
    ///         method: &str,
    ///         params: &str,
    ///     ) -> Result<Json, Denied> {
    ///         match method {
    ///             "add" => {
    ///                 let numbers: Vec<f64> = serde_json::from_str(params)
    ///                     .map_err(|_| Denied::because("bad_params", "a list of numbers, please"))?;
    ///                 Ok(Json::encode(&numbers.iter().sum::<f64>())?)
    ///             }
    ///             _ => Err(Denied::UnknownMethod),
    ///         }
    ///     }
    /// }
    /// ```
    fn on_call(
        &self,
        client: &Connection,
        method: &str,
        params: &str,
    ) -> impl Future<Output = Result<Json, Denied>> + Send {
        let _ = (client, method, params);
        async { Err(Denied::UnknownMethod) }
    }

    /// Called after a connection has ended, and after `on_leave` for its rooms. `rooms` are the rooms
    /// that it was in when it ended.
    fn on_disconnect(
        &self,
        client: &Connection,
        rooms: &[Arc<str>],
        reason: CloseReason,
    ) -> impl Future<Output = ()> + Send {
        let _ = (client, rooms, reason);
        async {}
    }

    /// Called for events of the node, such as a change of presence, a limit that is nearly reached, or a
    /// stall of the host. Must return at once.
    fn on_notice(&self, notice: &Notice) {
        let _ = notice;
    }
}

impl<A: Application> Hooks for A {
    fn admit(self: Arc<Self>, request: Request) -> BoxFuture<Result<Admission, Denied>> {
        Box::pin(async move { Application::admit(&*self, &request).await })
    }

    fn authorize_join(
        self: Arc<Self>,
        client: Connection,
        room: Arc<str>,
        entry: Entry,
        from: JoinFrom,
    ) -> BoxFuture<Result<Reach, Denied>> {
        Box::pin(async move {
            Application::authorize_join_from(&*self, &client, &room, entry, &from).await
        })
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

    fn on_join(self: Arc<Self>, client: Connection, room: Arc<str>) -> BoxFuture<()> {
        Box::pin(async move { Application::on_join(&*self, &client, &room).await })
    }

    fn on_leave(self: Arc<Self>, client: Connection, room: Arc<str>) -> BoxFuture<()> {
        Box::pin(async move { Application::on_leave(&*self, &client, &room).await })
    }

    fn process_message(
        self: Arc<Self>,
        client: Connection,
        message: Message,
    ) -> BoxFuture<Result<Delivery, Denied>> {
        Box::pin(async move { Application::process_message(&*self, &client, message).await })
    }

    fn on_call(
        self: Arc<Self>,
        client: Connection,
        method: Arc<str>,
        params: String,
    ) -> BoxFuture<Result<Json, Denied>> {
        Box::pin(async move { Application::on_call(&*self, &client, &method, &params).await })
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

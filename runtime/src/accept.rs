//! Creates hubs and hands them sockets.

use std::io;
use std::net::IpAddr;

#[cfg(feature = "tls")]
use rustls::ServerConfig;
use switchboard_core::{Admission, Config, ConfigError, Request};

use crate::application::Application;
use crate::argument::{Foreign, IntoExecutor, IntoSocket, PolledBy};
use crate::driver;
use crate::hub::{Hub, WeakHub};
use crate::listen::Listen;
#[cfg(feature = "tls")]
use crate::net::check_tls;
use crate::net::{AnySocket, PolledSocket};
use crate::node::{Arrival, Upgraded};
#[cfg(feature = "tls")]
use crate::sync::Arc;

/// # Creating a hub and accepting connections
impl Hub {
    /// Creates a hub without connections. It costs no task until the first connection.
    ///
    /// # Errors
    ///
    /// An inconsistent configuration is an error that names the field, the value and the rule.
    pub fn new(config: Config, application: impl Application) -> Result<Self, ConfigError> {
        Self::create(config, |_| application)
    }

    /// Creates a hub together with an application that holds it, for `on_notice` and for whatever else of
    /// the application has no [`Connection`](crate::Connection) at hand.
    ///
    /// # Example
    ///
    /// ```
    /// # use switchboard_core::{Config, Notice};
    /// # use switchboard_runtime::{Application, Hub, WeakHub};
    /// struct Watched {
    ///     hub: WeakHub,
    /// }
    ///
    /// impl Application for Watched {
    ///     fn on_notice(&self, notice: &Notice) {
    ///         if let Notice::HostStalled { .. } = notice
    ///             && let Some(hub) = self.hub.upgrade()
    ///         {
    ///             let _ = hub.broadcast("operators", r#"{"warning":"the host has stalled"}"#);
    ///         }
    ///     }
    /// }
    ///
    /// let hub = Hub::new_with(Config::default(), |hub| Watched { hub })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new). The function is not called then.
    pub fn new_with<A: Application>(
        config: Config,
        application: impl FnOnce(WeakHub) -> A,
    ) -> Result<Self, ConfigError> {
        Self::create(config, application)
    }

    /// Sets the executor of the hub's tasks, for this handle and its clones. By default it is the runtime
    /// of the first `serve` or `accept`.
    #[must_use]
    pub fn spawn_on<E, R>(mut self, executor: E) -> Self
    where
        E: IntoExecutor<R>,
        R: Listen,
    {
        self.set_executor::<R>(executor.into_executor());
        self
    }

    /// Takes a TCP stream that the application accepted itself and expects a request on it. `early`
    /// contains bytes that were already read from it.
    ///
    /// # Errors
    ///
    /// Fails outside of a runtime while the hub has not started, or if the hub's runtime has shut down.
    pub fn accept<S, R>(&self, stream: S, early: Vec<u8>) -> io::Result<()>
    where
        S: IntoSocket<R>,
        R: Listen,
    {
        let (socket, peer) = stream.into_socket()?;
        self.attach::<R>(socket, peer, Arrival::Fresh(None), early)
    }

    /// Takes any other stream that can be read and written, such as a TLS stream.
    ///
    /// For a stream that two runtimes can poll, name one: `hub.accept_stream::<_, Tokio>(…)`.
    ///
    /// `limits.unsent_bytes` does not apply to it: set `TCP_NOTSENT_LOWAT` on the underlying TCP socket.
    /// Otherwise a slow reader is noticed only when the kernel's send buffer is full, too.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_stream<S, R>(&self, stream: S, peer: IpAddr, early: Vec<u8>) -> io::Result<()>
    where
        Foreign<S>: PolledBy<R>,
        R: Listen,
    {
        self.accept_polled(stream, peer, Arrival::Fresh(None), early)
    }

    /// Like [`accept`](Self::accept), over TLS. The TLS handshake is part of the request: both together have
    /// `timeouts.handshake`, and hold a handshake seat from now on.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept); also if rustls refuses the configuration, or if its
    /// `alpn_protocols` contain anything but `http/1.1`.
    #[cfg(feature = "tls")]
    pub fn accept_tls<S, R>(&self, stream: S, config: Arc<ServerConfig>) -> io::Result<()>
    where
        S: IntoSocket<R>,
        R: Listen,
    {
        check_tls(&config)?;
        let (socket, peer) = stream.into_socket()?;
        let socket = socket.secured(peer, config)?;
        self.attach::<R>(socket, peer, Arrival::Fresh(None), Vec::new())
    }

    /// Takes a stream that the application has already upgraded: the 101 response has been sent, and
    /// `request` is the request that it answered. Before answering it, [`consider`](Self::consider) says
    /// whether to refuse it.
    ///
    /// hyper and axum need no code for this: see the feature `http`.
    ///
    /// # Example
    ///
    /// ```
    /// # use std::net::IpAddr;
    /// # use switchboard_core::response::accept_key;
    /// # use switchboard_core::{BadRequest, Refused, Request};
    /// # use switchboard_runtime::Hub;
    /// /// Returns the request, and the value of `Sec-WebSocket-Accept` for the 101 response.
    /// fn check(
    ///     hub: &Hub,
    ///     peer: IpAddr,
    ///     target: &str,
    ///     headers: &[(String, String)],
    /// ) -> Result<(Request, String), Refused> {
    ///     let key = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    ///     let missing = Refused::Malformed(BadRequest::NotAnUpgrade);
    ///     let answer = key.and_then(|(_, key)| accept_key(key)).ok_or(missing)?;
    ///     let headers = headers.iter().map(|(name, value)| (name, value));
    ///     let tokens = &hub.config().tokens;
    ///     let mut request = Request::upgraded_with(tokens, target, None, headers)
    ///         .map_err(Refused::Malformed)?;
    ///     request.set_peer(peer);
    ///     hub.consider(&request)?; // answer `Refused::status()` on an error
    ///     Ok((request, answer))
    /// }
    /// ```
    ///
    /// The 101 response must name the subprotocol `switchboard.v1.json` where
    /// [`speaks_json`](Request::speaks_json) says so. For a stream that two runtimes can poll, name one, as with
    /// [`accept_stream`](Self::accept_stream).
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_upgraded<S, R>(
        &self,
        stream: S,
        peer: IpAddr,
        request: Request,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        Foreign<S>: PolledBy<R>,
        R: Listen,
    {
        self.accept_polled(stream, peer, upgraded(request, None), early)
    }

    /// Like [`accept_upgraded`](Self::accept_upgraded), for a TCP stream, which is then driven like one that
    /// was [accepted](Self::accept): with less memory, and with `limits.unsent_bytes`.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_upgraded_tcp<S, R>(
        &self,
        stream: S,
        request: Request,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        S: IntoSocket<R>,
        R: Listen,
    {
        let (socket, peer) = stream.into_socket()?;
        self.attach::<R>(socket, peer, upgraded(request, None), early)
    }

    fn accept_polled<S, R>(
        &self,
        stream: S,
        peer: IpAddr,
        arrival: Arrival,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        Foreign<S>: PolledBy<R>,
        R: Listen,
    {
        let socket = AnySocket::new(PolledSocket::new(Foreign(stream).adapt()));
        self.attach::<R>(socket, peer, arrival, early)
    }

    pub(crate) fn attach<R: Listen>(
        &self,
        socket: AnySocket,
        peer: IpAddr,
        arrival: Arrival,
        early: Vec<u8>,
    ) -> io::Result<()> {
        let executor = || self.executor::<R>();
        driver::attach::<R>(self.host(), executor, socket, peer, arrival, early)
    }
}

pub(crate) fn upgraded(request: Request, admission: Option<Admission>) -> Arrival {
    Arrival::Upgraded(Box::new(Upgraded { request, admission }))
}

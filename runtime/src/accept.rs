//! Creates hubs and hands them sockets.

use std::io;
use std::net::IpAddr;

use switchboard_core::{Config, ConfigError, Request};

use crate::application::Application;
use crate::driver;
use crate::hub::Hub;
use crate::net::{AnySocket, PolledSocket};
use crate::node::Arrival;
use crate::runtime::{Polls, Runtime};
use crate::sync::Arc;

/// # Creating a hub and accepting connections
impl Hub {
    /// Creates a hub without connections. It costs no task until the first connection.
    ///
    /// # Errors
    ///
    /// An inconsistent configuration is an error that names the field, the value and the rule.
    pub fn new(config: Config, application: impl Application) -> Result<Self, ConfigError> {
        Self::create(config, Arc::new(application))
    }

    /// Sets the executor of the hub's tasks, for this handle and its clones. By default it is the runtime
    /// of the first `serve` or `accept`.
    #[must_use]
    pub fn spawn_on<R: Runtime>(mut self, executor: R::Executor) -> Self {
        self.set_executor::<R>(executor);
        self
    }

    /// Takes a TCP stream that the application accepted itself and expects a request on it. `early`
    /// contains bytes that were already read from it.
    ///
    /// # Errors
    ///
    /// Fails outside of a runtime while the hub has not started, or if the hub's runtime has shut down.
    pub fn accept<R: Runtime>(&self, stream: R::TcpStream, early: Vec<u8>) -> io::Result<()> {
        let (socket, peer) = R::socket(stream)?;
        self.attach::<R>(socket, peer, Arrival::Fresh(None), early)
    }

    /// Takes any other stream that can be read and written, such as a TLS stream.
    ///
    /// `limits.unsent_bytes` does not apply to it: set `TCP_NOTSENT_LOWAT` on the underlying TCP socket.
    /// Otherwise a slow reader is noticed only when the kernel's send buffer is full, too.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_stream<R, T>(&self, stream: T, peer: IpAddr, early: Vec<u8>) -> io::Result<()>
    where
        R: Polls<T>,
    {
        self.accept_polled::<R, T>(stream, peer, Arrival::Fresh(None), early)
    }

    /// Takes a stream that the application has already upgraded: the 101 response has been sent, and
    /// `request` is the request that it answered.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept).
    pub fn accept_upgraded<R, T>(
        &self,
        stream: T,
        peer: IpAddr,
        request: Request,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        R: Polls<T>,
    {
        self.accept_polled::<R, T>(stream, peer, Arrival::Upgraded(Box::new(request)), early)
    }

    fn accept_polled<R, T>(
        &self,
        stream: T,
        peer: IpAddr,
        arrival: Arrival,
        early: Vec<u8>,
    ) -> io::Result<()>
    where
        R: Polls<T>,
    {
        let socket = AnySocket::new(PolledSocket::new(R::adapt(stream)));
        self.attach::<R>(socket, peer, arrival, early)
    }

    pub(crate) fn attach<R: Runtime>(
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

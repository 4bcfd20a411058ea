//! The handle, and the ways into it.

use std::io;
use std::net::IpAddr;
use std::ops::Deref;

use switchboard_core::{Config, ConfigError, Request};
use switchboard_runtime::{Application, Arrival, Foreign, Pages};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::Executor;
use crate::rt::Tokio;
use crate::socket::{Polled, Tcp};

/// A handle on one node's connections: cheap to clone, usable from any task or thread. Everything
/// that does not take a stream stands at [`switchboard_runtime::Hub`].
#[derive(Clone, Debug)]
pub struct Hub {
    hub: switchboard_runtime::Hub,
    executor: Option<Executor>,
}

impl Deref for Hub {
    type Target = switchboard_runtime::Hub;

    fn deref(&self) -> &Self::Target {
        &self.hub
    }
}

impl Hub {
    /// A hub without connections. What does not go together in `config` is an error that names the
    /// field, the value and the rule.
    pub fn new(config: Config, application: impl Application) -> Result<Self, ConfigError> {
        let hub = switchboard_runtime::Hub::new(config, application)?;
        Ok(Self { hub, executor: None })
    }

    /// Where its tasks run; by default where [`serve`](crate::serve) or [`accept`](Self::accept) is
    /// called.
    #[must_use]
    pub fn spawn_on(self, executor: Executor) -> Self {
        Self { executor: Some(executor), ..self }
    }

    /// Takes a TCP stream that the application accepted itself; a request is expected on it. `early`
    /// are bytes that were read from it already.
    pub fn accept(&self, stream: TcpStream, early: Vec<u8>) -> io::Result<()> {
        self.accept_with(stream, early, None)
    }

    /// Takes any other stream, such as one over TLS.
    pub fn accept_stream<T>(&self, stream: T, peer: IpAddr, early: Vec<u8>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.attach_stream(stream, peer, Arrival::Fresh(None), early);
    }

    /// Takes a stream that the application has upgraded itself: the 101 response is sent, and
    /// `request` says what it was asked for.
    pub fn accept_upgraded<T>(&self, stream: T, peer: IpAddr, request: Request, early: Vec<u8>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.attach_stream(stream, peer, Arrival::Upgraded(Box::new(request)), early);
    }

    pub(crate) fn accept_with(
        &self,
        stream: TcpStream,
        early: Vec<u8>,
        pages: Option<Pages>,
    ) -> io::Result<()> {
        let peer = stream.peer_addr()?.ip();
        // Frames go out whole, so waiting for more would only delay them.
        stream.set_nodelay(true)?;
        self.hub.attach(&self.runtime(), Tcp(stream), peer, Arrival::Fresh(pages), early);
        Ok(())
    }

    fn attach_stream<T>(&self, stream: T, peer: IpAddr, arrival: Arrival, early: Vec<u8>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.hub.attach(&self.runtime(), Foreign::new(Polled(stream)), peer, arrival, early);
    }

    pub(crate) fn runtime(&self) -> Tokio {
        Tokio(self.executor.clone().unwrap_or_else(Executor::current))
    }
}

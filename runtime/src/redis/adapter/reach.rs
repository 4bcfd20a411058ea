//! What a runtime contributes to the connection to Redis.

use std::future::Future;
use std::io;

use super::target::Host;
use crate::net::Stream;
use crate::runtime::Runtime;

/// A runtime that can open byte streams to Redis.
pub trait Reach: Runtime {
    /// The byte stream.
    type Stream: Stream;

    /// Opens a stream, with `TCP_NODELAY` set. Dropping the future gives the attempt up.
    fn reach(address: Address) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Where a stream leads.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Address {
    /// The server.
    pub host: Host,
    /// The TLS configuration and the server's name; `None` for plain TCP.
    #[cfg(feature = "redis-tls")]
    pub tls: Option<(
        std::sync::Arc<rustls::ClientConfig>,
        rustls::pki_types::ServerName<'static>,
    )>,
}

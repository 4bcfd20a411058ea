//! Opens byte streams to other servers.

use std::io;
#[cfg(any(feature = "client-tls", feature = "redis-tls"))]
use std::sync::Arc;

use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
#[cfg(any(feature = "client-tls", feature = "redis-tls"))]
use switchboard_runtime::rustls::{ClientConfig, pki_types::ServerName};
use switchboard_runtime::{Runtime, race};

use crate::rt::Smol;

/// A byte stream, with TLS or without.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects to the first address of a host that answers, with `TCP_NODELAY` set.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = smol::net::resolve((host, port)).await?;
    let stream = race::<<Smol as Runtime>::Timer, _, _>(addresses, TcpStream::connect).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Encrypts a stream.
#[cfg(any(feature = "client-tls", feature = "redis-tls"))]
pub(crate) async fn encrypt(
    stream: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<Box<dyn Duplex>> {
    let connector = futures_rustls::TlsConnector::from(config);
    Ok(Box::new(connector.connect(name, stream).await?))
}

//! Serving over TLS, by rustls (feature `tls`).
//!
//! The TLS handshake is part of the request. Both together have `timeouts.handshake` (10 s), and hold a seat
//! of `limits.handshakes` and one of their address. It runs on the event loop of its connection, and so
//! does the signature of the certificate's key: with RSA that takes about a millisecond, with ECDSA much less.
//!
//! An idle connection costs what rustls needs for its session, which is some KiB, and no task.
//!
//! ```no_run
//! use rustls::ServerConfig;
//! use rustls::pki_types::pem::PemObject;
//! use rustls::pki_types::{CertificateDer, PrivateKeyDer};
//! use switchboard_tokio::tls::rustls;
//! use switchboard_tokio::{Application, Config, Hub, serve_tls};
//!
//! struct Chat;
//!
//! impl Application for Chat {}
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config = ServerConfig::builder()
//!         .with_no_client_auth()
//!         .with_single_cert(
//!             CertificateDer::pem_file_iter("certificate.pem")?.collect::<Result<_, _>>()?,
//!             PrivateKeyDer::from_pem_file("key.pem")?,
//!         )?;
//!     let hub = Hub::new(Config::default(), Chat)?;
//!     let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
//!     serve_tls(listener, config, hub).await?;
//!     Ok(())
//! }
//! ```
//!
//! The application depends on rustls with the features of the cryptography provider that it chooses, and
//! replaces a certificate by a `ResolvesServerCert` of its own, without a restart. Pages are served over TLS,
//! too, by [`Serve::with_pages`](crate::Serve::with_pages).

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;

use crate::Hub;

pub use rustls;

/// Takes a TCP stream that the application accepted itself, and expects TLS on it and then a request. Short
/// for [`Hub::accept_tls`]. It returns at once; the TLS handshake goes on in the background.
///
/// # Errors
///
/// As for [`Hub::accept_tls`].
pub fn accept(
    hub: &Hub,
    config: impl Into<Arc<ServerConfig>>,
    stream: TcpStream,
) -> io::Result<()> {
    hub.accept_tls(stream, config.into())
}

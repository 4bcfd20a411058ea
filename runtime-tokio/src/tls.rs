//! Serving over TLS, by rustls (feature `tls`).
//!
//! The TLS handshake is part of the request. Both together have `timeouts.handshake` (10 s), and hold a
//! seat of `limits.handshakes` and one of their address. The handshake, including the signature with
//! the certificate's key, runs on the event loop of its connection. The signature takes about a
//! millisecond with RSA, and much less with ECDSA.
//!
//! An idle connection costs the memory of a rustls session, a few KiB, and no task.
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
//! The application depends on rustls with the features of the cryptography provider that it chooses. It
//! can replace a certificate without a restart with its own `ResolvesServerCert`.
//! [`Serve::with_pages`](crate::Serve::with_pages) serves pages over TLS, too.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;

use crate::Hub;

pub use rustls;

/// Takes a TCP stream that the application accepted, and expects TLS, then a request. Short for
/// [`Hub::accept_tls`]. Returns at once; the TLS handshake continues in the background.
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

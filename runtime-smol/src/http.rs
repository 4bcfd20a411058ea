//! WebSocket connections inside an application of hyper or any other library whose requests are
//! [`http::Request`]s, over HTTP/1.1 and HTTP/2 (feature `http`).
//!
//! Refusals that need no login are HTTP responses before the upgrade: for a request that is not an
//! upgrade (405, 426), is malformed (400), has a foreign origin (403), or arrives while the node is
//! full or draining (503). All other refusals are Close frames, whatever
//! [`Config::refusal`](crate::Config::refusal) says, because the application is asked after the
//! upgrade.
//!
//! If hyper serves a [`FuturesIo<TcpStream>`](FuturesIo), the stream is taken out of hyper and driven
//! directly, so that an idle connection costs the same as one of [`serve`](crate::serve). Over TLS and
//! HTTP/2, hyper continues to drive it.
//!
//! # hyper
//!
//! ```no_run
//! use hyper::server::conn::http1;
//! use hyper_util::service::TowerToHyperService;
//! use smol_hyper::rt::FuturesIo;
//! use switchboard_smol::Hub;
//! use switchboard_smol::http::{HubService, hyper};
//!
//! async fn serve(listener: smol::net::TcpListener, hub: Hub) -> std::io::Result<()> {
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let service = TowerToHyperService::new(HubService::new(hub.clone()));
//!         let connection = http1::Builder::new().serve_connection(FuturesIo::new(stream), service);
//!         smol::spawn(connection.with_upgrades()).detach();
//!     }
//! }
//! ```

use std::io;
use std::net::IpAddr;

use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;
use switchboard_runtime::http::HyperIo;
use switchboard_runtime::{AnySocket, IntoSocket};

use crate::rt::Smol;

pub use switchboard_runtime::http::{EventStreamBody, UpgradeRejection, http, hyper, refusal};

/// A request to upgrade a connection to a WebSocket.
pub type Upgrade = switchboard_runtime::http::Upgrade<Smol>;

/// A tower service for clients that can open no WebSocket: event streams, and what their clients post. The
/// path of the request must be that of [`Config::sse`](crate::Config::sse), at which listeners of a hub serve
/// the same.
pub type EventStreams = switchboard_runtime::http::EventStreams<Smol>;

/// A tower service that hands every upgrade to a hub.
pub type HubService = switchboard_runtime::http::HubService<Smol>;

impl HyperIo for Smol {
    type Io = FuturesIo<TcpStream>;

    fn into_socket(io: FuturesIo<TcpStream>) -> io::Result<(AnySocket, IpAddr)> {
        io.into_inner().into_socket()
    }
}

//! WebSocket connections inside an application of axum, hyper or any other library whose requests are
//! [`http::Request`]s, over HTTP/1.1 and HTTP/2 (feature `http`; for axum's extractor, `axum`).
//!
//! Refusals that need no login are HTTP responses before the upgrade: for a request that is not an
//! upgrade (405, 426), is malformed (400), has a foreign origin (403), or arrives while the node is
//! full or draining (503). All other refusals are Close frames, whatever
//! [`Config::refusal`](crate::Config::refusal) says, because the application is asked after the
//! upgrade.
//!
//! If hyper serves a [`TokioIo<TcpStream>`](TokioIo), as `axum::serve` does, the stream is taken out of
//! hyper and driven directly, so that an idle connection costs the same as one of
//! [`serve`](crate::serve). Over TLS and HTTP/2, hyper continues to drive it.
//!
//! # axum
//!
//! With the feature `axum`, [`Upgrade`] is an extractor. A parameter `room` of the route is the lobby. Use
//! `any`, because over HTTP/2 the method is CONNECT. [`HubService`] does the same without a handler.
//!
//! ```no_run
//! # #[cfg(feature = "axum")] mod example {
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! use axum::extract::{Path, State};
//! use axum::response::Response;
//! use axum::routing::{any, post};
//! use axum::{Extension, Router};
//! use switchboard_tokio::http::Upgrade;
//! use switchboard_tokio::{Application, Config, Hub};
//!
//! struct Chat;
//!
//! impl Application for Chat {}
//!
//! /// What the application's own middleware has found out.
//! #[derive(Clone)]
//! struct User(String);
//!
//! async fn websocket(
//!     State(hub): State<Hub>,
//!     Extension(User(name)): Extension<User>,
//!     upgrade: Upgrade,
//! ) -> Response {
//!     upgrade.admit(switchboard_tokio::Admission::user(name)).accept(&hub)
//! }
//!
//! async fn publish(State(hub): State<Hub>, Path(room): Path<String>, content: String) {
//!     let _ = hub.broadcast(&room, &content);
//! }
//!
//! async fn serve(listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
//!     let hub = Hub::new(Config::default(), Chat)?;
//!     let app = Router::new()
//!         .route("/ws/{room}", any(websocket))
//!         .route("/rooms/{room}/messages", post(publish))
//!         .with_state(hub.clone());
//!     let app = app.into_make_service_with_connect_info::<SocketAddr>();
//!     axum::serve(listener, app)
//!         .with_graceful_shutdown(async move {
//!             let _ = tokio::signal::ctrl_c().await;
//!             // First the WebSockets; newcomers are answered until the last one is gone. Then axum.
//!             hub.drain(Duration::from_secs(10), Duration::from_secs(15)).await;
//!         })
//!         .await?;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! Clients' addresses come from `ConnectInfo<SocketAddr>`. Without it they are known only for plain TCP
//! over HTTP/1.1, and `trusted_proxies` does not affect the check of the origin.
//!
//! # hyper
//!
//! ```no_run
//! use hyper::server::conn::http1;
//! use hyper_util::rt::TokioIo;
//! use hyper_util::service::TowerToHyperService;
//! use switchboard_tokio::Hub;
//! use switchboard_tokio::http::{HubService, hyper};
//!
//! async fn serve(listener: tokio::net::TcpListener, hub: Hub) -> std::io::Result<()> {
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let service = TowerToHyperService::new(HubService::new(hub.clone()));
//!         let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
//!         tokio::spawn(connection.with_upgrades());
//!     }
//! }
//! ```

use std::io;
use std::net::IpAddr;

use hyper_util::rt::TokioIo;
use switchboard_runtime::http::HyperIo;
use switchboard_runtime::{AnySocket, IntoSocket};
use tokio::net::TcpStream;

use crate::rt::Tokio;

pub use switchboard_runtime::http::{EventStreamBody, UpgradeRejection, http, hyper, refusal};

/// A request to upgrade a connection to a WebSocket; an extractor with the feature `axum`.
pub type Upgrade = switchboard_runtime::http::Upgrade<Tokio>;

/// A tower service for clients that can open no WebSocket: event streams, and what their clients post. The
/// path of the request must be that of [`Config::sse`](crate::Config::sse), at which listeners of a hub serve
/// the same.
pub type EventStreams = switchboard_runtime::http::EventStreams<Tokio>;

/// A tower service that hands every upgrade to a hub.
pub type HubService = switchboard_runtime::http::HubService<Tokio>;

impl HyperIo for Tokio {
    type Io = TokioIo<TcpStream>;

    fn into_socket(io: TokioIo<TcpStream>) -> io::Result<(AnySocket, IpAddr)> {
        io.into_inner().into_socket()
    }
}

//! WebSocket connections inside an application of hyper, axum or any other library whose requests are
//! [`http::Request`]s, over HTTP/1.1 and HTTP/2 (feature `http`).
//!
//! - [`Upgrade`] is an upgrade request. Passing it to a hub answers it. With the feature `axum` it is
//!   an extractor.
//! - [`HubService`] is a tower service that does this for each request.
//! - [`EventStreams`] is a tower service for clients that cannot open a WebSocket.
//!
//! Refusals that need no login are HTTP responses before the upgrade: for a request that is not an
//! upgrade (405, 426), is malformed (400), has a foreign origin (403), or arrives while the node is
//! full or draining (503). All other refusals are Close frames, whatever
//! [`Config::refusal`](switchboard_core::Config::refusal) says.
//!
//! If hyper serves a TCP stream of the runtime, with or without `hyper_util::server::conn::auto`, the
//! stream is taken out of hyper and driven directly. Over TLS and HTTP/2, hyper continues to drive it.
//!
//! Shutting down the library does not close the hub's connections, and draining the hub does not stop
//! the library. A complete shutdown does both, the hub first.

mod attach;
#[cfg(feature = "axum")]
mod extract;
mod framework;
mod pipe;
mod refusal;
mod service;
mod stream;
mod streams;
mod upgrade;

pub use ::{http, hyper};

pub use self::attach::HyperIo;
pub use self::refusal::{UpgradeRejection, refusal};
pub use self::service::HubService;
pub use self::streams::{EventStreamBody, EventStreams};
pub use self::upgrade::Upgrade;

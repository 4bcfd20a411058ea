//! WebSocket connections inside an application of hyper, axum or any other library whose requests are
//! [`http::Request`]s, over HTTP/1.1 and HTTP/2 (feature `http`).
//!
//! - [`Upgrade`] is an upgrade request. Handing it to a hub answers it. With the feature `axum` it is an
//!   extractor.
//! - [`HubService`] is a tower service that does this for each request.
//! - [`EventStreams`] is a tower service for clients that can open no WebSocket.
//!
//! What needs no login is refused by HTTP status, before the upgrade: a request that is no upgrade (405,
//! 426), that is malformed (400), of a foreign origin (403), or while the node is full or drains (503). All
//! other refusals are Close frames, whatever [`Config::refusal`](switchboard_core::Config::refusal) says.
//!
//! Where hyper serves a TCP stream of the runtime, with or without `hyper_util::server::conn::auto`, the
//! stream is taken out of hyper and driven directly. Over TLS and HTTP/2, hyper goes on driving it.
//!
//! The library shuts down without its WebSocket connections, and the hub without the library: a whole shutdown does
//! both, the hub first.

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

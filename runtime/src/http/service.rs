//! [`HubService`]: a tower service that hands every upgrade to a hub.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use switchboard_core::{BadRequest, Refused};
use tower_service::Service;

use super::attach::HyperIo;
use super::framework;
use super::refusal::refusal;
use super::upgrade::Upgrade;
use crate::hub::Hub;

/// A tower service that passes every upgrade to a hub, and refuses every other request.
///
/// The path has to be that of [`Config::endpoint`](switchboard_core::Config::endpoint), as for a listener
/// of the hub itself: by default `/ws` and `/ws/{room}`. With the feature `axum` it may also be any path
/// with a parameter `room`: `router.route_service("/chat/{room}", service)`.
///
/// A middleware can supply the client's identity as an [`Admission`](switchboard_core::Admission) among
/// the request's extensions.
pub struct HubService<R> {
    hub: Hub,
    peer: Option<IpAddr>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: HyperIo> HubService<R> {
    /// Creates a service. For plain TCP it serves all connections; otherwise, each needs a clone with its
    /// [`peer`](Self::peer).
    pub fn new(hub: Hub) -> Self {
        Self {
            hub,
            peer: None,
            runtime: PhantomData,
        }
    }

    /// Sets the address of the peer, as [`Upgrade::peer`] does.
    #[must_use]
    pub fn peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    fn answer(&self, parts: &mut Parts) -> Response<String> {
        let lobby = match self.lobby(parts) {
            Ok(lobby) => lobby,
            Err(bad) => return refusal(Refused::Malformed(bad)),
        };
        let mut upgrade = match Upgrade::<R>::new(parts) {
            Ok(upgrade) => upgrade,
            Err(rejection) => return rejection.to_response(),
        };
        if let Some(room) = lobby {
            upgrade = upgrade.lobby(room);
        }
        if let Some(peer) = self.peer {
            upgrade = upgrade.peer(peer);
        }
        upgrade.accept(&self.hub)
    }

    fn lobby(&self, parts: &mut Parts) -> Result<Option<String>, BadRequest> {
        if let Some(room) = framework::room(parts)? {
            return Ok(Some(room));
        }
        let config = self.hub.config();
        let path = parts.uri.path();
        config.endpoint.lobby_of(path, config.limits.name_bytes)
    }
}

impl<R> Clone for HubService<R> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            peer: self.peer,
            runtime: PhantomData,
        }
    }
}

impl<R> fmt::Debug for HubService<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubService")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl<R: HyperIo, B> Service<Request<B>> for HubService<R> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, _) = request.into_parts();
        ready(Ok(self.answer(&mut parts)))
    }
}

//! [`Upgrade`]: a request for a WebSocket, to be handed to a hub.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use switchboard_core::response::JSON_PROTOCOL;
use switchboard_core::{Admission, BadRequest, Refused, UpgradeRequest};

use super::attach::{HyperIo, attach};
use super::framework;
use super::refusal::{UpgradeRejection, refusal};
use crate::hub::Hub;
use crate::shield::{debug, error, warn};

/// A request to upgrade a connection to a WebSocket, or an extended CONNECT of HTTP/2 (RFC 8441).
///
/// [`accept`](Self::accept) answers it and hands the stream to a hub.
#[must_use = "an upgrade is answered by `accept`"]
pub struct Upgrade<R> {
    request: UpgradeRequest,
    stream: OnUpgrade,
    peer: Option<IpAddr>,
    lobby: Option<String>,
    admission: Option<Admission>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: HyperIo> Upgrade<R> {
    /// Takes the upgrade out of a request's parts.
    ///
    /// An [`Admission`] among its extensions, from a middleware, is used as with [`admit`](Self::admit).
    ///
    /// # Errors
    ///
    /// The [`UpgradeRejection`] says why the request is not a legal upgrade request, and is the response.
    pub fn new(parts: &mut Parts) -> Result<Self, UpgradeRejection> {
        let (version, method) = (parts.version, &parts.method);
        Self::check(
            version,
            method,
            &parts.uri,
            &parts.headers,
            &mut parts.extensions,
        )
    }

    /// Like [`new`](Self::new), for a whole request.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn from_request<B>(request: &mut Request<B>) -> Result<Self, UpgradeRejection> {
        let mut extensions = std::mem::take(request.extensions_mut());
        let (version, method) = (request.version(), request.method());
        let (uri, headers) = (request.uri(), request.headers());
        let upgrade = Self::check(version, method, uri, headers, &mut extensions);
        *request.extensions_mut() = extensions;
        upgrade
    }

    fn check(
        version: Version,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        extensions: &mut http::Extensions,
    ) -> Result<Self, UpgradeRejection> {
        let protocol = extensions.get::<Protocol>().map(Protocol::as_str);
        let whole = framework::original(extensions).unwrap_or(uri);
        let request = parse(version, method, protocol, whole, headers);
        let request = request.map_err(UpgradeRejection::new)?;
        let Some(stream) = extensions.remove::<OnUpgrade>() else {
            warn!("hyper cannot upgrade this connection: serve it with upgrades");
            return Err(UpgradeRejection::new(BadRequest::NotAnUpgrade));
        };
        Ok(Self {
            request,
            stream,
            peer: framework::peer(extensions),
            lobby: None,
            admission: extensions.remove(),
            runtime: PhantomData,
        })
    }

    /// Sets the lobby: the room that the client enters at once.
    pub fn lobby(mut self, room: impl Into<String>) -> Self {
        self.lobby = Some(room.into());
        self
    }

    /// Sets the address of the peer, for streams other than plain TCP, or in place of that of the stream.
    /// Where the peer is a trusted proxy, the client's address is still taken from `X-Forwarded-For`.
    pub fn peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Supplies the client's identity and the data of the connection, as determined by the framework.
    /// The application's hook `admit` is then not called.
    pub fn admit(mut self, admission: impl Into<Admission>) -> Self {
        self.admission = Some(admission.into());
        self
    }

    /// Returns the first header of this name, ignoring case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// Answers the request, and hands the stream to the hub as soon as the answer has been sent.
    ///
    /// `B` is the framework's type of a body. It is inferred from the type that a handler returns, so that
    /// must be a concrete one, such as `axum::response::Response`.
    pub fn accept<B: From<String>>(self, hub: &Hub) -> Response<B> {
        self.begin(hub).unwrap_or_else(refusal)
    }

    fn begin<B: From<String>>(self, hub: &Hub) -> Result<Response<B>, Refused> {
        let mut response = switching(self.request.accept_key());
        let config = hub.shared().handshake(false);
        let mut request = self
            .request
            .into_request(&config, self.lobby)
            .map_err(Refused::Malformed)?;
        if let Some(peer) = self.peer {
            request.set_peer(peer);
        }
        let admission = self.admission;
        hub.consider_as(&request, admission.as_ref().map(Admission::identity))?;
        let executor = hub.executor::<R>().map_err(|error| {
            error!(%error, "failed to hand over an upgraded stream");
            Refused::Internal
        })?;
        let fields = response.headers_mut();
        if request.speaks_json() {
            let protocol = HeaderValue::from_static(JSON_PROTOCOL);
            fields.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if let Some(agreed) = request.deflate()
            && let Ok(agreed) = HeaderValue::try_from(agreed.to_string())
        {
            fields.insert(SEC_WEBSOCKET_EXTENSIONS, agreed);
        }
        let (hub, stream, peer) = (hub.clone(), self.stream, self.peer);
        R::spawn(&executor, async move {
            match stream.await {
                Ok(upgraded) => {
                    if let Err(error) = attach::<R>(&hub, upgraded, peer, request, admission) {
                        debug!(%error, "failed to take over an upgraded stream");
                    }
                }
                Err(error) => debug!(%error, "an upgrade was not completed"),
            }
        });
        Ok(response)
    }
}

impl<R> fmt::Debug for Upgrade<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("request", &self.request)
            .field("peer", &self.peer)
            .field("lobby", &self.lobby)
            .finish_non_exhaustive()
    }
}

fn parse(
    version: Version,
    method: &Method,
    protocol: Option<&str>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<UpgradeRequest, BadRequest> {
    let fields = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    match version {
        Version::HTTP_11 => {
            // In absolute form, if the client has sent that.
            UpgradeRequest::http1(method.as_str(), &uri.to_string(), fields)
        }
        Version::HTTP_2 => {
            let authority = uri
                .authority()
                .map(|authority| authority.as_str().as_bytes());
            let authority = authority.map(|authority| (":authority", authority));
            let target = uri.path_and_query().map_or("/", |target| target.as_str());
            UpgradeRequest::http2(method.as_str(), protocol, target, fields.chain(authority))
        }
        _ => Err(BadRequest::HttpVersion),
    }
}

/// Returns 101, or 200 with HTTP/2, which has no key.
fn switching<B: From<String>>(accept_key: Option<&str>) -> Response<B> {
    let mut response = Response::new(String::new().into());
    let Some(Ok(key)) = accept_key.map(HeaderValue::from_str) else {
        return response;
    };
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(SEC_WEBSOCKET_ACCEPT, key);
    response
}

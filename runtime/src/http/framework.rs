//! What axum knows of a request: the route's parameter `room`, the peer and the whole target. Without the
//! feature `axum`, nothing.

use std::net::IpAddr;

use http::request::Parts;
use http::{Extensions, Uri};
use switchboard_core::BadRequest;

#[cfg(feature = "axum")]
pub(super) use self::axum::{original, peer, room};

#[cfg(not(feature = "axum"))]
pub(super) fn room(_: &mut Parts) -> Result<Option<String>, BadRequest> {
    Ok(None)
}

#[cfg(not(feature = "axum"))]
pub(super) fn original(_: &Extensions) -> Option<&Uri> {
    None
}

#[cfg(not(feature = "axum"))]
pub(super) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

#[cfg(feature = "axum")]
mod axum {
    use std::net::SocketAddr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use axum::extract::connect_info::{ConnectInfo, MockConnectInfo};
    use axum::extract::rejection::RawPathParamsRejection;
    use axum::extract::{FromRequestParts, OriginalUri, RawPathParams};

    use super::{BadRequest, Extensions, IpAddr, Parts, Uri};

    /// Returns the route's parameter `room`.
    pub(in crate::http) fn room(parts: &mut Parts) -> Result<Option<String>, BadRequest> {
        // Nothing in it waits.
        let extracted = pin!(RawPathParams::from_request_parts(parts, &()));
        match extracted.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(parameters)) => {
                let mut parameters = parameters.iter();
                Ok(parameters.find_map(|(name, value)| (name == "room").then(|| value.to_owned())))
            }
            Poll::Ready(Err(RawPathParamsRejection::InvalidUtf8InPathParam(_))) => {
                Err(BadRequest::Syntax("the path is not percent-encoded UTF-8"))
            }
            Poll::Ready(Err(_)) | Poll::Pending => Ok(None),
        }
    }

    pub(in crate::http) fn original(extensions: &Extensions) -> Option<&Uri> {
        extensions.get::<OriginalUri>().map(|original| &original.0)
    }

    pub(in crate::http) fn peer(extensions: &Extensions) -> Option<IpAddr> {
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0);
        let mocked = || {
            let mocked = extensions.get::<MockConnectInfo<SocketAddr>>();
            mocked.map(|info| info.0)
        };
        peer.or_else(mocked).map(|peer| peer.ip())
    }
}

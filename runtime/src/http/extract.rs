//! The extractor for axum.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use switchboard_core::BadRequest;

use super::attach::HyperIo;
use super::framework;
use super::refusal::UpgradeRejection;
use super::upgrade::Upgrade;

/// The parameter `room` of the route is the lobby.
impl<S: Send + Sync, R: HyperIo> FromRequestParts<S> for Upgrade<R> {
    type Rejection = UpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, UpgradeRejection> {
        extract(parts)
    }
}

/// `None` if the request does not ask for a WebSocket, so that one route can serve a page, too.
impl<S: Send + Sync, R: HyperIo> OptionalFromRequestParts<S> for Upgrade<R> {
    type Rejection = UpgradeRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, UpgradeRejection> {
        match extract(parts) {
            Ok(upgrade) => Ok(Some(upgrade)),
            Err(rejection) => match rejection.bad_request() {
                BadRequest::NotAnUpgrade | BadRequest::Method | BadRequest::HttpVersion => Ok(None),
                _ => Err(rejection),
            },
        }
    }
}

impl IntoResponse for UpgradeRejection {
    fn into_response(self) -> Response {
        self.to_response()
    }
}

fn extract<R: HyperIo>(parts: &mut Parts) -> Result<Upgrade<R>, UpgradeRejection> {
    let room = framework::room(parts).map_err(UpgradeRejection::new)?;
    let upgrade = Upgrade::new(parts)?;
    Ok(match room {
        Some(room) => upgrade.lobby(room),
        None => upgrade,
    })
}

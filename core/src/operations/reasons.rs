//! All reasons, so that each has a counter before it first occurs.

use crate::{ApplicationCode, BadOrigin, BadRequest, CloseReason, Refused};

/// Returns every reason that the statistics distinguish. One code stands for all codes of the
/// application.
pub(super) fn close_reasons() -> impl Iterator<Item = CloseReason> {
    std::iter::successors(Some(CloseReason::Replaced), |&reason| after(reason))
}

/// Returns every refusal that the statistics distinguish.
pub(super) fn refusals() -> impl Iterator<Item = Refused> {
    std::iter::successors(Some(Refused::Restart), |&refused| after_refusal(refused))
}

/// A chain, because a match must name a new variant, and a list need not.
const fn after(reason: CloseReason) -> Option<CloseReason> {
    Some(match reason {
        CloseReason::Replaced => CloseReason::Draining,
        CloseReason::Draining => CloseReason::ProtocolError,
        CloseReason::ProtocolError => CloseReason::UnsupportedData,
        CloseReason::UnsupportedData => CloseReason::InvalidUtf8,
        CloseReason::InvalidUtf8 => CloseReason::TooBig,
        CloseReason::TooBig => CloseReason::Policy,
        CloseReason::Policy => CloseReason::Internal,
        CloseReason::Internal => CloseReason::Restart,
        CloseReason::Restart => CloseReason::Unauthorized,
        CloseReason::Unauthorized => CloseReason::ServerFull,
        CloseReason::ServerFull => CloseReason::LobbyFull,
        CloseReason::LobbyFull => CloseReason::Forbidden,
        CloseReason::Forbidden => CloseReason::Kicked,
        CloseReason::Kicked => CloseReason::AlreadyConnected,
        CloseReason::AlreadyConnected => CloseReason::IpLimit,
        CloseReason::IpLimit => CloseReason::SlowConsumer,
        CloseReason::SlowConsumer => CloseReason::RateLimited,
        CloseReason::RateLimited => CloseReason::AuthTimeout,
        CloseReason::AuthTimeout => CloseReason::HeartbeatTimeout,
        CloseReason::HeartbeatTimeout => CloseReason::TokenExpired,
        CloseReason::TokenExpired => match CloseReason::application(4400) {
            Ok(reason) => reason,
            Err(_) => return None,
        },
        CloseReason::Application(_) => CloseReason::ClientClosed,
        CloseReason::ClientClosed => CloseReason::Eof,
        CloseReason::Eof => CloseReason::Reset,
        CloseReason::Reset => CloseReason::HandshakeTimeout,
        CloseReason::HandshakeTimeout => CloseReason::Shutdown,
        CloseReason::Shutdown => return None,
    })
}

const fn after_refusal(refused: Refused) -> Option<Refused> {
    Some(match refused {
        Refused::Restart => Refused::Malformed(BadRequest::NotFound),
        Refused::Malformed(_) => Refused::Origin(BadOrigin::Opaque),
        Refused::Origin(_) => Refused::IpLimit,
        Refused::IpLimit => Refused::HandshakesFull,
        Refused::HandshakesFull => Refused::RefusalsFull,
        Refused::RefusalsFull => Refused::Unauthorized,
        Refused::Unauthorized => Refused::Forbidden,
        Refused::Forbidden => match ApplicationCode::new(4400) {
            Ok(code) => Refused::Application(code),
            Err(_) => return None,
        },
        Refused::Application(_) => Refused::AlreadyConnected,
        Refused::AlreadyConnected => Refused::ServerFull,
        Refused::ServerFull => Refused::LobbyFull,
        Refused::LobbyFull => Refused::Internal,
        Refused::Internal => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_reason_comes_twice_and_the_first_and_the_last_are_there() {
        let reasons: Vec<_> = close_reasons().take(100).collect();
        let keys: BTreeSet<_> = reasons.iter().map(|reason| reason.as_str()).collect();
        assert_eq!((keys.len(), reasons.len()), (27, 27));
        let refusals: Vec<_> = refusals().take(100).collect();
        let keys: BTreeSet<_> = refusals.iter().map(|refused| refused.as_str()).collect();
        assert_eq!((keys.len(), refusals.len()), (13, 13));
    }
}

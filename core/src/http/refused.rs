//! Why a connection was refused. The HTTP status, the close code, the text and the counter's key all come from one
//! enum, so that they cannot disagree.

use std::fmt;

use crate::{ApplicationCode, BadOrigin, CloseReason};

/// Why a connection was refused (docs/behaviour.md, section 1).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// The request violates HTTP, or RFC 6455, section 4.2.1.
    Malformed(BadRequest),
    /// The node is draining.
    Restart,
    /// The requesting page is of a foreign origin (RFC 6455, section 10.2).
    Origin(BadOrigin),
    /// Too many connections, connects per second, or rooms of one address.
    IpLimit,
    /// Every handshake seat is taken.
    HandshakesFull,
    /// Too many refused connections are not gone yet.
    RefusalsFull,
    /// A missing or invalid token.
    Unauthorized,
    /// The application refused.
    Forbidden,
    /// The application refused, with its own close code.
    Application(ApplicationCode),
    /// The user is connected already, and the policy keeps the older connection.
    AlreadyConnected,
    /// Every seat of the node is taken.
    ServerFull,
    /// Every seat of the lobby is taken.
    LobbyFull,
    /// A hook panicked or timed out.
    Internal,
}

impl Refused {
    /// Returns the HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed(bad) => bad.status(),
            Self::Restart
            | Self::HandshakesFull
            | Self::RefusalsFull
            | Self::ServerFull
            | Self::LobbyFull => 503,
            Self::Origin(_) | Self::Forbidden | Self::Application(_) => 403,
            Self::IpLimit => 429,
            Self::Unauthorized => 401,
            Self::AlreadyConnected => 409,
            Self::Internal => 500,
        }
    }

    /// Returns the reason to close with after an upgrade, or `None` for refusals that are always
    /// answered by HTTP status.
    pub const fn close(self) -> Option<CloseReason> {
        Some(match self {
            Self::Restart => CloseReason::Restart,
            Self::IpLimit => CloseReason::IpLimit,
            Self::Unauthorized => CloseReason::Unauthorized,
            Self::Forbidden => CloseReason::Forbidden,
            Self::Application(code) => CloseReason::Application(code),
            Self::AlreadyConnected => CloseReason::AlreadyConnected,
            Self::ServerFull => CloseReason::ServerFull,
            Self::LobbyFull => CloseReason::LobbyFull,
            Self::Internal => CloseReason::Internal,
            Self::Malformed(_) | Self::Origin(_) | Self::HandshakesFull | Self::RefusalsFull => {
                return None;
            }
        })
    }

    /// Returns the reason to close with if the application has already completed the upgrade, so that
    /// an HTTP status can no longer be sent.
    pub const fn close_upgraded(self) -> CloseReason {
        match self.close() {
            Some(reason) => reason,
            None => CloseReason::Policy,
        }
    }

    /// Returns the key in the statistics and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Origin(_) => "origin",
            Self::HandshakesFull => "handshakes_full",
            Self::RefusalsFull => "refusals_full",
            Self::Restart => "restart",
            Self::IpLimit => "ip_limit",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Application(_) => "application",
            Self::AlreadyConnected => "already_connected",
            Self::ServerFull => "server_full",
            Self::LobbyFull => "lobby_full",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(bad) => bad.fmt(f),
            Self::Origin(bad) => bad.fmt(f),
            other => f.write_str(other.as_str()),
        }
    }
}

impl std::error::Error for Refused {}

/// What is wrong with a request (RFC 6455, section 4.2.1; RFC 9112).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BadRequest {
    /// 400: a syntax rule, which is named, was broken.
    Syntax(&'static str),
    /// 404: no such path.
    NotFound,
    /// 405: not a GET.
    Method,
    /// 405: neither a GET nor a POST, at the path of event streams.
    StreamMethod,
    /// 411: a post without `Content-Length`.
    LengthRequired,
    /// 413: the body of a post is larger than a message may be, or has more messages than a post may.
    BodyTooLarge,
    /// 414: the target is longer than 8 KiB.
    TargetTooLong,
    /// 426: not an upgrade to the WebSocket protocol.
    NotAnUpgrade,
    /// 426: a version other than 13 (RFC 6455, section 4.4).
    Version,
    /// 431: too many header fields, or too large a head.
    HeadTooLarge,
    /// 505: neither HTTP/1.1 nor a page by HTTP/1.0.
    HttpVersion,
}

impl BadRequest {
    /// Returns the HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Syntax(_) => 400,
            Self::NotFound => 404,
            Self::Method | Self::StreamMethod => 405,
            Self::LengthRequired => 411,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::NotAnUpgrade | Self::Version => 426,
            Self::HeadTooLarge => 431,
            Self::HttpVersion => 505,
        }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax(rule) => rule,
            Self::NotFound => "no such path",
            Self::Method => "the method must be GET",
            Self::StreamMethod => "the method must be GET or POST",
            Self::LengthRequired => "a post must have a Content-Length",
            Self::BodyTooLarge => {
                "the body is larger than a message may be, or has more than 64 messages"
            }
            Self::TargetTooLong => "the request target is longer than 8 KiB",
            Self::NotAnUpgrade => "this path serves WebSocket: send an upgrade request",
            Self::Version => "the WebSocket version must be 13",
            Self::HeadTooLarge => "too many header fields, or too large",
            Self::HttpVersion => "the protocol must be HTTP/1.1",
        })
    }
}

impl std::error::Error for BadRequest {}

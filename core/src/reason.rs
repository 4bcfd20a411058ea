//! Why a connection ended or was refused. Close code, HTTP status, text and counter key all come
//! from one enum each, so that they cannot disagree.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BadCloseCode, BadOrigin};

/// Why an admitted connection ended (docs/behaviour.md, section 5).
///
/// The code tells a client whether to reconnect; the text is the reason of the Close frame, and the
/// key in the log and the statistics.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// 1000: the same user connected again.
    Replaced,
    /// 1001: the node is draining.
    Draining,
    /// 1002: illegal frames (RFC 6455, section 7.4.1).
    ProtocolError,
    /// 1003: a binary message where only text is allowed.
    UnsupportedData,
    /// 1007: text that is not UTF-8 (RFC 6455, section 8.1).
    InvalidUtf8,
    /// 1009: a message larger than `max_bytes`.
    TooBig,
    /// 1008: a limit on input before authentication, on fragments or on unfinished messages.
    Policy,
    /// 1011: a hook panicked or timed out.
    Internal,
    /// 1012: refused because the node is draining.
    Restart,
    /// 4001: a missing or invalid token, or one of another user.
    Unauthorized,
    /// 4002: every seat of the node is taken.
    ServerFull,
    /// 4002: every seat of the lobby is taken.
    LobbyFull,
    /// 4003: the application refused.
    Forbidden,
    /// 4004: the application closed the connection.
    Kicked,
    /// 4005: the user is connected already.
    AlreadyConnected,
    /// 4100: too many connections, connects or rooms of one address.
    IpLimit,
    /// 4101: the client does not take what is sent to it.
    SlowConsumer,
    /// 4102: too many messages over the rate limit.
    RateLimited,
    /// 4103: no `auth` message in time.
    AuthTimeout,
    /// 4201: nothing arrived in time after a ping.
    HeartbeatTimeout,
    /// 4202: the identity expired.
    TokenExpired,
    /// 4400 to 4999: a close code of the application.
    Application(ApplicationCode),
    /// The client sent a Close frame.
    ClientClosed,
    /// The client's end of the stream came without a Close frame.
    Eof,
    /// The stream failed.
    Reset,
    /// The handshake was not completed in time.
    HandshakeTimeout,
    /// The hub was dropped.
    Shutdown,
}

/// A close code of the application: clients reconnect after 4400 to 4499, and stop after 4500 to
/// 4999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ApplicationCode(u16);

impl ApplicationCode {
    /// Returns the code.
    ///
    /// # Errors
    /// If it is not within 4400 to 4999.
    pub const fn new(code: u16) -> Result<Self, BadCloseCode> {
        match code {
            4400..=4999 => Ok(Self(code)),
            _ => Err(BadCloseCode(code)),
        }
    }
}

impl TryFrom<u16> for ApplicationCode {
    type Error = BadCloseCode;

    fn try_from(code: u16) -> Result<Self, BadCloseCode> {
        Self::new(code)
    }
}

impl From<ApplicationCode> for u16 {
    fn from(code: ApplicationCode) -> Self {
        code.0
    }
}

impl CloseReason {
    /// Returns a reason with a close code of the application.
    ///
    /// # Errors
    /// If the code is not within 4400 to 4999.
    pub const fn application(code: u16) -> Result<Self, BadCloseCode> {
        match ApplicationCode::new(code) {
            Ok(code) => Ok(Self::Application(code)),
            Err(bad) => Err(bad),
        }
    }

    /// Returns the code of the Close frame, or `None` for ends without a close code of ours.
    pub const fn code(self) -> Option<u16> {
        Some(match self {
            Self::Replaced => 1000,
            Self::Draining => 1001,
            Self::ProtocolError => 1002,
            Self::UnsupportedData => 1003,
            Self::InvalidUtf8 => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::Restart => 1012,
            Self::Unauthorized => 4001,
            Self::ServerFull | Self::LobbyFull => 4002,
            Self::Forbidden => 4003,
            Self::Kicked => 4004,
            Self::AlreadyConnected => 4005,
            Self::IpLimit => 4100,
            Self::SlowConsumer => 4101,
            Self::RateLimited => 4102,
            Self::AuthTimeout => 4103,
            Self::HeartbeatTimeout => 4201,
            Self::TokenExpired => 4202,
            Self::Application(code) => code.0,
            Self::ClientClosed
            | Self::Eof
            | Self::Reset
            | Self::HandshakeTimeout
            | Self::Shutdown => return None,
        })
    }

    /// Returns the reason as in the Close frame, the log and the statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Draining => "draining",
            Self::ProtocolError => "protocol_error",
            Self::UnsupportedData => "unsupported_data",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooBig => "too_big",
            Self::Policy => "policy",
            Self::Internal => "internal",
            Self::Restart => "restart",
            Self::Unauthorized => "unauthorized",
            Self::ServerFull => "server_full",
            Self::LobbyFull => "lobby_full",
            Self::Forbidden => "forbidden",
            Self::Kicked => "kicked",
            Self::AlreadyConnected => "already_connected",
            Self::IpLimit => "ip_limit",
            Self::SlowConsumer => "slow_consumer",
            Self::RateLimited => "rate_limited",
            Self::AuthTimeout => "auth_timeout",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::TokenExpired => "token_expired",
            Self::Application(_) => "application",
            Self::ClientClosed => "client_closed",
            Self::Eof => "eof",
            Self::Reset => "reset",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Shutdown => "shutdown",
        }
    }

    /// Returns whether the client's side ended the connection, so that its user may soon be back
    /// and gets the grace period of presence.
    pub const fn is_peer_initiated(self) -> bool {
        matches!(self, Self::ClientClosed | Self::Eof | Self::Reset)
    }

    /// Returns whether the client is expected back without having left or been put out, so that the seats of
    /// its user are held where a rule says so ([`RoomRule::hold_seat`](crate::RoomRule::hold_seat)): the
    /// ends of the client's side, and those after which clients reconnect at once or a newer connection goes
    /// on.
    pub const fn holds_seats(self) -> bool {
        self.is_peer_initiated()
            || matches!(
                self,
                Self::HeartbeatTimeout | Self::SlowConsumer | Self::TokenExpired | Self::Replaced
            )
    }

    /// Returns whether queued messages are sent before the Close frame (docs/behaviour.md, section
    /// 5).
    pub const fn flushes(self) -> bool {
        matches!(
            self,
            Self::Draining
                | Self::Replaced
                | Self::TokenExpired
                | Self::Application(_)
                | Self::ClientClosed
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
    /// The application refused, with a close code of its own.
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

    /// Returns the reason to close with where the application has completed the upgrade already, so that
    /// nothing can be answered by HTTP status any more.
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

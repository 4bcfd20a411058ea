//! Why a connection ends or was never let in: one enum each, from which code, status, text and
//! counter key all come, so that they cannot disagree.

use std::fmt;

use crate::{BadCloseCode, BadOrigin};

/// Why an admitted connection ended (spec, section 10).
///
/// Its number tells a client what to do; its text is the Close frame's reason, the log's word and
/// the key in the statistics.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// 1000: the same user connected again.
    Replaced,
    /// 1001: the node drains.
    Draining,
    /// 1002: illegal frames (RFC 6455, section 7.4.1).
    ProtocolError,
    /// 1003: binary where text is spoken.
    UnsupportedData,
    /// 1007: text that is not UTF-8 (RFC 6455, section 8.1).
    InvalidUtf8,
    /// 1009: a message over `max_bytes`.
    TooBig,
    /// 1008: abuse, the budget before authentication, fragments.
    Policy,
    /// 1011: a hook panicked or took too long.
    Internal,
    /// 1012: refused while draining.
    Restart,
    /// 4001: no token, a bad one, or one of another user.
    Unauthorized,
    /// 4002: every seat of the node is taken.
    ServerFull,
    /// 4002: every seat of the lobby is taken.
    LobbyFull,
    /// 4003: the application said no.
    Forbidden,
    /// 4004: the application ended it.
    Kicked,
    /// 4005: the user is connected already.
    AlreadyConnected,
    /// 4100: too many connections, or connects, of one address.
    IpLimit,
    /// 4101: it did not take what was sent to it.
    SlowConsumer,
    /// 4102: too many messages over the limit.
    RateLimited,
    /// 4103: no `auth` in time.
    AuthTimeout,
    /// 4201: nothing was heard after a ping.
    HeartbeatTimeout,
    /// 4202: the principal expired.
    TokenExpired,
    /// 4400 to 4999: the application's own.
    Application(ApplicationCode),
    /// The client sent a Close frame.
    ClientClosed,
    /// The client's end of the stream without a Close frame.
    Eof,
    /// The stream failed.
    Reset,
    /// No complete handshake in time.
    HandshakeTimeout,
    /// The manager itself was dropped.
    Shutdown,
}

/// A close code of the application: 4400 to 4499 tell a client to reconnect, 4500 to 4999 to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationCode(u16);

impl CloseReason {
    /// A reason of the application's own; the code must be 4400 to 4999.
    pub const fn application(code: u16) -> Result<Self, BadCloseCode> {
        match code {
            4400..=4999 => Ok(Self::Application(ApplicationCode(code))),
            _ => Err(BadCloseCode(code)),
        }
    }

    /// The code in the Close frame; `None` for ends that carry no code of ours.
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

    /// The reason in the Close frame, the log and the statistics.
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

    /// Whether the connection ended by itself, so that its user may be back in a moment
    /// (spec, section 8: `leave_grace`).
    pub const fn is_peer_initiated(self) -> bool {
        matches!(self, Self::ClientClosed | Self::Eof | Self::Reset)
    }

    /// Whether what is queued is still sent before the Close frame (spec, section 5).
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

/// Why a connection was not let in (spec, section 2).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// The request breaks HTTP or RFC 6455, section 4.2.1.
    Malformed(BadRequest),
    /// The node drains.
    Restart,
    /// The page that asked is of another origin (RFC 6455, section 10.2).
    Origin(BadOrigin),
    /// Too many connections, or connects per second, of one address.
    IpLimit,
    /// Every handshake seat is taken.
    HandshakesFull,
    /// Too many refused connections have not gone yet.
    RefusalsFull,
    /// No token, or a bad one.
    Unauthorized,
    /// The application said no.
    Forbidden,
    /// The user is connected already, and the policy is to keep the older connection.
    AlreadyConnected,
    /// Every seat of the node is taken.
    ServerFull,
    /// Every seat of the lobby is taken.
    LobbyFull,
    /// A hook panicked or took too long.
    Internal,
}

impl Refused {
    /// The HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed(bad) => bad.status(),
            Self::Restart
            | Self::HandshakesFull
            | Self::RefusalsFull
            | Self::ServerFull
            | Self::LobbyFull => 503,
            Self::Origin(_) | Self::Forbidden => 403,
            Self::IpLimit => 429,
            Self::Unauthorized => 401,
            Self::AlreadyConnected => 409,
            Self::Internal => 500,
        }
    }

    /// The close to tell it with after an upgrade; `None` for what is always told by HTTP.
    pub const fn close(self) -> Option<CloseReason> {
        Some(match self {
            Self::Restart => CloseReason::Restart,
            Self::IpLimit => CloseReason::IpLimit,
            Self::Unauthorized => CloseReason::Unauthorized,
            Self::Forbidden => CloseReason::Forbidden,
            Self::AlreadyConnected => CloseReason::AlreadyConnected,
            Self::ServerFull => CloseReason::ServerFull,
            Self::LobbyFull => CloseReason::LobbyFull,
            Self::Internal => CloseReason::Internal,
            Self::Malformed(_) | Self::Origin(_) | Self::HandshakesFull | Self::RefusalsFull => {
                return None;
            }
        })
    }

    /// The key in the statistics and the word in the log.
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
    /// 400, with the rule that was broken.
    Syntax(&'static str),
    /// 404: no such path.
    NotFound,
    /// 405: not a GET.
    Method,
    /// 414: the target is longer than 8 KiB.
    TargetTooLong,
    /// 426: not an upgrade to the WebSocket protocol.
    NotAnUpgrade,
    /// 426: another version than 13 (RFC 6455, section 4.4).
    Version,
    /// 431: too many header fields, or too large.
    HeadTooLarge,
    /// 505: not HTTP/1.1, nor a page by HTTP/1.0.
    HttpVersion,
}

impl BadRequest {
    /// The HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Syntax(_) => 400,
            Self::NotFound => 404,
            Self::Method => 405,
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
            Self::TargetTooLong => "the request target is longer than 8 KiB",
            Self::NotAnUpgrade => "this path speaks WebSocket: send an upgrade request",
            Self::Version => "the WebSocket version must be 13",
            Self::HeadTooLarge => "too many header fields, or too large",
            Self::HttpVersion => "the protocol must be HTTP/1.1",
        })
    }
}

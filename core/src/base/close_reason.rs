//! Why a connection ended. The close code, the text and the counter's key all come from one enum, so that they
//! cannot disagree.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an admitted connection ended (docs/behaviour.md, section 5).
///
/// The code tells a client whether to reconnect; the text is the reason in the Close frame, and the key
/// in the log and the statistics.
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
    /// 4101: the client does not read what is sent to it.
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

    /// Returns whether the client's side ended the connection, so that its user may reconnect soon and
    /// gets the grace period of presence.
    pub const fn is_peer_initiated(self) -> bool {
        matches!(self, Self::ClientClosed | Self::Eof | Self::Reset)
    }

    /// Returns whether the user's seats are held if a rule says so
    /// ([`RoomRule::hold_seat`](crate::RoomRule::hold_seat)), because the client is expected to
    /// reconnect: after ends by the client's side, ends after which clients reconnect at once, and
    /// replacement by a newer connection.
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

/// The error for a code that must not be sent in a Close frame (RFC 6455, section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCloseCode(pub u16);

impl fmt::Display for BadCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must not be sent in a Close frame", self.0)
    }
}

impl std::error::Error for BadCloseCode {}

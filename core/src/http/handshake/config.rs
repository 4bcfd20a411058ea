//! The configuration of a handshake.

use serde::{Deserialize, Serialize};

use crate::Tokens;

/// The configuration of a [`Handshake`](crate::Handshake).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeConfig {
    /// The paths at which upgrades are accepted.
    pub endpoint: Endpoint,
    /// Whether requests for other paths are returned, for pages or health checks, instead of being
    /// refused with 404. Upgrade requests for other paths are always refused.
    pub pages: bool,
    /// Whether the subprotocol `switchboard.v1.json` is supported. Only beside it may a token be
    /// offered as another subprotocol.
    pub json: bool,
    /// Whether the extension permessage-deflate is agreed on with clients that offer it, unless they
    /// decline by `deflate=off` in the query.
    pub compression: bool,
    /// Whether clients that offer it keep what they have inflated; see
    /// [`Compression::room_contexts`](crate::Compression::room_contexts).
    pub room_contexts: bool,
    /// The path at which event streams are served; see [`Config::sse`](crate::Config::sse).
    pub sse: Option<String>,
    /// The maximum size of a lobby's name, in bytes after decoding.
    pub name_bytes: usize,
    /// Where a request may carry its token.
    pub tokens: Tokens,
}

/// The paths at which upgrades are accepted.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// This path (`/ws`), written decoded and without regard to trailing slashes, and the paths
    /// with one more segment, which names the lobby (`/ws/{room}`).
    At(String),
    /// Any path, without a lobby.
    Any,
}

impl Default for Endpoint {
    /// `/ws` and `/ws/{room}`.
    fn default() -> Self {
        Self::At("/ws".into())
    }
}

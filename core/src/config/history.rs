//! The history that rooms keep for clients that reconnect.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::JoinFrom;

/// The history of rooms, from which clients that reconnect recover (docs/protocol.md, section 5), and
/// its limits over all rooms.
///
/// A room keeps its most recent numbered messages, as many as all limits allow. The fields that concern
/// one room can be overridden per room ([`RoomRule::history`](super::RoomRule::history)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// Messages of a room (0: rooms keep no history).
    pub messages: usize,
    /// Bytes of a room (256 KiB). Each message counts as its frame and 112 bytes.
    pub room_bytes: usize,
    /// How long a message is kept (5 min).
    #[serde(with = "seconds")]
    pub age: Duration,
    /// How long a room keeps its name, its numbers and its messages after its last member or its
    /// last message, whichever is later (10 min). At least `age`.
    #[serde(with = "seconds")]
    pub linger: Duration,
    /// The number of latest messages for a client that enters a room without a position (0). At most
    /// `messages`.
    pub on_join: usize,
    /// The latest messages that a client may ask for instead of `on_join` (0). At most `messages`.
    pub on_join_max: usize,
    /// Bytes over all rooms (64 MiB); of more than half of `limits.queued_bytes`, only that half. What would be the first
    /// to grow too old gives way.
    pub bytes: usize,
    /// Rooms without members (10 000). The one that would be the first to end gives way.
    pub rooms: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            messages: 0,
            room_bytes: 256 << 10,
            age: Duration::from_secs(5 * 60),
            linger: Duration::from_secs(10 * 60),
            on_join: 0,
            on_join_max: 0,
            bytes: 64 << 20,
            rooms: 10_000,
        }
    }
}

impl History {
    /// Returns how many of the newest messages go to a newcomer, which names no position.
    pub(crate) fn newest(&self, from: &JoinFrom) -> usize {
        let most = self.on_join.max(self.on_join_max);
        match from {
            JoinFrom::Last(last) => usize::try_from(*last).unwrap_or(usize::MAX).min(most),
            _ => self.on_join,
        }
    }
}

/// What some rooms keep of their messages; `None` for what [`History`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomHistory {
    /// Messages of a room; 0 for no history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<usize>,
    /// Bytes of a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_bytes: Option<usize>,
    /// How long a message is kept.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// How long a room without members is kept.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub linger: Option<Duration>,
    /// The number of latest messages for a client that enters without a position. By default that of
    /// [`History`], but at most `messages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_join: Option<usize>,
    /// The latest messages that a client may ask for. What [`History`] says holds up to `messages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_join_max: Option<usize>,
}

impl RoomHistory {
    /// Returns what holds for a room with this rule.
    pub(crate) fn over(&self, node: &History) -> History {
        let messages = self.messages.unwrap_or(node.messages);
        let (on_join, on_join_max) = (node.on_join.min(messages), node.on_join_max.min(messages));
        History {
            messages,
            room_bytes: self.room_bytes.unwrap_or(node.room_bytes),
            age: self.age.unwrap_or(node.age),
            linger: self.linger.unwrap_or(node.linger),
            on_join: self.on_join.unwrap_or(on_join),
            on_join_max: self.on_join_max.unwrap_or(on_join_max),
            ..*node
        }
    }
}

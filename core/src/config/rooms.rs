//! Rooms: which ones clients may enter, slow members, and rules for some rooms.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::history::RoomHistory;
use super::presence::{self, RoomPresence};
use super::seconds;
use crate::cluster::{Order, WhenDown};

/// Which rooms a client may enter on its own.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rooms {
    /// Those that the hook `authorize_join` allows; without that hook, only the lobby.
    #[default]
    Ask,
    /// All rooms.
    Open,
}

/// A rule for the rooms whose names start with `prefix`, in place of what holds on the node. Of several
/// that match, the first one holds alone: rules are not combined.
///
/// What the default leaves open is as for rooms without a rule.
///
/// ```
/// # use std::time::Duration;
/// # use switchboard_core::{Config, RoomHistory, RoomPresence, RoomRule, SlowPolicy};
/// let config = Config {
///     room_rules: vec![
///         RoomRule {
///             prefix: "game/".into(),
///             members: Some(8),
///             hold_seat: Some(Duration::from_secs(10)),
///             presence: RoomPresence {
///                 leave_grace: Some(Duration::from_secs(10)),
///                 ..RoomPresence::default()
///             },
///             ..RoomRule::default()
///         },
///         RoomRule {
///             prefix: "news/".into(),
///             slow: Some(SlowPolicy::CatchUp),
///             presence: RoomPresence::off(),
///             history: RoomHistory {
///                 messages: Some(1_000),
///                 ..RoomHistory::default()
///             },
///             ..RoomRule::default()
///         },
///     ],
///     ..Config::default()
/// };
/// config.check()?;
/// # Ok::<(), switchboard_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RoomRule {
    /// The start of the name. An empty one matches all rooms.
    pub prefix: String,
    /// Seats on this node; `None` for `limits.room_members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    /// Seats over all nodes of a cluster, beside those of each node; `None` for no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_total: Option<u32>,
    /// How long a seat is held for a user whose last connection in the room was lost
    /// (docs/behaviour.md, section 3); `None` releases it at once. Presence has a separate grace
    /// period.
    #[serde(
        default,
        with = "seconds::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub hold_seat: Option<Duration>,
    /// The slow policy; `None` for that of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowPolicy>,
    /// The presence of the room. In serialised form, `false` and `true` stand for rules that only turn
    /// presence off or on.
    #[serde(default, deserialize_with = "presence::room_or_flag")]
    pub presence: RoomPresence,
    /// Whether messages are compressed; `None` for the setting of the node. `true` has no effect where
    /// [`Config::compression`](crate::Config::compression) is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress: Option<bool>,
    /// What the room keeps for clients that reconnect.
    #[serde(default)]
    pub history: RoomHistory,
    /// Which messages are kept.
    #[serde(default)]
    pub keep: Keep,
    /// In a cluster, in which order members get the messages; `None` for the setting of the cluster, or
    /// [`Order::Total`] where the latest value of each key is kept. Where that is kept and this says
    /// [`Order::Local`], each node keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What happens while the broker of the cluster is away; `None` for the setting of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_down: Option<WhenDown>,
}

/// Which messages a room keeps.
///
/// ```
/// # use switchboard_core::{Config, Keep, RoomRule};
/// let config = Config {
///     room_rules: vec![RoomRule {
///         prefix: "prices/".into(),
///         keep: Keep::Latest { keys: 500 },
///         ..RoomRule::default()
///     }],
///     ..Config::default()
/// };
/// config.check()?;
/// # Ok::<(), switchboard_core::ConfigError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Keep {
    /// The last ones, as `history` says.
    #[default]
    History,
    /// Keeps the latest value of each key, until the key is removed (docs/protocol.md, section 5). In a
    /// cluster all nodes have the same values. A slow member skips overwritten values. Of `history`,
    /// only `linger` applies.
    ///
    /// Messages without a key are delivered to current members and not kept. They, and removals, make a
    /// member slow as in other rooms; any policy but `disconnect` drops the oldest messages without a
    /// key.
    Latest {
        /// The number of keys that may have a value at a time. The value of a further key is refused.
        /// The same number of removals is kept for clients that reconnect.
        keys: usize,
    },
}

/// What happens to a member that lags too far behind in a room.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowPolicy {
    /// The member is closed (4101 `slow_consumer`).
    #[default]
    Disconnect,
    /// It loses the oldest of the room's messages that it has not received.
    DropOldest,
    /// It loses new messages until it has received those that are queued.
    DropNewest,
    /// It continues from its position at the speed of its socket, as long as the room's history has the
    /// messages that it needs. It loses only messages that have left the history, which a `gap`
    /// announces. Requires a history.
    CatchUp,
}

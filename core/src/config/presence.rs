//! Presence: the notifications to members of rooms about the users there.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::seconds;

/// Presence notifications. Rooms can have settings of their own
/// ([`RoomRule::presence`](super::RoomRule::presence)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether there is presence (yes).
    pub enabled: bool,
    /// The grace period: how long a user whose last connection was lost still counts as present
    /// (3 s).
    #[serde(with = "seconds")]
    pub leave_grace: Duration,
    /// How long changes are collected into one message (250 ms).
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// The largest number of users that one message names (50).
    pub full: usize,
    /// Whether members receive the presence info of users, along with their names (yes).
    pub info: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            enabled: true,
            leave_grace: Duration::from_secs(3),
            interval: Duration::from_millis(250),
            full: 50,
            info: true,
        }
    }
}

/// Presence in some rooms; `None` for what [`Presence`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomPresence {
    /// Whether there is presence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The grace period of a user whose last connection was lost.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub leave_grace: Option<Duration>,
    /// How long changes are collected into one message.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// The largest number of users that one message names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<usize>,
    /// Whether members receive the presence info of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<bool>,
}

impl RoomPresence {
    /// Returns that there is presence, as on the node.
    pub fn on() -> Self {
        Self {
            enabled: Some(true),
            ..Self::default()
        }
    }

    /// Returns that there is no presence.
    pub fn off() -> Self {
        Self {
            enabled: Some(false),
            ..Self::default()
        }
    }

    /// Returns what holds for a room with this rule.
    pub(crate) fn over(&self, node: &Presence) -> Presence {
        Presence {
            enabled: self.enabled.unwrap_or(node.enabled),
            leave_grace: self.leave_grace.unwrap_or(node.leave_grace),
            interval: self.interval.unwrap_or(node.interval),
            full: self.full.unwrap_or(node.full),
            info: self.info.unwrap_or(node.info),
        }
    }
}

/// Deserialises the presence of a rule, where a flag may stand for `enabled` alone.
pub(super) fn room_or_flag<'de, D: Deserializer<'de>>(from: D) -> Result<RoomPresence, D::Error> {
    from.deserialize_any(RoomOrFlag)
}

struct RoomOrFlag;

impl<'de> Visitor<'de> for RoomOrFlag {
    type Value = RoomPresence;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of settings, true or false")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<RoomPresence, E> {
        Ok(RoomPresence {
            enabled: Some(on),
            ..RoomPresence::default()
        })
    }

    fn visit_unit<E: Error>(self) -> Result<RoomPresence, E> {
        Ok(RoomPresence::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RoomPresence, A::Error> {
        RoomPresence::deserialize(MapAccessDeserializer::new(map))
    }
}

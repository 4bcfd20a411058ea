//! What holds for a room: the settings of the node under the rule that matches its name.

use super::Config;
use super::history::History;
use super::rooms::{RoomRule, SlowPolicy};

/// What holds for a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomSettings {
    pub(crate) slow: SlowPolicy,
    pub(crate) presence: bool,
    pub(crate) history: History,
}

impl Config {
    /// Returns what holds for a room of this name.
    pub(crate) fn room(&self, name: &str) -> RoomSettings {
        let mut rules = self.room_rules.iter();
        self.under(rules.find(|rule| name.starts_with(&rule.prefix)))
    }

    /// Returns what holds for the rooms to which this rule applies, or none.
    pub(super) fn under(&self, rule: Option<&RoomRule>) -> RoomSettings {
        let slow = rule.and_then(|rule| rule.slow);
        let presence = rule.and_then(|rule| rule.presence);
        RoomSettings {
            slow: slow.unwrap_or(self.slow),
            presence: presence.unwrap_or(self.presence.enabled),
            history: rule.map_or(self.history, |rule| rule.history.over(&self.history)),
        }
    }
}

//! What holds for a room: the settings of the node under the rule that matches its name.

use std::time::Duration;

use super::Config;
use super::history::History;
use super::presence::Presence;
use super::rooms::{Keep, RoomRule, SlowPolicy};
use crate::cluster::{Order, WhenDown};

/// What holds for a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomSettings {
    /// Seats on this node.
    pub(crate) members: usize,
    /// How long the seat of a lost user stays taken.
    pub(crate) hold_seat: Option<Duration>,
    pub(crate) slow: SlowPolicy,
    pub(crate) presence: Presence,
    pub(crate) compress: bool,
    pub(crate) history: History,
    pub(crate) keep: Keep,
    pub(crate) order: Order,
    pub(crate) when_down: WhenDown,
    pub(crate) members_total: Option<u32>,
}

impl RoomSettings {
    /// Returns whether a room keeps messages when it has no members.
    pub(crate) const fn keeps(&self) -> bool {
        self.history.messages > 0 || matches!(self.keep, Keep::Latest { .. })
    }

    /// Returns whether the nodes of a cluster have the room in common.
    pub(crate) const fn is_shared(&self) -> bool {
        match self.keep {
            Keep::History => true,
            // The latest value is the last one in the common order.
            Keep::Latest { .. } => matches!(self.order, Order::Total),
        }
    }
}

impl Config {
    /// Returns what holds for a room of this name.
    pub(crate) fn room(&self, name: &str) -> RoomSettings {
        self.under(self.rule_of(name))
    }

    /// Returns what holds for presence in a room of this name. Cheaper than [`room`](Self::room).
    pub(crate) fn room_presence(&self, name: &str) -> Presence {
        self.presence_under(self.rule_of(name))
    }

    /// Returns the seats of a room of this name on this node. Cheaper than [`room`](Self::room).
    pub(crate) fn room_members(&self, name: &str) -> usize {
        self.members_under(self.rule_of(name))
    }

    /// Returns how long the seat of a lost user of a room of this name stays taken. Cheaper than
    /// [`room`](Self::room).
    pub(crate) fn room_hold_seat(&self, name: &str) -> Option<Duration> {
        self.rule_of(name)?.hold_seat
    }

    fn rule_of(&self, name: &str) -> Option<&RoomRule> {
        let mut rules = self.room_rules.iter();
        rules.find(|rule| name.starts_with(&rule.prefix))
    }

    fn presence_under(&self, rule: Option<&RoomRule>) -> Presence {
        rule.map_or(self.presence, |rule| rule.presence.over(&self.presence))
    }

    fn members_under(&self, rule: Option<&RoomRule>) -> usize {
        let members = rule.and_then(|rule| rule.members);
        members.unwrap_or(self.limits.room_members)
    }

    /// Returns what holds for the rooms to which this rule applies, or none.
    pub(super) fn under(&self, rule: Option<&RoomRule>) -> RoomSettings {
        let slow = rule.and_then(|rule| rule.slow);
        let cluster = self.cluster.as_ref();
        let order = rule.and_then(|rule| rule.order);
        let when_down = rule.and_then(|rule| rule.when_down);
        let mut settings = RoomSettings {
            members: self.members_under(rule),
            hold_seat: rule.and_then(|rule| rule.hold_seat),
            slow: slow.unwrap_or(self.slow),
            presence: self.presence_under(rule),
            compress: rule.and_then(|rule| rule.compress).unwrap_or(true),
            history: rule.map_or(self.history, |rule| rule.history.over(&self.history)),
            keep: rule.map_or(Keep::History, |rule| rule.keep),
            order: order.unwrap_or(cluster.map_or(Order::default(), |it| it.order)),
            when_down: when_down.unwrap_or(cluster.map_or(WhenDown::default(), |it| it.when_down)),
            members_total: rule.and_then(|rule| rule.members_total),
        };
        if let Keep::Latest { .. } = settings.keep {
            settings.order = order.unwrap_or_default();
            let history = &mut settings.history;
            (history.messages, history.on_join, history.on_join_max) = (0, 0, 0);
            if slow.is_none() && self.slow == SlowPolicy::CatchUp {
                settings.slow = SlowPolicy::DropOldest;
            }
        }
        settings
    }
}

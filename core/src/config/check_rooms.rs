//! Validation of what holds for rooms.

use std::fmt;
use std::time::Duration;

use super::Config;
use super::check::{LONGER, POSITIVE, YEAR};
use super::error::ConfigError;
use super::rooms::{Keep, RoomRule, SlowPolicy};

/// The fields of a rule, or those of the node.
#[derive(Clone, Copy)]
struct Fields {
    slow: &'static str,
    messages: &'static str,
    room_bytes: &'static str,
    age: &'static str,
    linger: &'static str,
    on_join: &'static str,
    on_join_max: &'static str,
}

const NODE: Fields = Fields {
    slow: "slow",
    messages: "history.messages",
    room_bytes: "history.room_bytes",
    age: "history.age",
    linger: "history.linger",
    on_join: "history.on_join",
    on_join_max: "history.on_join_max",
};

const RULE: Fields = Fields {
    slow: "room_rules.slow",
    messages: "room_rules.history.messages",
    room_bytes: "room_rules.history.room_bytes",
    age: "room_rules.history.age",
    linger: "room_rules.history.linger",
    on_join: "room_rules.history.on_join",
    on_join_max: "room_rules.history.on_join_max",
};

/// Above this, positions in a room's list of messages would not fit.
const MOST: usize = 1 << 30;

const KEYS: &str = "room_rules.keep.keys";
const MOST_KEYS: usize = 1_000_000;

impl Config {
    /// Checks the settings of the node, then those under each rule.
    pub(super) fn check_rooms(&self) -> Result<(), ConfigError> {
        self.check_room(None)?;
        let mut rules = self.room_rules.iter();
        rules.try_for_each(|rule| self.check_room(Some(rule)))
    }

    fn check_room(&self, rule: Option<&RoomRule>) -> Result<(), ConfigError> {
        let fields = rule.map_or(NODE, |_| RULE);
        let wrong = |field, value: &dyn fmt::Display, rule_broken| {
            let value = match rule {
                Some(rule) => format!("{value} (prefix {:?})", rule.prefix),
                None => value.to_string(),
            };
            Err(ConfigError {
                field,
                value,
                rule: rule_broken,
            })
        };
        let settings = self.under(rule);
        let history = settings.history;
        if let Keep::Latest { keys } = settings.keep {
            if keys == 0 {
                return wrong(KEYS, &keys, POSITIVE);
            }
            if keys > MOST_KEYS {
                return wrong(KEYS, &keys, "must be at most 1000000");
            }
            let own = rule.map(|rule| rule.history).unwrap_or_default();
            for (field, value) in [
                (fields.messages, own.messages),
                (fields.on_join, own.on_join),
                (fields.on_join_max, own.on_join_max),
            ] {
                if let Some(value) = value.filter(|&value| value > 0) {
                    return wrong(field, &value, "must be 0 or left out where keep is latest");
                }
            }
        }
        if history.messages > MOST {
            let most = "must be at most 1073741824";
            return wrong(fields.messages, &history.messages, most);
        }
        if settings.slow == SlowPolicy::CatchUp && history.messages == 0 {
            let needs = "needs history: history.messages must be at least 1";
            return wrong(fields.slow, &"catch_up", needs);
        }
        if history.room_bytes == 0 {
            return wrong(fields.room_bytes, &0, POSITIVE);
        }
        for (field, value) in [(fields.age, history.age), (fields.linger, history.linger)] {
            if value.is_zero() || value > YEAR {
                return wrong(field, &seconds(value), LONGER);
            }
        }
        if history.linger < history.age {
            let rule = "must be at least history.age";
            return wrong(fields.linger, &seconds(history.linger), rule);
        }
        for (field, value) in [
            (fields.on_join, history.on_join),
            (fields.on_join_max, history.on_join_max),
        ] {
            if value > history.messages {
                return wrong(field, &value, "must be at most history.messages");
            }
        }
        Ok(())
    }
}

fn seconds(value: Duration) -> f64 {
    value.as_secs_f64()
}

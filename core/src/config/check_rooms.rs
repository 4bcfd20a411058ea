//! Validation of what holds for rooms.

use std::fmt;
use std::time::Duration;

use super::Config;
use super::check::{LONGER, POSITIVE, YEAR};
use super::error::ConfigError;
use super::presence::Presence;
use super::rooms::{Keep, RoomRule, SlowPolicy};
use super::settings::RoomSettings;

/// The fields of a rule, or those of the node.
#[derive(Clone, Copy)]
struct Fields {
    members: &'static str,
    leave_grace: &'static str,
    interval: &'static str,
    full: &'static str,
    slow: &'static str,
    messages: &'static str,
    room_bytes: &'static str,
    age: &'static str,
    linger: &'static str,
    on_join: &'static str,
    on_join_max: &'static str,
}

const NODE: Fields = Fields {
    members: "limits.room_members",
    leave_grace: "presence.leave_grace",
    interval: "presence.interval",
    full: "presence.full",
    slow: "slow",
    messages: "history.messages",
    room_bytes: "history.room_bytes",
    age: "history.age",
    linger: "history.linger",
    on_join: "history.on_join",
    on_join_max: "history.on_join_max",
};

const RULE: Fields = Fields {
    members: "room_rules.members",
    leave_grace: "room_rules.presence.leave_grace",
    interval: "room_rules.presence.interval",
    full: "room_rules.presence.full",
    slow: "room_rules.slow",
    messages: "room_rules.history.messages",
    room_bytes: "room_rules.history.room_bytes",
    age: "room_rules.history.age",
    linger: "room_rules.history.linger",
    on_join: "room_rules.history.on_join",
    on_join_max: "room_rules.history.on_join_max",
};

/// Above this, positions in a room's lists would not fit.
const MOST: usize = 1 << 30;
const AT_MOST: &str = "must be at most 1073741824";

const TOTAL: &str = "room_rules.members_total";

const KEYS: &str = "room_rules.keep.keys";
const MOST_KEYS: usize = 1_000_000;

/// A field, its value, and the rule that it breaks.
type Broken = (&'static str, String, &'static str);

impl Config {
    /// Checks the settings of the node, then those under each rule.
    pub(super) fn check_rooms(&self) -> Result<(), ConfigError> {
        self.check_room(None)?;
        for (at, rule) in self.room_rules.iter().enumerate() {
            let mut earlier = self.room_rules[..at].iter();
            if earlier.any(|earlier| rule.prefix.starts_with(&earlier.prefix)) {
                return Err(ConfigError {
                    field: "room_rules.prefix",
                    value: format!("{:?}", rule.prefix),
                    rule: "never applies, because an earlier rule has the start of it",
                });
            }
            self.check_room(Some(rule))?;
        }
        Ok(())
    }

    fn check_room(&self, rule: Option<&RoomRule>) -> Result<(), ConfigError> {
        let fields = rule.map_or(NODE, |_| RULE);
        let settings = self.under(rule);
        check_seats(&settings, fields)
            .and_then(|()| check_presence(&settings.presence, fields))
            .and_then(|()| check_keep(&settings, rule, fields))
            .and_then(|()| check_history(&settings, fields))
            .map_err(|(field, value, broken)| ConfigError {
                field,
                value: match rule {
                    Some(rule) => format!("{value} (prefix {:?})", rule.prefix),
                    None => value,
                },
                rule: broken,
            })
    }
}

fn check_seats(settings: &RoomSettings, fields: Fields) -> Result<(), Broken> {
    let members = settings.members;
    if members == 0 {
        return wrong(fields.members, &0, POSITIVE);
    }
    if members > MOST {
        return wrong(fields.members, &members, AT_MOST);
    }
    match settings.members_total {
        Some(0) => return wrong(TOTAL, &0, POSITIVE),
        Some(total) if !settings.is_shared() => {
            let own = "each node has its own where keep is latest and order is local";
            return wrong(TOTAL, &total, own);
        }
        _ => {}
    }
    match settings.hold_seat {
        Some(hold) => check_time("room_rules.hold_seat", hold),
        None => Ok(()),
    }
}

fn check_presence(presence: &Presence, fields: Fields) -> Result<(), Broken> {
    if presence.full == 0 {
        return wrong(fields.full, &0, POSITIVE);
    }
    check_time(fields.leave_grace, presence.leave_grace)?;
    check_time(fields.interval, presence.interval)
}

fn check_keep(
    settings: &RoomSettings,
    rule: Option<&RoomRule>,
    fields: Fields,
) -> Result<(), Broken> {
    let Keep::Latest { keys } = settings.keep else {
        return Ok(());
    };
    if keys == 0 {
        return wrong(KEYS, &keys, POSITIVE);
    }
    if keys > MOST_KEYS {
        return wrong(KEYS, &keys, "must be at most 1000000");
    }
    if rule.is_some_and(|rule| rule.slow == Some(SlowPolicy::CatchUp)) {
        let none = "must be another policy where keep is latest, for there is no history";
        return wrong(fields.slow, &"catch_up", none);
    }
    let own = rule.map(|rule| rule.history).unwrap_or_default();
    let out = "must be left out where keep is latest";
    if let Some(bytes) = own.room_bytes {
        return wrong(fields.room_bytes, &bytes, out);
    }
    if let Some(age) = own.age {
        return wrong(fields.age, &age.as_secs_f64(), out);
    }
    for (field, value) in [
        (fields.messages, own.messages),
        (fields.on_join, own.on_join),
        (fields.on_join_max, own.on_join_max),
    ] {
        if let Some(value) = value.filter(|&value| value > 0) {
            return wrong(field, &value, "must be 0 or left out where keep is latest");
        }
    }
    Ok(())
}

fn check_history(settings: &RoomSettings, fields: Fields) -> Result<(), Broken> {
    let history = settings.history;
    if matches!(settings.keep, Keep::Latest { .. }) {
        // Nothing else of it applies.
        return check_time(fields.linger, history.linger);
    }
    if history.messages > MOST {
        return wrong(fields.messages, &history.messages, AT_MOST);
    }
    if settings.slow == SlowPolicy::CatchUp && history.messages == 0 {
        let needs = "needs history: history.messages must be at least 1";
        return wrong(fields.slow, &"catch_up", needs);
    }
    if history.room_bytes == 0 {
        return wrong(fields.room_bytes, &0, POSITIVE);
    }
    check_time(fields.age, history.age)?;
    check_time(fields.linger, history.linger)?;
    if history.linger < history.age {
        let rule = "must be at least history.age";
        return wrong(fields.linger, &history.linger.as_secs_f64(), rule);
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

fn check_time(field: &'static str, time: Duration) -> Result<(), Broken> {
    if time.is_zero() || time > YEAR {
        return wrong(field, &time.as_secs_f64(), LONGER);
    }
    Ok(())
}

fn wrong(
    field: &'static str,
    value: &dyn fmt::Display,
    broken: &'static str,
) -> Result<(), Broken> {
    Err((field, value.to_string(), broken))
}

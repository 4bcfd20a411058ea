//! The methods that change nothing.

use std::collections::BTreeMap;

use serde_json::json;
use serde_json::value::RawValue;

use super::failure::{Failure, json};
use super::fields::Fields;
use super::names::channel;
use crate::hub::Hub;

/// The default number of entries of a list.
const DEFAULT: usize = 1_000;
const MOST: usize = 10_000;

/// The default number of messages of a history.
const DEFAULT_HISTORY: usize = 100;

pub(super) fn presence(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let room = channel(hub, fields)?;
    let limit = fields.limit(DEFAULT, MOST)?;
    let mut users = hub.room_users(&room);
    let count = users.len();
    users.truncate(limit);
    let users: Vec<&str> = users.iter().map(|user| &**user).collect();
    json(&json!({ "count": count, "users": users, "members": hub.member_count(&room) }))
}

pub(super) fn channels(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let prefix: Option<String> = fields.optional("prefix", "must be a string")?;
    let limit = fields.limit(DEFAULT, MOST)?;
    let rooms = hub.rooms(prefix.as_deref().unwrap_or_default(), limit);
    let rooms = rooms.iter().filter_map(|room| {
        let members = hub.member_count(room);
        // A room without members has ended since.
        (members > 0).then(|| json!({ "channel": &**room, "members": members }))
    });
    json(&json!({ "channels": rooms.collect::<Vec<_>>() }))
}

pub(super) fn history(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let room = channel(hub, fields)?;
    let from: Option<u64> = fields.optional("from", "must be a whole number")?;
    let limit = fields.limit(DEFAULT_HISTORY, DEFAULT)?;
    let excerpt = match from {
        Some(from) => hub.history(&room, from..),
        None => hub.latest(&room, limit),
    };
    let excerpt = excerpt.ok_or(Failure::NO_CHANNEL)?;
    // As the members have got them, byte for byte.
    let messages = excerpt.messages.iter().take(limit);
    let messages = messages.map(|stored| serde_json::from_str::<&RawValue>(stored.as_json()));
    let messages = messages.collect::<Result<Vec<_>, _>>();
    let messages = json(&messages.unwrap_or_default())?;
    let mut answer = BTreeMap::new();
    answer.insert("epoch", json(&&*excerpt.position.epoch)?);
    answer.insert("first", json(&excerpt.first)?);
    answer.insert("messages", messages);
    answer.insert("seq", json(&excerpt.position.seq)?);
    json(&answer)
}

pub(super) fn info(hub: &Hub, _: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let stats = json!(hub.stats());
    json(&json!({ "version": env!("CARGO_PKG_VERSION"), "stats": stats }))
}

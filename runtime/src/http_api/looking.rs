//! The methods that change nothing.

use serde_json::{Value, json};

use super::failure::Failure;
use super::fields::Fields;
use super::sending::channel;
use crate::hub::Hub;

/// Entries of a list, where the call does not say how many.
const DEFAULT: usize = 1_000;
const MOST: usize = 10_000;

pub(super) fn presence(hub: &Hub, fields: &Fields<'_>) -> Result<Value, Failure> {
    let room = channel(hub, fields)?;
    let limit = fields.limit(DEFAULT, MOST)?;
    let mut users = hub.room_users(&room);
    let count = users.len();
    users.truncate(limit);
    let users: Vec<&str> = users.iter().map(|user| &**user).collect();
    Ok(json!({ "count": count, "users": users, "members": hub.member_count(&room) }))
}

pub(super) fn channels(hub: &Hub, fields: &Fields<'_>) -> Result<Value, Failure> {
    let prefix: Option<String> = fields.optional("prefix", "must be a string")?;
    let limit = fields.limit(DEFAULT, MOST)?;
    let rooms = hub.rooms(prefix.as_deref().unwrap_or_default(), limit);
    let rooms = rooms.iter().filter_map(|room| {
        let members = hub.member_count(room);
        // A room without members has ended meanwhile.
        (members > 0).then(|| json!({ "channel": &**room, "members": members }))
    });
    Ok(json!({ "channels": rooms.collect::<Vec<_>>() }))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a method like the others, which may fail"
)]
pub(super) fn info(hub: &Hub, _: &Fields<'_>) -> Result<Value, Failure> {
    let stats = json!(hub.stats());
    Ok(json!({ "version": env!("CARGO_PKG_VERSION"), "stats": stats }))
}

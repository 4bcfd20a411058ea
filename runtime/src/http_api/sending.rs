//! The methods that send.

use serde_json::json;
use serde_json::value::RawValue;
use switchboard_core::protocol::Content;
use switchboard_core::{ConnectionId, Exclude, Receipt, RoomMessage};

use super::failure::{Failure, json};
use super::fields::Fields;
use super::names::{channel, checked, connection_id, sender};
use crate::hub::{BroadcastError, Hub};

/// The most channels of one call.
const MOST_CHANNELS: usize = 1_000;

/// Bytes of the id of a message.
const ID_BYTES: usize = 128;

/// A message to rooms, without the rooms.
struct Message<'a> {
    content: &'a str,
    sender: Option<String>,
    connections: Vec<ConnectionId>,
    users: Vec<String>,
}

impl<'a> Message<'a> {
    fn parse(hub: &Hub, fields: &Fields<'a>) -> Result<Self, Failure> {
        let excluded = fields.object("exclude", &["connections", "users"])?;
        let list = |name| excluded.optional(name, "must be a list of strings");
        let ids: Vec<String> = list("connections")?.unwrap_or_default();
        let ids = ids.iter().map(|text| connection_id("connections", text));
        Ok(Self {
            content: fields.raw("content")?,
            sender: sender(hub, fields)?,
            connections: ids.collect::<Result<_, _>>()?,
            users: list("users")?.unwrap_or_default(),
        })
    }

    fn send(&self, hub: &Hub, room: &str, marks: &Marks) -> Result<Receipt, BroadcastError> {
        let users: Vec<&str> = self.users.iter().map(String::as_str).collect();
        let exclude = Exclude {
            connections: &self.connections,
            users: &users,
        };
        let content = Content::parse(self.content).map_err(BroadcastError::Content)?;
        let message = RoomMessage::new(room, content).from_user(self.sender.as_deref());
        let message = message.with_key(marks.key.as_deref());
        let message = match &marks.id {
            Some(id) => message
                .with_id(id, marks.again)
                .in_epoch(marks.epoch.as_deref()),
            None => message,
        };
        let sent = hub.broadcast_message(message, exclude);
        sent.map_err(BroadcastError::Send)
    }
}

/// What a message to one room may have beside.
#[derive(Default)]
struct Marks {
    key: Option<String>,
    id: Option<String>,
    /// The number that the room had come to when it was first sent.
    again: Option<u64>,
    /// The epoch of that number.
    epoch: Option<String>,
}

impl Marks {
    fn parse(fields: &Fields<'_>) -> Result<Self, Failure> {
        let id: Option<String> = fields.optional("id", "must be a string")?;
        if id
            .as_ref()
            .is_some_and(|id| !(1..=ID_BYTES).contains(&id.len()))
        {
            let rule = format!("must have from 1 to {ID_BYTES} bytes");
            return Err(Failure::bad_field("id", rule));
        }
        let again = fields.optional("again", "must be a whole number")?;
        if again.is_some() && id.is_none() {
            return Err(Failure::bad_field("again", "needs an `id`"));
        }
        let epoch = fields.optional("epoch", "must be a string")?;
        if epoch.is_some() && again.is_none() {
            return Err(Failure::bad_field("epoch", "needs `again`"));
        }
        Ok(Self {
            key: fields.optional("key", "must be a string")?,
            id,
            again,
            epoch,
        })
    }
}

pub(super) fn publish(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let room = channel(hub, fields)?;
    let marks = Marks::parse(fields)?;
    let receipt = Message::parse(hub, fields)?.send(hub, &room, &marks)?;
    json(&json!(receipt))
}

/// Sends to several rooms. One that fails does not keep the others from their message.
pub(super) fn broadcast(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let rooms: Vec<String> = fields.required("channels", "must be a list of names")?;
    if rooms.len() > MOST_CHANNELS {
        let rule = format!("may have at most {MOST_CHANNELS} names");
        return Err(Failure::bad_field("channels", rule));
    }
    for room in &rooms {
        checked(hub, "channels", room)?;
    }
    let message = Message::parse(hub, fields)?;
    let mut results = Vec::with_capacity(rooms.len());
    for room in rooms {
        let mut result = match message.send(hub, &room, &Marks::default()) {
            // No room would have taken it.
            Err(BroadcastError::Content(bad)) => return Err(BroadcastError::Content(bad).into()),
            Err(error) => json!({ "error": Failure::from(error).into_value() }),
            Ok(receipt) => json!(receipt),
        };
        result["channel"] = room.into();
        results.push(result);
    }
    json(&json!({ "results": results }))
}

pub(super) fn direct(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let user: String = fields.required("user", "must be a string")?;
    checked(hub, "user", &user)?;
    let sender = sender(hub, fields)?;
    let content = fields.raw("content")?;
    let receipt = hub.direct(&user, content, sender.as_deref())?;
    json(&json!(receipt))
}

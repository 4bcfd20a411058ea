//! Names of rooms, users and connections in the fields of a request.

use switchboard_core::{ConnectionId, check_name};

use super::failure::Failure;
use super::fields::Fields;
use crate::hub::Hub;

/// Returns the room that the field `channel` names.
pub(super) fn channel(hub: &Hub, fields: &Fields<'_>) -> Result<String, Failure> {
    let room: String = fields.required("channel", "must be a string")?;
    checked(hub, "channel", &room)?;
    Ok(room)
}

/// Returns the sender of a message from the field `sender`. It must follow the rules for names of
/// users, because a cluster does not transfer other names.
pub(super) fn sender(hub: &Hub, fields: &Fields<'_>) -> Result<Option<String>, Failure> {
    let sender: Option<String> = fields.optional("sender", "must be a string")?;
    if let Some(name) = &sender {
        checked(hub, "sender", name)?;
    }
    Ok(sender)
}

pub(super) fn checked(hub: &Hub, field: &'static str, name: &str) -> Result<(), Failure> {
    let limit = hub.config().limits.name_bytes;
    check_name(name, limit).map_err(|bad| Failure::bad_name(field, bad))
}

pub(super) fn connection_id(field: &'static str, text: &str) -> Result<ConnectionId, Failure> {
    let id = text.parse();
    id.map_err(|_| Failure::bad_field(field, "must be the id of a connection, such as 1f-2"))
}

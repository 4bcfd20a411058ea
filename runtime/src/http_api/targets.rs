//! The methods about one connection, or about all of a user.

use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;
use switchboard_core::{CloseReason, ConnectionId, JoinError};

use super::failure::{Failure, json};
use super::fields::Fields;
use super::names::{channel, checked, connection_id};
use crate::hub::Hub;

/// The longest reason of a Close frame, in bytes (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 123;

/// Returns the connections that a call is about: all of the user that it names, even if there are none,
/// or the connection that it names, which must be there.
fn targets(hub: &Hub, fields: &Fields<'_>) -> Result<Vec<ConnectionId>, Failure> {
    let user: Option<String> = fields.optional("user", "must be a string")?;
    let connection: Option<String> = fields.optional("connection", "must be a string")?;
    match (user, connection) {
        (Some(user), None) => {
            checked(hub, "user", &user)?;
            Ok(hub.connections_of(&user))
        }
        (None, Some(connection)) => {
            let id = connection_id("connection", &connection)?;
            hub.user_of(id).map(|_| vec![id]).ok_or_else(Failure::gone)
        }
        _ => Err(Failure::bad_field(
            "user",
            "either this or `connection` is required, and not both",
        )),
    }
}

pub(super) fn subscribe(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let room = channel(hub, fields)?;
    let (mut joined, mut already, mut failed) = (0, 0, Vec::new());
    for id in targets(hub, fields)? {
        match hub.join(id, &room) {
            Ok(()) => joined += 1,
            Err(JoinError::AlreadyIn) => already += 1,
            // It has ended meanwhile.
            Err(JoinError::Stale(_) | JoinError::NotOpen) => {}
            Err(error) => {
                let mut entry = Failure::from(error).into_value();
                entry["connection"] = id.to_string().into();
                failed.push(entry);
            }
        }
    }
    json(&json!({ "joined": joined, "already": already, "failed": failed }))
}

pub(super) fn unsubscribe(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let room = channel(hub, fields)?;
    let ids = targets(hub, fields)?.into_iter();
    let left = ids.filter(|&id| hub.leave(id, &room) == Ok(true)).count();
    json(&json!({ "left": left }))
}

pub(super) fn disconnect(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    const CODES: &str = "must be a whole number from 4400 to 4999";
    let code: Option<u16> = fields.optional("code", CODES)?;
    let code = code
        .map(|code| CloseReason::application(code).map_err(|_| Failure::bad_field("code", CODES)));
    let reason: Option<String> = fields.optional("reason", "must be a string")?;
    if reason
        .as_ref()
        .is_some_and(|text| text.len() > LONGEST_REASON)
    {
        let rule = format!("may have at most {LONGEST_REASON} bytes");
        return Err(Failure::bad_field("reason", rule));
    }
    let (code, text) = match (code.transpose()?, reason) {
        (None, Some(_)) => {
            return Err(Failure::bad_field(
                "code",
                "is required with `reason`; without both, clients get 4004 kicked",
            ));
        }
        (code, text) => (code, text.unwrap_or_default()),
    };
    let end = |&id: &ConnectionId| match code {
        Some(CloseReason::Application(code)) => hub.close_with(id, code, &text).is_ok(),
        _ => hub.close(id, CloseReason::Kicked).is_ok(),
    };
    let disconnected = targets(hub, fields)?.iter().filter(|&id| end(id)).count();
    json(&json!({ "disconnected": disconnected }))
}

pub(super) fn extend(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    const RULE: &str = "must be a number of seconds, 0 or more, or null for no end";
    let seconds: Option<f64> = fields.required("expires_in", RULE)?;
    let expires_in = seconds.map(Duration::try_from_secs_f64).transpose();
    let expires_in = expires_in.map_err(|_| Failure::bad_field("expires_in", RULE))?;
    let ids = targets(hub, fields)?.into_iter();
    let extended = ids.filter(|&id| hub.extend(id, expires_in).is_ok()).count();
    json(&json!({ "extended": extended }))
}

//! The methods about one connection, or about all of a user.

use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;
use switchboard_core::{ApplicationCode, CloseReason, ConnectionId, JoinError};

use super::failure::{Failure, json};
use super::fields::Fields;
use super::names::{channel, checked, connection_id};
use crate::hub::Hub;

/// The longest reason of a Close frame, in bytes (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 123;

/// The target of a call: a user, who need not be connected, or an existing connection.
enum Target {
    User(String),
    Connection(ConnectionId),
}

impl Target {
    fn parse(hub: &Hub, fields: &Fields<'_>) -> Result<Self, Failure> {
        let user: Option<String> = fields.optional("user", "must be a string")?;
        let connection: Option<String> = fields.optional("connection", "must be a string")?;
        match (user, connection) {
            (Some(user), None) => {
                checked(hub, "user", &user)?;
                Ok(Self::User(user))
            }
            (None, Some(connection)) => {
                let id = connection_id("connection", &connection)?;
                let found = hub.user_of(id).map(|_| Self::Connection(id));
                found.ok_or_else(Failure::gone)
            }
            _ => Err(Failure::bad_field(
                "user",
                "either this or `connection` is required, and not both",
            )),
        }
    }

    /// Returns its connections on this node.
    fn connections(&self, hub: &Hub) -> Vec<ConnectionId> {
        match self {
            Self::User(user) => hub.connections_of(user),
            Self::Connection(id) => vec![*id],
        }
    }

    /// Ends its connections, those of a user on all nodes, and returns how many there were on this one.
    fn end(&self, hub: &Hub, how: Option<(ApplicationCode, &str)>) -> usize {
        let ends = |&id: &ConnectionId| match how {
            Some((code, text)) => hub.close_with(id, code, text).is_ok(),
            None => hub.close(id, CloseReason::Kicked).is_ok(),
        };
        match (self, how) {
            (Self::User(user), None) => hub.disconnect_user(user, CloseReason::Kicked),
            // Only connections on this node receive the text. Seats that are held for the user are
            // released.
            (Self::User(user), Some((code, _))) => {
                let here = self.connections(hub).iter().filter(|&id| ends(id)).count();
                here + hub.disconnect_user(user, CloseReason::Application(code))
            }
            (Self::Connection(id), _) => usize::from(ends(id)),
        }
    }
}

pub(super) fn subscribe(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    let room = channel(hub, fields)?;
    let (mut joined, mut already, mut failed) = (0, 0, Vec::new());
    for id in Target::parse(hub, fields)?.connections(hub) {
        match hub.join(id, &room) {
            Ok(()) => joined += 1,
            Err(JoinError::AlreadyIn) => already += 1,
            // It has ended since.
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
    let ids = Target::parse(hub, fields)?.connections(hub).into_iter();
    let left = ids.filter(|&id| hub.leave(id, &room) == Ok(true)).count();
    json(&json!({ "left": left }))
}

pub(super) fn disconnect(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    const CODES: &str = "must be a whole number from 4400 to 4999";
    let code: Option<u16> = fields.optional("code", CODES)?;
    let code = code.map(ApplicationCode::new).transpose();
    let code = code.map_err(|_| Failure::bad_field("code", CODES))?;
    let reason: Option<String> = fields.optional("reason", "must be a string")?;
    if reason
        .as_ref()
        .is_some_and(|text| text.len() > LONGEST_REASON)
    {
        let rule = format!("may have at most {LONGEST_REASON} bytes");
        return Err(Failure::bad_field("reason", rule));
    }
    if code.is_none() && reason.is_some() {
        return Err(Failure::bad_field(
            "code",
            "is required with `reason`; without both, clients get 4004 kicked",
        ));
    }
    let how = code.map(|code| (code, reason.as_deref().unwrap_or_default()));
    let disconnected = Target::parse(hub, fields)?.end(hub, how);
    json(&json!({ "disconnected": disconnected }))
}

pub(super) fn extend(hub: &Hub, fields: &Fields<'_>) -> Result<Box<RawValue>, Failure> {
    const RULE: &str = "must be a number of seconds, 0 or more, or null for no end";
    let seconds: Option<f64> = fields.required("expires_in", RULE)?;
    let expires_in = seconds.map(Duration::try_from_secs_f64).transpose();
    let expires_in = expires_in.map_err(|_| Failure::bad_field("expires_in", RULE))?;
    let ids = Target::parse(hub, fields)?.connections(hub).into_iter();
    let extended = ids.filter(|&id| hub.extend(id, expires_in).is_ok()).count();
    json(&json!({ "extended": extended }))
}

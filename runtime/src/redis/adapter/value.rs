//! Replies and requests in the types of the client library.

use redis::{Cmd, ServerError, Value};
use switchboard_core::cluster::{Command, Done, Failure};

use crate::redis::names::Names;
use crate::redis::reply::Reply;
use crate::redis::{decode, encode};

/// A request for a command.
pub(super) fn to_request(names: &Names, command: &Command) -> Cmd {
    let mut request = Cmd::new();
    for argument in encode(names, command) {
        request.arg(&*argument);
    }
    request
}

/// What a reply means, and the text of the error that it is.
pub(super) fn to_done(command: &Command, value: Value) -> (Done, Option<String>) {
    let Some(reply) = to_reply(value) else {
        return (Err(Failure::Malformed), None);
    };
    let error = match &reply {
        Reply::Error(error) => Some(error.clone()),
        _ => None,
    };
    (decode(command, reply), error)
}

/// Returns nothing for what no script and no command here replies.
pub(super) fn to_reply(value: Value) -> Option<Reply> {
    Some(match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Integer(number),
        Value::Boolean(is) => Reply::Integer(is.into()),
        Value::BulkString(bytes) => Reply::Text(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
            Reply::Text(text.into_bytes())
        }
        Value::Okay => Reply::Text(b"OK".to_vec()),
        Value::Array(values) | Value::Set(values) => Reply::List(to_replies(values)?),
        Value::Map(pairs) => Reply::List(to_replies(
            pairs.into_iter().flat_map(|(key, value)| [key, value]),
        )?),
        Value::Attribute { data, .. } => return to_reply(*data),
        Value::ServerError(error) => Reply::Error(error_text(&error)),
        _ => return None,
    })
}

fn to_replies(values: impl IntoIterator<Item = Value>) -> Option<Vec<Reply>> {
    values.into_iter().map(to_reply).collect()
}

/// The text of an error with its code, as the server sent it.
pub(super) fn error_text(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

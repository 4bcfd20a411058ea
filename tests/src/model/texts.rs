//! The JSON messages of the server (docs/protocol.md, section 2).

use serde_json::Value;

/// Returns a JSON string.
pub fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn tail(id: Option<&str>) -> String {
    id.map_or(String::new(), |id| format!(r#","id":{id}"#))
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    format!("[{}]", quoted.join(","))
}

/// `welcome`.
pub fn welcome(connection: &str, user: &str, ping_ms: u128, max_bytes: usize) -> String {
    format!(
        r#"{{"type":"welcome","connection":"{connection}","user":{},"ping_ms":{ping_ms},"max_bytes":{max_bytes}}}"#,
        quote(user)
    )
}

/// `authenticated`.
pub fn authenticated(user: &str, id: Option<&str>) -> String {
    format!(
        r#"{{"type":"authenticated","user":{}{}}}"#,
        quote(user),
        tail(id)
    )
}

/// `subscribed`.
pub fn subscribed(
    channel: &str,
    (seq, epoch): (u64, &str),
    (first, recovered): (Option<u64>, Option<bool>),
    id: Option<&str>,
) -> String {
    let first = first.map_or(String::new(), |first| format!(r#","first":{first}"#));
    let recovered = recovered.map_or(String::new(), |it| format!(r#","recovered":{it}"#));
    format!(
        r#"{{"type":"subscribed","channel":{},"seq":{seq},"epoch":"{epoch}"{first}{recovered}{}}}"#,
        quote(channel),
        tail(id)
    )
}

/// `unsubscribed`.
pub fn unsubscribed(channel: &str, id: Option<&str>) -> String {
    format!(
        r#"{{"type":"unsubscribed","channel":{}{}}}"#,
        quote(channel),
        tail(id)
    )
}

/// `message`.
pub fn message(channel: &str, content: &str, sender: Option<&str>, seq: u64) -> String {
    let sender = sender.map_or(String::new(), |name| {
        format!(r#","sender":{}"#, quote(name))
    });
    format!(
        r#"{{"type":"message","channel":{},"content":{content}{sender},"seq":{seq}}}"#,
        quote(channel)
    )
}

/// `direct`.
pub fn direct(content: &str, sender: &str) -> String {
    format!(
        r#"{{"type":"direct","content":{content},"sender":{}}}"#,
        quote(sender)
    )
}

/// `ack` of a `message`.
pub fn ack(id: &str, seq: u64) -> String {
    format!(r#"{{"type":"ack","id":{id},"seq":{seq}}}"#)
}

/// `ack` of a message that the application has handled.
pub fn handled_ack(id: &str) -> String {
    format!(r#"{{"type":"ack","id":{id}}}"#)
}

/// `ack` of a `direct`.
pub fn direct_ack(id: &str, delivered: u64) -> String {
    format!(r#"{{"type":"ack","id":{id},"delivered":{delivered}}}"#)
}

/// `result`.
pub fn result(id: &str, content: &str) -> String {
    format!(r#"{{"type":"result","id":{id},"content":{content}}}"#)
}

/// `pong`.
pub fn pong(timestamp: Option<&str>, id: Option<&str>) -> String {
    let stamp = timestamp.map_or(String::new(), |stamp| format!(r#","timestamp":{stamp}"#));
    format!(r#"{{"type":"pong"{stamp}{}}}"#, tail(id))
}

/// `health_ping`.
pub fn health_ping(timestamp: u64) -> String {
    format!(r#"{{"type":"health_ping","timestamp":{timestamp}}}"#)
}

/// `presence` with a list.
pub fn presence(channel: &str, count: usize, users: &[String]) -> String {
    format!(
        r#"{{"type":"presence","channel":{},"count":{count},"users":{}}}"#,
        quote(channel),
        list(users)
    )
}

/// `presence` with changes.
pub fn changes(channel: &str, count: usize, joined: &[String], left: &[String]) -> String {
    let part = |key: &str, names: &[String]| {
        if names.is_empty() {
            String::new()
        } else {
            format!(r#","{key}":{}"#, list(names))
        }
    };
    format!(
        r#"{{"type":"presence","channel":{},"count":{count}{}{}}}"#,
        quote(channel),
        part("joined", joined),
        part("left", left)
    )
}

/// `error`.
pub fn error(
    code: &str,
    message: &str,
    id: Option<&str>,
    channel: Option<&str>,
    retry_after_ms: Option<u64>,
) -> String {
    let channel = channel.map_or(String::new(), |name| {
        format!(r#","channel":{}"#, quote(name))
    });
    let retry = retry_after_ms.map_or(String::new(), |ms| format!(r#","retry_after_ms":{ms}"#));
    format!(
        r#"{{"type":"error","code":"{code}","message":{}{}{channel}{retry}}}"#,
        quote(message),
        tail(id)
    )
}

/// Returns the text of an `error`; only its length matters.
pub fn words(what: &str) -> &'static str {
    match what {
        "no_channel" => "`channel` is required unless you are in exactly one channel",
        "not_connected" => "the user is not connected",
        "too_large" => "the message is larger than a member's queue can hold",
        "unauthorized" => "log in first",
        "forbidden" => "you are not allowed to do that",
        "not_in_channel" => "you are not in that channel: subscribe first",
        "busy" => "too much waits in that channel: send again later",
        "busy_user" => "too much waits for that user: send again later",
        "rate_limited" => "too many messages: wait before you send again",
        "empty_name" => "a name must not be empty",
        "control" => "a name must not have control characters",
        "already_subscribed" => "the connection is in the room already",
        "too_many_rooms" => "the connection is in too many rooms",
        "no_more_rooms" => "there are too many rooms",
        "room_full" => "the room is full",
        _ => "",
    }
}

/// Returns the close code of each reason (docs/protocol.md, section 4); `None` if it has none.
pub fn close_code(reason: &str) -> Option<u16> {
    Some(match reason {
        "replaced" => 1000,
        "draining" => 1001,
        "protocol_error" => 1002,
        "unsupported_data" => 1003,
        "invalid_utf8" => 1007,
        "too_big" => 1009,
        "policy" => 1008,
        "internal" => 1011,
        "restart" => 1012,
        "unauthorized" => 4001,
        "server_full" | "lobby_full" => 4002,
        "forbidden" => 4003,
        "kicked" => 4004,
        "already_connected" => 4005,
        "ip_limit" => 4100,
        "slow_consumer" => 4101,
        "rate_limited" => 4102,
        "auth_timeout" => 4103,
        "heartbeat_timeout" => 4201,
        "token_expired" => 4202,
        "application" => 4400,
        _ => return None,
    })
}

/// Returns the HTTP status of each refusal (docs/protocol.md, section 4).
pub fn status(refusal: &str) -> u16 {
    match refusal {
        "malformed" => 400,
        "unauthorized" => 401,
        "origin" | "forbidden" => 403,
        "already_connected" => 409,
        "ip_limit" => 429,
        "internal" => 500,
        _ => 503,
    }
}

/// Returns whether queued messages are sent before this end (docs/behaviour.md, section 5).
pub fn flushes(reason: &str) -> bool {
    matches!(
        reason,
        "draining" | "replaced" | "token_expired" | "application" | "client_closed"
    )
}

/// Returns whether the connection ended by itself, so that presence grants a grace period
/// (docs/behaviour.md, section 8).
pub fn by_itself(reason: &str) -> bool {
    matches!(reason, "reset" | "eof" | "client_closed")
}

/// Returns whether a user was lost with the connection, so that rooms may hold the seats (docs/behaviour.md,
/// section 3).
pub fn is_lost(reason: &str) -> bool {
    let told = [
        "replaced",
        "slow_consumer",
        "heartbeat_timeout",
        "token_expired",
    ];
    by_itself(reason) || told.contains(&reason)
}

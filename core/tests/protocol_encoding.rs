//! Encoding of server messages, byte for byte (`docs/protocol.md`, section 2).

use switchboard_core::protocol::{Command, Content, ErrorCode, ServerMessage, parse};

fn content(json: &str) -> Content<'_> {
    Content::parse(json).unwrap()
}

#[track_caller]
fn assert_written(message: ServerMessage<'_>, expected: &str) {
    assert_eq!(message.to_json(), expected);
    let mut out = b"before ".to_vec();
    message.write(&mut out);
    assert_eq!(
        out,
        [b"before ", expected.as_bytes()].concat(),
        "write appends"
    );
}

#[test]
fn answers_are_written_as_the_spec_shows_them() {
    let Ok(Command::Ping { id, timestamp }) =
        parse(r#"{"type":"ping","id":"r-\u00311","timestamp":1.50}"#)
    else {
        panic!()
    };
    let id = id.as_ref();
    assert_written(
        ServerMessage::Subscribed {
            channel: "c",
            seq: 0,
            epoch: "e",
            first: None,
            recovered: None,
            keep: None,
            id: None,
        },
        r#"{"type":"subscribed","channel":"c","seq":0,"epoch":"e"}"#,
    );
    assert_written(
        ServerMessage::Subscribed {
            channel: "c",
            seq: 9,
            epoch: "e",
            first: Some(3),
            recovered: Some(false),
            keep: None,
            id,
        },
        r#"{"type":"subscribed","channel":"c","seq":9,"epoch":"e","first":3,"recovered":false,"id":"r-\u00311"}"#,
    );
    let (channel, from, to) = ("c", 3, 4);
    assert_written(
        ServerMessage::Message {
            channel,
            key: Some("k"),
            content: content("null"),
            sender: None,
            seq: 1,
        },
        r#"{"type":"message","channel":"c","key":"k","content":null,"seq":1}"#,
    );
    assert_written(
        ServerMessage::Volatile {
            channel,
            content: content("1"),
            sender: Some("u"),
        },
        r#"{"type":"message","channel":"c","content":1,"sender":"u"}"#,
    );
    assert_written(
        ServerMessage::UnnumberedAck { id: id.unwrap() },
        r#"{"type":"ack","id":"r-\u00311"}"#,
    );
    assert_written(
        ServerMessage::Skip { channel, from, to },
        r#"{"type":"skip","channel":"c","from":3,"to":4}"#,
    );
    assert_written(
        ServerMessage::Gap { channel, from, to },
        r#"{"type":"gap","channel":"c","from":3,"to":4}"#,
    );
    assert_written(
        ServerMessage::Ack {
            id: id.unwrap(),
            seq: 4,
            duplicate: true,
            local: false,
        },
        r#"{"type":"ack","id":"r-\u00311","seq":4,"duplicate":true}"#,
    );
    assert_written(
        ServerMessage::Subscribed {
            channel: "c",
            seq: u64::MAX,
            epoch: "e",
            first: None,
            recovered: None,
            keep: None,
            id,
        },
        r#"{"type":"subscribed","channel":"c","seq":18446744073709551615,"epoch":"e","id":"r-\u00311"}"#,
    );
    assert_written(
        ServerMessage::Unsubscribed { channel: "c", id },
        r#"{"type":"unsubscribed","channel":"c","id":"r-\u00311"}"#,
    );
    assert_written(
        ServerMessage::Pong {
            timestamp: None,
            id: None,
        },
        r#"{"type":"pong"}"#,
    );
    assert_written(
        ServerMessage::Pong {
            timestamp: timestamp.as_ref(),
            id,
        },
        r#"{"type":"pong","timestamp":1.50,"id":"r-\u00311"}"#,
    );
    assert_written(
        ServerMessage::Authenticated { user: "u", id },
        r#"{"type":"authenticated","user":"u","id":"r-\u00311"}"#,
    );
    assert_written(
        ServerMessage::Ack {
            id: id.unwrap(),
            seq: 4,
            duplicate: false,
            local: false,
        },
        r#"{"type":"ack","id":"r-\u00311","seq":4}"#,
    );
    assert_written(
        ServerMessage::Ack {
            id: id.unwrap(),
            seq: 4,
            duplicate: false,
            local: true,
        },
        r#"{"type":"ack","id":"r-\u00311","seq":4,"local":true}"#,
    );
    assert_written(
        ServerMessage::Cluster { up: false },
        r#"{"type":"cluster","up":false}"#,
    );
    assert_written(
        ServerMessage::Result {
            id: id.unwrap(),
            content: content(r#"{ "a":1.0}"#),
        },
        r#"{"type":"result","id":"r-\u00311","content":{ "a":1.0}}"#,
    );
    assert_written(
        ServerMessage::Denied {
            code: "sold out",
            message: "\"none\" left",
            id,
            channel: Some(channel),
        },
        r#"{"type":"error","code":"sold out","message":"\"none\" left","id":"r-\u00311","channel":"c"}"#,
    );
    assert_written(
        ServerMessage::DirectAck {
            id: id.unwrap(),
            delivered: 2,
        },
        r#"{"type":"ack","id":"r-\u00311","delivered":2}"#,
    );
}

#[test]
fn messages_carry_the_content_as_it_was_written() {
    let odd = r#"{ "b" : 1.0e0,"a":"\/\u0041", "a":[ ] }"#;
    assert_written(
        ServerMessage::Message {
            channel: "c",
            key: None,
            content: content(odd),
            sender: Some("u"),
            seq: 1,
        },
        &format!(r#"{{"type":"message","channel":"c","content":{odd},"sender":"u","seq":1}}"#),
    );
    assert_written(
        ServerMessage::Message {
            channel: "c",
            key: None,
            content: content("null"),
            sender: None,
            seq: 1,
        },
        r#"{"type":"message","channel":"c","content":null,"seq":1}"#,
    );
    assert_written(
        ServerMessage::Direct {
            content: content("1"),
            sender: Some("u"),
        },
        r#"{"type":"direct","content":1,"sender":"u"}"#,
    );
    assert_written(
        ServerMessage::Direct {
            content: content("1"),
            sender: None,
        },
        r#"{"type":"direct","content":1}"#,
    );
}

#[test]
fn notices_are_written_as_the_spec_shows_them() {
    assert_written(
        ServerMessage::Welcome {
            connection: "0-1",
            user: "u",
            ping_ms: 25_000,
            max_bytes: 65_536,
        },
        r#"{"type":"welcome","connection":"0-1","user":"u","ping_ms":25000,"max_bytes":65536}"#,
    );
    assert_written(
        ServerMessage::HealthPing { timestamp: 5 },
        r#"{"type":"health_ping","timestamp":5}"#,
    );
    assert_written(
        ServerMessage::Bye {
            code: 1001,
            reason: "draining",
            reconnect_in_ms: 1_500,
        },
        r#"{"type":"bye","code":1001,"reason":"draining","reconnect_in_ms":1500}"#,
    );
    for (users, list) in [(&[][..], "[]"), (&["u", "v"][..], r#"["u","v"]"#)] {
        assert_written(
            ServerMessage::Presence {
                channel: "c",
                count: 2,
                users,
                info: &[],
            },
            &format!(r#"{{"type":"presence","channel":"c","count":2,"users":{list}}}"#),
        );
    }
    assert_written(
        ServerMessage::PresenceChange {
            channel: "c",
            count: 3,
            joined: &["u"],
            left: &[],
            info: &[("u", content(r#"{"a": 1.0}"#)), ("\"", content("null"))],
        },
        r#"{"type":"presence","channel":"c","count":3,"joined":["u"],"info":{"u":{"a": 1.0},"\"":null}}"#,
    );
    for (joined, left, lists) in [
        (
            &["u", "v"][..],
            &["w"][..],
            r#","joined":["u","v"],"left":["w"]"#,
        ),
        (&["u"], &[], r#","joined":["u"]"#),
        (&[], &["w"], r#","left":["w"]"#),
        (&[], &[], ""),
    ] {
        assert_written(
            ServerMessage::PresenceChange {
                channel: "c",
                count: 3,
                joined,
                left,
                info: &[],
            },
            &format!(r#"{{"type":"presence","channel":"c","count":3{lists}}}"#),
        );
    }
}

#[test]
fn errors_are_written_as_the_spec_shows_them() {
    let Ok(Command::Ping { id, .. }) = parse(r#"{"type":"ping","id":-0}"#) else {
        panic!()
    };
    let code = ErrorCode::RateLimited;
    let bare = ServerMessage::Error {
        code,
        message: "m",
        id: None,
        channel: None,
        retry_after_ms: None,
    };
    assert_written(
        bare,
        r#"{"type":"error","code":"rate_limited","message":"m"}"#,
    );
    let full = ServerMessage::Error {
        code,
        message: "m",
        id: id.as_ref(),
        channel: Some("c"),
        retry_after_ms: Some(9),
    };
    assert_written(
        full,
        r#"{"type":"error","code":"rate_limited","message":"m","id":-0,"channel":"c","retry_after_ms":9}"#,
    );
}

#[test]
fn error_codes_are_the_words_of_the_spec() {
    let words = [
        (ErrorCode::BadRequest, "bad_request"),
        (ErrorCode::UnknownType, "unknown_type"),
        (ErrorCode::Unauthorized, "unauthorized"),
        (ErrorCode::Forbidden, "forbidden"),
        (ErrorCode::NotInChannel, "not_in_channel"),
        (ErrorCode::AlreadySubscribed, "already_subscribed"),
        (ErrorCode::NotConnected, "not_connected"),
        (ErrorCode::LimitExceeded, "limit_exceeded"),
        (ErrorCode::RoomFull, "room_full"),
        (ErrorCode::RateLimited, "rate_limited"),
        (ErrorCode::TooLarge, "too_large"),
        (ErrorCode::Internal, "internal"),
        (ErrorCode::Unrecoverable, "unrecoverable"),
        (ErrorCode::Unavailable, "unavailable"),
    ];
    for (code, word) in words {
        assert_eq!(code.as_str(), word);
        assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{word}\""));
    }
}

//! Every error code (`docs/protocol.md`, section 2).

use serde_json::json;
use switchboard_core::Denied;

use crate::protocol::{answers, answers_with_any_id, error, pair, pair_with};
use crate::world::secs;

#[test]
fn a_second_subscribe_is_already_subscribed_and_changes_nothing() {
    let request = json!({"type": "subscribe", "channel": "lobby"});
    let mut expected = error("already_subscribed");
    expected["channel"] = json!("lobby");
    answers_with_any_id(|_| {}, &request, &expected);
    let (mut world, ann, bob) = pair();
    world.says(ann, request);
    world.advance(secs(1));
    assert_eq!(world.board.members("lobby").len(), 2);
    assert_eq!(world.frames(bob), []);
}

#[test]
fn a_message_to_a_room_one_is_not_in_reaches_nobody() {
    let request = json!({"type": "message", "channel": "other", "content": 1});
    let mut expected = error("not_in_channel");
    expected["channel"] = json!("other");
    answers_with_any_id(|_| {}, &request, &expected);
    let (mut world, ann, _) = pair();
    let cem = world.connect("cem", "other");
    world.forget();
    world.says(ann, request);
    assert_eq!(world.frames(cem), []);
}

#[test]
fn a_direct_to_nobody_is_not_connected() {
    let request = json!({"type": "direct", "to": "nobody", "content": 1});
    answers_with_any_id(|_| {}, &request, &error("not_connected"));
    answers_with_any_id(
        |world| world.denies = Some(Denied::Forbidden),
        &request,
        &error("forbidden"),
    );
}

#[test]
fn an_unknown_type_is_an_error_and_not_a_close() {
    let expected = error("unknown_type");
    answers_with_any_id(|_| {}, &json!({"type": "teleport"}), &expected);
    let (mut world, ann, _) = pair();
    world.says(ann, json!({"type": "Subscribe", "channel": "x"}));
    assert!(world.is_open(ann));
}

#[test]
fn an_unreadable_message_is_a_bad_request_and_changes_nothing() {
    for text in [
        "",
        "{",
        "null",
        "[]",
        "5",
        "\u{feff}{}",
        "{}",
        r#"{"type":5}"#,
        r#"{"type":"subscribe"}"#,
        r#"{"type":"subscribe","channel":7}"#,
        r#"{"type":"subscribe","channel":"a","channel":"b"}"#,
        r#"{"type":"message"}"#,
        r#"{"type":"message","content":1,"echo":1}"#,
        r#"{"type":"message","content":"\ud800"}"#,
        r#"{"type":"direct","content":1}"#,
        r#"{"type":"ping","id":1.5}"#,
        r#"{"type":"ping"} trailing"#,
    ] {
        let (mut world, ann, bob) = pair();
        world.says(ann, text);
        assert_eq!(world.last(ann)["code"], "bad_request", "{text}");
        assert!(world.is_open(ann) && world.frames(bob).is_empty(), "{text}");
        assert_eq!(world.stats().active_rooms, 1, "{text}");
    }
    let nested = format!(r#"{{"type":"message","content":{}}}"#, "[".repeat(60_000));
    let (mut world, ann, _) = pair();
    world.says(ann, &*nested);
    assert_eq!(world.last(ann)["code"], "bad_request");
}

#[test]
fn a_bad_or_too_long_name_is_a_bad_request() {
    for name in [
        String::new(),
        "x".repeat(129),
        "a\u{7f}".into(),
        "\u{0}".into(),
    ] {
        for kind in ["subscribe", "unsubscribe", "message"] {
            let request = json!({"type": kind, "channel": name, "content": 1});
            let (mut world, ann, _) = pair();
            world.says(ann, request);
            assert_eq!(world.last(ann)["code"], "bad_request", "{kind} {name:?}");
        }
        let (mut world, ann, _) = pair();
        world.says(
            ann,
            json!({"type": "direct", "to": name, "content": 1, "id": 2}),
        );
        let told = world.last(ann);
        assert_eq!(
            (&told["code"], &told["id"]),
            (&json!("bad_request"), &json!(2))
        );
    }
}

#[test]
fn a_denial_of_the_application_is_told_with_its_code() {
    for (denied, code) in [
        (Denied::Forbidden, "forbidden"),
        (Denied::Unauthorized, "unauthorized"),
        (Denied::Failed, "internal"),
        (
            Denied::because("members_only", "for members"),
            "members_only",
        ),
    ] {
        for (request, channel) in [
            (
                json!({"type": "subscribe", "channel": "vip", "id": 1}),
                Some("vip"),
            ),
            (
                json!({"type": "message", "channel": "lobby", "content": 1, "id": 1}),
                Some("lobby"),
            ),
            (
                json!({"type": "direct", "to": "bob", "content": 1, "id": 1}),
                None,
            ),
        ] {
            let (mut world, ann, bob) = pair();
            world.denies = Some(denied.clone());
            let mut expected = error(code);
            expected["id"] = json!(1);
            if let Some(channel) = channel {
                expected["channel"] = json!(channel);
            }
            answers(&mut world, ann, &request, &expected);
            assert_eq!(world.frames(bob), []);
        }
    }
}

#[test]
fn limits_of_rooms_are_limit_exceeded_and_a_full_room_is_room_full() {
    let mut expected = error("limit_exceeded");
    expected["channel"] = json!("more");
    let request = json!({"type": "subscribe", "channel": "more"});
    let (mut world, ann, _) = pair_with(|config| config.limits.rooms_per_connection = 1);
    answers(&mut world, ann, &request, &expected);
    let (mut world, ann, _) = pair_with(|config| config.limits.rooms = 1);
    answers(&mut world, ann, &request, &expected);
    let (mut world, ann, _) = pair_with(|config| config.limits.room_members = 2);
    for user in ["x", "y"] {
        world.connect(user, "more");
    }
    expected["code"] = json!("room_full");
    answers(&mut world, ann, &request, &expected);
}

#[test]
fn a_message_larger_than_any_members_queue_is_too_large() {
    for request in [
        json!({"type": "message", "channel": "lobby", "content": "x".repeat(1_000), "id": 1}),
        json!({"type": "direct", "to": "bob", "content": "x".repeat(1_000), "id": 1}),
    ] {
        let (mut world, ann, bob) = pair_with(|config| config.limits.queue_bytes = 1_000);
        let mut expected = error("too_large");
        expected["id"] = json!(1);
        if request["type"] == "message" {
            expected["channel"] = json!("lobby");
        }
        answers(&mut world, ann, &request, &expected);
        assert_eq!(world.frames(bob), []);
        assert!(world.is_open(ann) && world.is_open(bob));
    }
}

//! Invariants of the protocol for all inputs.

use proptest::prelude::*;
use serde_json::{Value, json};
use switchboard_core::protocol::{Command, Content, ErrorCode, RequestId, ServerMessage, parse};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_id() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,60}".prop_map(Value::from)
    ]
}

/// Fragments that combine into interesting inputs.
fn json_like() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "1",
        "-",
        ".5",
        "e1",
        "null",
        "true",
        "\u{feff}",
        "\"type\"",
        "\"id\"",
        "\"channel\"",
        "\"content\"",
        "\"timestamp\"",
        "\"token\"",
        "\"ping\"",
        "\"auth\"",
        "\"message\"",
        "\"subscribe\"",
        "\"health_pong\"",
        "\"\\ud800\"",
        "\\udc00",
        "é",
        "{\"type\":\"ping\",",
        "{\"type\":\"message\",\"content\":",
        "\"id\":1,",
        "\"\\u0074ype\":",
    ];
    prop::collection::vec(prop::sample::select(WORDS), 0..24).prop_map(|words| words.concat())
}

fn string_like() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "\\ud800", "\\uDFFF", "\\udbff", "\\udc00", "\\\\", "\\\"", "\\n", "u", "a", "[", "é",
        "\\u0041",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..10)
        .prop_map(|pieces| format!("[\"{}\"]", pieces.concat()))
}

proptest! {
    #[test]
    fn a_message_is_read_back_with_its_content_untouched(
        id in any_id(), channel: String, content in any_json(), echo: bool, pretty: bool,
    ) {
        let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let [id, name, sent] = [id, json!(channel), content].map(|value| write(&value).unwrap());
        let text = format!(
            r#"{{"type":"message","sender":"eve","id": {id},"channel":{name},"content": {sent} ,"echo":{echo}}}"#
        );
        let Ok(Command::Message { id: read_id, channel: read_channel, content: read, key: None, echo: read_echo, volatile: false, again: None }) =
            parse(&text) else { panic!("{text}") };
        prop_assert_eq!(read_id.as_ref().map(RequestId::as_json), Some(&*id));
        prop_assert_eq!(read_channel.as_deref(), Some(&*channel));
        prop_assert_eq!(read_echo, echo);
        prop_assert_eq!(read.as_json(), &sent);
        prop_assert_eq!(Content::parse(&sent), Ok(read));
        let kept = read.to_kept();
        prop_assert_eq!(kept.as_content(), read);

        let message = ServerMessage::Message { channel: &channel, key: None, content: read, sender: Some(&channel), seq: 1 };
        prop_assert_eq!(
            message.to_json(),
            format!(r#"{{"type":"message","channel":{name},"content":{sent},"sender":{name},"seq":1}}"#)
        );
    }

    #[test]
    fn arbitrary_text_is_rejected_and_never_panics(text: String) {
        if let Err(rejected) = parse(&text) {
            let answer: Value = serde_json::from_str(&ServerMessage::from(&rejected).to_json()).unwrap();
            prop_assert_eq!(&answer["type"], "error");
        }
    }

    #[test]
    fn text_that_resembles_a_request_is_judged_as_a_tree_parser_would(text in json_like()) {
        // What the tree parser refuses (`-`, `1 2`, lone surrogates ...) must be refused here with
        // one kind of error; what it accepts must not be a syntax error here.
        let tree = serde_json::from_str::<Value>(&text);
        match parse(&text) {
            Ok(_) => prop_assert!(tree.is_ok_and(|tree| tree.is_object())),
            Err(rejected) => {
                prop_assert!(matches!(rejected.code, ErrorCode::BadRequest | ErrorCode::UnknownType));
                if rejected.message.contains("one JSON object") {
                    prop_assert!(!tree.is_ok_and(|tree| tree.is_object()));
                }
                if let Some(id) = rejected.id {
                    let id: Value = serde_json::from_str(id.as_json()).unwrap();
                    prop_assert!(id.is_string() || id.is_i64() || id.is_u64());
                }
            }
        }
    }

    #[test]
    fn content_is_taken_exactly_if_a_tree_parser_takes_it(text in prop_oneof![json_like(), string_like()]) {
        // The tree parser also refuses numbers beyond an `f64`, which are accepted here.
        let tree = serde_json::from_str::<Value>(&text);
        let number_too_large = matches!(&tree, Err(error) if error.to_string().contains("number out of range"));
        prop_assume!(!number_too_large);
        prop_assert_eq!(Content::parse(&text).is_ok(), tree.is_ok(), "{}", text);
    }

    #[test]
    fn every_string_is_written_as_json(text: String, control in "[\\x00-\\x1f\"\\\\\u{7f}\u{2028}\u{2029}]*") {
        let text = text + &control;
        let id = serde_json::to_string(&json!({"type": "ping", "id": "x"})).unwrap();
        let Ok(Command::Ping { id, .. }) = parse(&id) else { panic!() };
        let (id, list) = (id.as_ref(), [&*text, &*text]);
        for (message, field) in [
            (ServerMessage::Welcome { connection: &text, user: &text, ping_ms: 1, max_bytes: 1 }, "user"),
            (ServerMessage::Authenticated { user: &text, id }, "user"),
            (ServerMessage::Subscribed { channel: &text, seq: 1, epoch: &text, first: None, recovered: None, keep: None, id }, "channel"),
            (ServerMessage::Unsubscribed { channel: &text, id }, "channel"),
            (ServerMessage::Presence { channel: &text, count: 1, users: &list, info: &[] }, "channel"),
            (ServerMessage::PresenceChange { channel: &text, count: 1, joined: &list, left: &list, info: &[] }, "channel"),
            (ServerMessage::Bye { code: 1001, reason: &text, reconnect_in_ms: 1 }, "reason"),
            (
                ServerMessage::Error {
                    code: ErrorCode::Internal, message: &text, id, channel: Some(&text), retry_after_ms: None,
                },
                "message",
            ),
        ] {
            let mut out = Vec::new();
            message.write(&mut out);
            let tree: Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(&tree[field], &*text);
            for list in ["users", "joined", "left"] {
                prop_assert!(tree.get(list).is_none_or(|names| *names == json!([text, text])));
            }
        }
    }
}

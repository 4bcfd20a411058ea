//! Illegal client messages: rows J1 to J7, J10 and J12 of the catalogue of hostile inputs.

use std::borrow::Cow;
use std::thread;

use switchboard_core::check_name;
use switchboard_core::protocol::{
    BadContent, Command, Content, ErrorCode, MAX_NESTING, Rejected, ServerMessage, parse,
};

fn rejected(text: &str) -> Rejected<'_> {
    match parse(text) {
        Ok(command) => panic!("{text:.200} was taken as {command:?}"),
        Err(rejected) => rejected,
    }
}

#[track_caller]
fn assert_bad_request(text: &str) {
    assert_eq!(rejected(text).code, ErrorCode::BadRequest, "{text:.200}");
}

#[test]
fn j1_deep_nesting_is_refused_and_the_id_still_carried_back() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"type":"message","id":1,"content":{open}{close}}}"#)
    };
    assert!(parse(&nested(MAX_NESTING - 1)).is_ok());
    for depth in [MAX_NESTING, 128, 100_000] {
        let text = nested(depth);
        let rejected = rejected(&text);
        assert_eq!(rejected.code, ErrorCode::BadRequest);
        assert_eq!(rejected.id.unwrap().as_json(), "1");
    }
    // Brackets in strings and siblings do not nest; unknown fields have the same limit.
    let wide = format!(
        r#"{{"type":"ping","x":["{}\"[",{}]}}"#,
        "[".repeat(500),
        "{},".repeat(500) + "[]"
    );
    assert!(parse(&wide).is_ok());
    assert_bad_request(
        &nested(200)
            .replace("content", "x")
            .replace("message", "ping"),
    );
    assert_eq!(Content::parse(&"[".repeat(300)), Err(BadContent::NotJson));
}

#[test]
fn accepted_content_is_readable_by_a_parser_with_a_recursion_limit_of_128() {
    let json = "[".repeat(MAX_NESTING - 1) + &"]".repeat(MAX_NESTING - 1);
    let content = Content::parse(&json).unwrap();
    let message = ServerMessage::Direct {
        content,
        sender: None,
    }
    .to_json();
    assert!(serde_json::from_str::<serde_json::Value>(&message).is_ok());
    let deeper = format!("[{json}]");
    assert_eq!(Content::parse(&deeper), Err(BadContent::TooDeep));
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a small stack needs a thread of its own"
)]
fn j1_a_million_brackets_do_not_grow_the_stack() {
    let small_stack = thread::Builder::new().stack_size(128 * 1024);
    let body = || {
        const MILLION: usize = 1_000_000;
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let opened = open.repeat(MILLION);
            let whole = format!("{opened}1{}", close.repeat(MILLION));
            for value in [&opened, &whole] {
                assert_bad_request(value);
                assert!(Content::parse(value).is_err());
                for field in ["content", "unknown", "id"] {
                    assert_bad_request(&format!(r#"{{"type":"message","{field}":{value}}}"#));
                }
            }
        }
    };
    small_stack.spawn(body).unwrap().join().unwrap();
}

#[test]
fn j2_numbers_of_any_size_are_passed_on_exactly() {
    for number in [
        "1e999",
        "-1e-999",
        "18446744073709551616",
        "-0",
        "0.10",
        &"7".repeat(10_000),
    ] {
        let text = format!(r#"{{"type":"direct","to":"a","content":{number}}}"#);
        let Ok(Command::Direct { content, .. }) = parse(&text) else {
            panic!("{number:.50}")
        };
        assert_eq!(content.as_json(), number);
    }
    for number in ["01", "+1", ".5", "1.", "1e", "0x10", "- 1", "1_000"] {
        assert_bad_request(&format!(
            r#"{{"type":"direct","to":"a","content":{number}}}"#
        ));
    }
}

#[test]
fn j3_a_field_given_twice_is_refused_however_it_is_spelled() {
    for key in [
        "type",
        "id",
        "channel",
        "to",
        "content",
        "echo",
        "timestamp",
        "token",
    ] {
        let escaped = format!("\\u{:04x}{}", u32::from(key.as_bytes()[0]), &key[1..]);
        for (first, second) in [(key, key), (key, &*escaped), (&*escaped, key)] {
            let text = format!(r#"{{"{first}":"ping","a":1,"{second}":"ping","{key}":"x"}}"#);
            let rejected = rejected(&text);
            assert_eq!(rejected.code, ErrorCode::BadRequest);
            assert_eq!(rejected.message, format!("`{key}` must be given once only"));
            assert_eq!(rejected.id, None);
        }
    }
    let with_id = rejected(r#"{"type":"ping","type":"auth","id":"a"}"#);
    assert_eq!(with_id.id.unwrap().as_json(), r#""a""#);
    assert!(parse(r#"{"type":"ping","unknown":1,"unknown":2}"#).is_ok());
}

#[test]
fn j4_lone_surrogates_and_bad_escapes_are_refused_everywhere() {
    const LONE: [&str; 7] = [
        r"\ud800",
        r"\udc00",
        r"\ud800x",
        r"\ud800\n",
        r"\ud800\ud800",
        r"\udc00\ud800",
        r"\\\uDBFF\\udc00",
    ];
    const BAD: [&str; 7] = [r"\x", r"\u12", r"\u12g4", r"\u+123", "\n", "\0", r"\"];
    for bad in LONE.iter().chain(&BAD) {
        for text in [
            format!(r#"{{"type":"subscribe","channel":"{bad}"}}"#),
            format!(r#"{{"type":"{bad}"}}"#),
            format!(r#"{{"type":"ping","id":"{bad}"}}"#),
            format!(r#"{{"type":"ping","timestamp":"{bad}"}}"#),
            format!(r#"{{"type":"ping","{bad}":1}}"#),
            format!(r#"{{"type":"ping","unknown":"{bad}"}}"#),
            format!(r#"{{"type":"direct","to":"{bad}","content":1}}"#),
            format!(r#"{{"type":"direct","to":"a","content":["{bad}"]}}"#),
            format!(r#"{{"type":"direct","to":"a","content":{{"{bad}":1}}}}"#),
            format!(r#"{{"type":"auth","token":"{bad}"}}"#),
        ] {
            assert_bad_request(&text);
            assert_eq!(rejected(&text).id, None);
        }
    }
    for lone in LONE {
        assert_eq!(
            Content::parse(&format!(r#""{lone}""#)),
            Err(BadContent::LoneSurrogate),
            "{lone}"
        );
    }
    for whole in [
        r"\ud800\udc00",
        r"\uDBFF\uDFFF",
        r"\\ud800",
        r"\\\\udc00",
        r"\ud7ff\ue000",
        "𝄞",
    ] {
        let json = format!(r#""{whole}""#);
        assert_eq!(Content::parse(&json).unwrap().as_json(), json);
    }
}

#[test]
fn j4_an_escaped_nul_is_no_name_but_may_stand_in_content() {
    let Ok(Command::Subscribe { channel, .. }) =
        parse(r#"{"type":"subscribe","channel":"a\u0000"}"#)
    else {
        panic!()
    };
    assert!(check_name(&channel, 128).is_err());
    assert!(parse(r#"{"type":"direct","to":"a","content":"\u0000"}"#).is_ok());
}

#[test]
fn j5_what_is_not_one_object_is_a_bad_request_without_an_id() {
    for text in [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"ping\"",
        "[]",
        r#"["type","ping"]"#,
        "NaN",
        "{",
        "}",
        "{]",
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"type":"ping","id":1}x"#,
        r#"{"type":"ping","id":1}{}"#,
        r#"{"type":"ping","id":1}]"#,
        r#"{"type":"ping","id":1,}"#,
        r#"{"type":"ping","id":1"#,
        r#"{"type":"ping","id":NaN}"#,
        r#"{"type":"ping","id":1,"x":Infinity}"#,
        r#"{"type":"ping","id":1,"x":undefined}"#,
        r#"{"type":"ping" "id":1}"#,
        r#"{"id":1,type:"ping"}"#,
        "{'type':'ping'}",
        r#"{"type":"ping","id":1}//"#,
        "{\"type\":\"ping\"}\0",
    ] {
        let rejected = rejected(text);
        assert_eq!(
            (rejected.code, rejected.id),
            (ErrorCode::BadRequest, None),
            "{text}"
        );
    }
}

#[test]
fn j5_a_missing_field_or_one_of_a_wrong_kind_is_a_bad_request() {
    for fields in [
        r#""x":1"#,
        r#""type":1"#,
        r#""type":null"#,
        r#""type":["ping"]"#,
        r#""type":"subscribe""#,
        r#""type":"subscribe","channel":1"#,
        r#""type":"subscribe","channel":null"#,
        r#""type":"subscribe","channel":["c"]"#,
        r#""type":"unsubscribe","channel":{}"#,
        r#""type":"message","channel":"c""#,
        r#""type":"message","channel":7,"content":1"#,
        r#""type":"message","content":1,"echo":1"#,
        r#""type":"message","content":1,"echo":"true""#,
        r#""type":"direct","content":1"#,
        r#""type":"direct","to":"a""#,
        r#""type":"direct","to":["a"],"content":1"#,
        r#""type":"ping","timestamp":[]"#,
        r#""type":"ping","timestamp":{}"#,
        r#""type":"health_pong""#,
        r#""type":"health_pong","timestamp":"5""#,
        r#""type":"health_pong","timestamp":null"#,
        r#""type":"auth""#,
        r#""type":"auth","token":1"#,
    ] {
        let text = format!(r#"{{"id":"a",{fields}}}"#);
        let rejected = rejected(&text);
        assert_eq!(rejected.code, ErrorCode::BadRequest, "{text}");
        assert_eq!(rejected.id.unwrap().as_json(), r#""a""#, "{text}");
        assert!(!rejected.message.is_empty());
    }
}

#[test]
fn j5_an_unknown_type_has_its_own_code_and_keeps_the_id() {
    for kind in [
        "",
        "Subscribe",
        "message ",
        "subscribed",
        "type",
        "welcome",
        r"a\u0000",
        "__proto__",
    ] {
        let text = format!(r#"{{"type":"{kind}","id":18446744073709551616}}"#);
        let rejected = rejected(&text);
        assert_eq!(rejected.code, ErrorCode::UnknownType);
        assert_eq!(rejected.id.unwrap().as_json(), "18446744073709551616");
    }
}

#[test]
fn j6_hostile_names_arrive_unchanged_for_the_callers_check() {
    let megabyte = "n".repeat(1 << 20);
    for name in [
        &megabyte,
        "e\u{301}",
        "é",
        "a\u{200b}b",
        "*?[",
        "\u{85}",
        "\u{7f}",
    ] {
        let text = format!(r#"{{"type":"subscribe","channel":"{name}"}}"#);
        let Ok(Command::Subscribe { channel, .. }) = parse(&text) else {
            panic!()
        };
        assert_eq!(channel, name);
        assert!(matches!(channel, Cow::Borrowed(_)), "no copy");
    }
}

#[test]
fn j7_a_sender_that_the_client_names_is_ignored() {
    let plain = r#"{"type":"message","channel":"c","content":1}"#;
    let forged =
        r#"{"type":"message","channel":"c","content":1,"sender":"eve","from":1,"user":[],"seq":9}"#;
    assert_eq!(parse(plain), parse(forged));
}

#[test]
fn j10_names_that_mean_something_elsewhere_are_plain_data() {
    for name in [
        "connect",
        "disconnect",
        "error",
        "__proto__",
        "constructor",
        "type",
    ] {
        let text =
            format!(r#"{{"type":"subscribe","channel":"{name}","{name}s":1,"id":"{name}"}}"#);
        let Ok(Command::Subscribe { channel, .. }) = parse(&text) else {
            panic!("{name}")
        };
        assert_eq!(channel, name);
    }
    assert!(parse(r#"{"type":"ping","__proto__":{"type":"auth"},"constructor":1}"#).is_ok());
}

#[test]
fn j12_wide_messages_are_read_and_passed_on() {
    let elements = format!("[{}0]", "0,".repeat(1_000_000));
    let text = format!(r#"{{"type":"direct","to":"a","content":{elements}}}"#);
    let Ok(Command::Direct { content, .. }) = parse(&text) else {
        panic!()
    };
    assert_eq!(content.as_json(), elements);

    let keys: Vec<String> = (0..100_000).map(|n| format!(r#""k{n}":[],"#)).collect();
    let keys = keys.concat();
    assert!(parse(&format!(r#"{{{keys}"type":"ping"}}"#)).is_ok());
    assert_bad_request(&format!(
        "{{{}\"id\":1}}",
        r#""type":"ping","#.repeat(100_000)
    ));

    let escapes = r"\ud83d\ude00\n".repeat(100_000);
    assert!(
        parse(&format!(
            r#"{{"type":"direct","to":"a","content":"{escapes}"}}"#
        ))
        .is_ok()
    );
}

#[test]
fn no_secret_and_no_payload_shows_in_debug_output_or_errors() {
    for text in [
        r#"{"type":"auth","token":"hunter2"}"#,
        r#"{"type":"auth","token":["hunter2"]}"#,
        r#"{"type":"auth","token":"hunter2","token":"hunter2"}"#,
        r#"{"type":"direct","to":"a","content":"hunter2"}"#,
        r#"{"type":"hunter2"}"#,
        r#"{"type":"auth","token":"hunter2""#,
    ] {
        let outcome = parse(text);
        assert!(!format!("{outcome:?}").contains("hunter2"), "{text}");
        if let Err(rejected) = outcome {
            assert!(!rejected.to_string().contains("hunter2"), "{text}");
            assert!(
                !ServerMessage::from(&rejected).to_json().contains("hunter2"),
                "{text}"
            );
        }
    }
}

#[test]
fn content_may_be_as_deep_as_the_limit_beside_other_brackets() {
    let (open, close) = ("[".repeat(MAX_NESTING - 1), "]".repeat(MAX_NESTING - 1));
    let text = format!(r#"{{"type":"message","id":1,"x":[],"content":{open}{close}}}"#);
    assert!(parse(&text).is_ok());
}

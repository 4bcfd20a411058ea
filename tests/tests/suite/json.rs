//! Malformed and unusual messages: rows J1 to J12 of the catalogue of hostile inputs.

use serde_json::json;

use super::app::Plain;
use super::catalogue::{Entry, covers, test_path};
use super::frames::{TEXT, frame};
use super::server::Server;
use crate::rt::{Config, Direct, Rates, Rooms};

/// A message and the expected error code.
struct Row {
    name: &'static str,
    what: &'static str,
    text: String,
    code: &'static str,
}

fn row(name: &'static str, what: &'static str, text: impl Into<String>, code: &'static str) -> Row {
    Row {
        name,
        what,
        text: text.into(),
        code,
    }
}

fn rows() -> Vec<Row> {
    let bad = "bad_request";
    let content = |content: &str| format!(r#"{{"type":"message","content":{content}}}"#);
    let channel = |name: &str| format!(r#"{{"type":"subscribe","channel":"{name}"}}"#);
    vec![
        row("J1", "deep array", "[".repeat(50_000), bad),
        row("J1", "deep content", content(&"[".repeat(50_000)), bad),
        row(
            "J1",
            "nested 128 deep",
            content(&("[".repeat(128) + &"]".repeat(128))),
            bad,
        ),
        row("J2", "a number with a dot only", content("1."), bad),
        row(
            "J3",
            "two types",
            r#"{"type":"ping","type":"auth","token":"s3cr3t-x"}"#,
            bad,
        ),
        row("J4", "lone surrogate in a name", channel(r"\ud800"), bad),
        row("J4", "NUL in a name", channel(r"\u0000"), bad),
        row("J5", "unknown type", r#"{"type":"dance"}"#, "unknown_type"),
        row(
            "J5",
            "a method that does not exist",
            r#"{"type":"call","method":"dance","id":1}"#,
            "unknown_type",
        ),
        row(
            "J5",
            "a call without id",
            r#"{"type":"call","method":"dance"}"#,
            bad,
        ),
        row(
            "J5",
            "a call without method",
            r#"{"type":"call","id":1}"#,
            bad,
        ),
        row("J5", "no type", "{}", bad),
        row("J5", "type is a number", r#"{"type":1}"#, bad),
        row("J5", "no channel", r#"{"type":"subscribe"}"#, bad),
        row("J5", "null", "null", bad),
        row("J5", "an array", "[]", bad),
        row("J5", "a BOM", "\u{feff}{\"type\":\"ping\"}", bad),
        row("J5", "bytes behind", r#"{"type":"ping"} x"#, bad),
        row("J5", "NaN", content("NaN"), bad),
        row("J5", "empty", "", bad),
        row("J6", "a name of 129 bytes", channel(&"a".repeat(129)), bad),
        row(
            "J6",
            "a method of 129 bytes",
            format!(r#"{{"type":"call","id":1,"method":"{}"}}"#, "a".repeat(129)),
            bad,
        ),
        row("J6", "an empty name", channel(""), bad),
        row("J6", "a control character", channel(r"a\nb"), bad),
        row(
            "J8",
            "a room not joined",
            r#"{"type":"message","channel":"red","content":1}"#,
            "not_in_channel",
        ),
        row(
            "J8",
            "leaving a room not joined",
            r#"{"type":"unsubscribe","channel":"red"}"#,
            "not_in_channel",
        ),
        row(
            "J8",
            "a user who is not there",
            r#"{"type":"direct","to":"eve","content":1}"#,
            "not_connected",
        ),
        row(
            "J10",
            "a type that is a hook's name",
            r#"{"type":"connect"}"#,
            "unknown_type",
        ),
        row(
            "J10",
            "a type that is a property",
            r#"{"type":"__proto__"}"#,
            "unknown_type",
        ),
        row("L12", "60 000 commas", ",".repeat(60_000), bad),
        row("L12", "60 000 line feeds", "\n".repeat(60_000), bad),
        row(
            "J12",
            "many keys, the type missing",
            format!("{{{}\"z\":1}}", "\"a\":1,".repeat(9_000)),
            bad,
        ),
    ]
}

fn open() -> Config {
    Config {
        rooms: Rooms::Open,
        direct: Direct::Open,
        rates: Rates::unlimited(),
        ..Config::default()
    }
}

covers! {
    odd_but_legal_content_passes_byte_for_byte:
        "J1", "content 120 deep" => "passed on byte for byte";
        "J2", "1e999, 2^64, -0, a number of 10 000 digits" => "passed on byte for byte";
        "J3", "keys given twice within content" => "passed on byte for byte";
        "J4", "a NUL within content" => "passed on byte for byte";
        "J7", "`sender` of somebody else" => "the connection's own user";
    names_are_plain_data:
        "J6", "glob characters, zero width, composed and decomposed" => "names, compared by their bytes";
        "J10", "`__proto__`, `connect`" => "names as any other";
    a_message_that_is_too_long_is_closed_before_it_is_parsed:
        "J6", "a name of 1 MB" => "1009";
        "J12", "an array of a million elements" => "1009";
    wide_content_is_passed_on:
        "J12", "an array of 30 000 elements" => "passed on byte for byte";
        "J11", "0, -1 or 10^9 parts that are to follow" => "passed on at once: nothing is waited for";
}

/// The catalogue entries of the data rows, in addition to [`covers`].
pub(super) fn covers_rows() -> Vec<Entry> {
    let test = test_path!(an_unreadable_message_is_answered_and_changes_nothing);
    let entry = |row: Row| Entry::new(row.name, row.what, format!("`{}`", row.code), test);
    rows().into_iter().map(entry).collect()
}

#[test]
fn an_unreadable_message_is_answered_and_changes_nothing() {
    let server = Server::start(open(), Plain::default());
    let mut peer = server.user("ann", "blue");
    let id = server.hub.connections_of("ann")[0];
    for row in rows() {
        peer.say(&row.text);
        let answer = peer.expect("error");
        assert_eq!(
            answer["code"], row.code,
            "{} {}: {answer}",
            row.name, row.what
        );
        let rooms = server.hub.rooms_of(id).expect("a live connection");
        assert_eq!(rooms.len(), 1, "{} {}", row.name, row.what);
    }
    peer.roundtrip();
    peer.leave();
    server.until_empty();
}

#[test]
fn odd_but_legal_content_passes_byte_for_byte() {
    let server = Server::start(open(), Plain::default());
    let mut ann = server.user("ann", "blue");
    let mut ben = server.user("ben", "blue");
    let deep = "[".repeat(120) + &"]".repeat(120);
    let contents = [
        "1e999",
        "18446744073709551616",
        "-0",
        r#""\ud83d\ude00 \u0000""#,
        r#"{"type":"bye","a":1,"a":2}"#,
        "{ \"spaced\" :\t[ 1 , 2 ] }",
        "\"grüße ☃\"",
        "null",
        &"9".repeat(10_000),
        &deep,
    ];
    for (index, content) in contents.iter().enumerate() {
        ann.say(&format!(
            r#"{{"content":{content},"type":"message","sender":"eve"}}"#
        ));
        let text = loop {
            let text = ben.text();
            if !text.contains("presence") {
                break text;
            }
        };
        let seq = index + 1;
        let expected = format!(
            r#"{{"type":"message","channel":"blue","content":{content},"sender":"ann","seq":{seq}}}"#
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn names_are_plain_data() {
    let server = Server::start(open(), Plain::default());
    let mut ann = server.user("ann", "");
    for name in [
        "__proto__",
        "connect",
        "*?[",
        "e\u{301}",
        "\u{e9}",
        "a/b",
        "\u{200b}",
        " ",
    ] {
        ann.say(&json!({"type":"subscribe","channel":name,"id":name}).to_string());
        let subscribed = ann.expect("subscribed");
        assert_eq!(
            (&subscribed["channel"], &subscribed["id"]),
            (&json!(name), &json!(name))
        );
    }
    assert_eq!(
        server.hub.stats().active_rooms,
        8,
        "compared by their bytes"
    );
}

#[test]
fn a_message_that_is_too_long_is_closed_before_it_is_parsed() {
    let server = Server::start(open(), Plain::default());
    let name = "a".repeat(1_000_000);
    let elements = "1,".repeat(1_000_000);
    for text in [
        format!(r#"{{"type":"subscribe","channel":"{name}"}}"#),
        format!(r#"{{"type":"message","content":[{elements}1]}}"#),
    ] {
        let mut peer = server.user("ann", "blue");
        peer.try_send(&frame(TEXT, text.as_bytes()));
        assert_eq!(peer.closed(1009), "too_big");
    }
    server.until_empty();
}

#[test]
fn wide_content_is_passed_on() {
    let server = Server::start(open(), Plain::default());
    let mut ann = server.user("ann", "blue");
    let mut ben = server.user("ben", "blue");
    let wide = format!("[{}1]", "1,".repeat(30_000));
    for content in [
        &*wide,
        r#"{"parts":0}"#,
        r#"{"parts":-1}"#,
        r#"{"parts":1000000000}"#,
    ] {
        let parts = r#""attachments":1000000000,"num":-1"#;
        ann.say(&format!(
            r#"{{"type":"message",{parts},"content":{content}}}"#
        ));
        let message = ben.expect("message");
        assert_eq!(message["content"].to_string(), content);
    }
}

//! Requests of clients (`docs/protocol.md`, section 2).

use switchboard_core::protocol::{
    Command, ErrorCode, MAX_ECHO_BYTES, Rejected, ServerMessage, parse,
};

fn rejected(text: &str) -> Rejected<'_> {
    match parse(text) {
        Ok(command) => panic!("{text:.200} was taken as {command:?}"),
        Err(rejected) => rejected,
    }
}

/// Compares the `Debug` form, which shows every field but the secrets.
#[track_caller]
fn assert_command(text: &str, expected: &str) {
    assert_eq!(format!("{:?}", parse(text).unwrap()), expected, "{text}");
}

#[test]
fn every_command_of_the_spec_is_understood() {
    for (text, expected) in [
        (
            r#"{"type":"subscribe","channel":"c"}"#,
            r#"Subscribe { id: None, channel: "c", since: None, last: None }"#,
        ),
        (
            r#"{"channel":"","type":"subscribe"}"#,
            r#"Subscribe { id: None, channel: "", since: None, last: None }"#,
        ),
        (
            r#"{"type":"subscribe","channel":"c","since":{"seq":0,"epoch":"\u0065","x":1}}"#,
            r#"Subscribe { id: None, channel: "c", since: Some(Since { epoch: "e", seq: 0 }), last: None }"#,
        ),
        (
            r#"{"type":"subscribe","channel":"c","last":5}"#,
            r#"Subscribe { id: None, channel: "c", since: None, last: Some(5) }"#,
        ),
        (
            r#" { "type" : "unsubscribe" , "channel" : "c" , "id" : "a" } "#,
            r#"Unsubscribe { id: Some(RequestId("a")), channel: "c" }"#,
        ),
        (
            r#"{"type":"message","channel":"c","content":{"a":[1]},"id":7}"#,
            r#"Message { id: Some(RequestId(7)), channel: Some("c"), content: Content(9 bytes), key: None, echo: false, volatile: false, again: None }"#,
        ),
        (
            r#"{"type":"message","channel":"c","content":1,"id":7,"again":12}"#,
            r#"Message { id: Some(RequestId(7)), channel: Some("c"), content: Content(1 bytes), key: None, echo: false, volatile: false, again: Some(12) }"#,
        ),
        (
            r#"{"type":"message","channel":"c","content":null,"key":"\u006b"}"#,
            r#"Message { id: None, channel: Some("c"), content: Content(4 bytes), key: Some("k"), echo: false, volatile: false, again: None }"#,
        ),
        (
            r#"{"type":"message","content":1,"volatile":true,"echo":false}"#,
            "Message { id: None, channel: None, content: Content(1 bytes), key: None, echo: false, volatile: true, again: None }",
        ),
        (
            r#"{"type":"message","content":null,"echo":true}"#,
            "Message { id: None, channel: None, content: Content(4 bytes), key: None, echo: true, volatile: false, again: None }",
        ),
        (
            r#"{"type":"direct","to":"ann","content":"hi","echo":false}"#,
            r#"Direct { id: None, to: "ann", content: Content(4 bytes) }"#,
        ),
        (
            r#"{"type":"call","id":"a","method":"add","params":[1, 2]}"#,
            r#"Call { id: RequestId("a"), method: "add", params: Content(6 bytes) }"#,
        ),
        (
            r#"{"type":"call","id":1,"method":"list"}"#,
            r#"Call { id: RequestId(1), method: "list", params: Content(4 bytes) }"#,
        ),
        (r#"{"type":"ping"}"#, "Ping { id: None, timestamp: None }"),
        (
            r#"{"type":"ping","timestamp":1.50e3,"id":-1}"#,
            "Ping { id: Some(RequestId(-1)), timestamp: Some(Timestamp(1.50e3)) }",
        ),
        (
            r#"{"type":"health_pong","timestamp":5}"#,
            "HealthPong { timestamp: Some(5) }",
        ),
        (
            r#"{"type":"auth","token":"secret"}"#,
            "Auth { id: None, token: Token(6 bytes) }",
        ),
    ] {
        assert_command(text, expected);
    }
}

#[test]
fn a_health_pong_is_matched_by_value_and_not_by_spelling() {
    let whole = (1_u64 << 53) - 1;
    for (number, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("5.0", Some(5)),
        ("5e0", Some(5)),
        ("9007199254740991", Some(whole)),
        ("9.007199254740991E15", Some(whole)),
        ("9007199254740992.0", None),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("0.5", None),
        ("1e999", None),
        (&"9".repeat(10_000), None),
    ] {
        let text = format!(r#"{{"type":"health_pong","timestamp":{number}}}"#);
        assert_eq!(
            parse(&text),
            Ok(Command::HealthPong {
                timestamp: expected
            }),
            "{number:.50}"
        );
    }
}

#[test]
fn names_with_escapes_are_the_names_they_stand_for() {
    assert_command(
        r#"{"\u0074ype":"\u0073ubscribe","channel":"caf\u00e9 \ud83d\ude00"}"#,
        r#"Subscribe { id: None, channel: "café 😀", since: None, last: None }"#,
    );
}

#[test]
fn an_id_is_an_integer_or_a_string_and_short() {
    let long = |len: usize| format!("\"{}\"", "a".repeat(len));
    let fits = long(MAX_ECHO_BYTES - 2);
    let digits = "1".repeat(MAX_ECHO_BYTES);
    for id in [
        "0",
        "-0",
        "-5",
        "9007199254740993",
        "\"\"",
        r#""\ud83d\ude00\"""#,
        &fits,
        &digits,
    ] {
        let text = format!(r#"{{"type":"ping","id":{id}}}"#);
        let Ok(Command::Ping { id: Some(read), .. }) = parse(&text) else {
            panic!("{id}")
        };
        assert_eq!(read.as_json(), id);
        assert_eq!(read.clone().into_owned(), read);
    }
    let (string, number) = (long(MAX_ECHO_BYTES - 1), "1".repeat(MAX_ECHO_BYTES + 1));
    for id in ["1.0", "1e3", "true", "[1]", "{}", &string, &number] {
        let text = format!(r#"{{"type":"ping","id":{id}}}"#);
        let rejected = rejected(&text);
        assert_eq!(
            (rejected.code, rejected.id),
            (ErrorCode::BadRequest, None),
            "{id}"
        );
    }
}

#[test]
fn a_position_is_an_epoch_and_a_number() {
    let long = format!(
        r#"{{"epoch":"{}","seq":1}}"#,
        "e".repeat(MAX_ECHO_BYTES + 1)
    );
    let kilobytes = format!(r#"{{"epoch":"{}","seq":1}}"#, "e".repeat(4 << 10));
    for since in [
        "5",
        r#""e.5""#,
        "true",
        "[]",
        r#"["e",5]"#,
        "{}",
        r#"{"epoch":"e"}"#,
        r#"{"seq":5}"#,
        r#"{"epoch":5,"seq":5}"#,
        r#"{"epoch":"e","seq":"5"}"#,
        r#"{"epoch":"e","seq":-1}"#,
        r#"{"epoch":"e","seq":1.5}"#,
        r#"{"epoch":"e","seq":18446744073709551616}"#,
        r#"{"epoch":"e","seq":null}"#,
        r#"{"epoch":"e","seq":1,"seq":2}"#,
        &long,
        &kilobytes,
    ] {
        let text = format!(r#"{{"type":"subscribe","channel":"c","id":1,"since":{since}}}"#);
        let rejected = rejected(&text);
        assert_eq!(rejected.code, ErrorCode::BadRequest, "{since}");
        assert_eq!(rejected.id.unwrap().as_json(), "1");
    }
    for number in [
        "-1",
        "1.5",
        "1e3",
        "18446744073709551616",
        "\"1\"",
        "[]",
        "true",
    ] {
        let last = format!(r#"{{"type":"subscribe","channel":"c","last":{number}}}"#);
        let again = format!(r#"{{"type":"message","content":1,"id":1,"again":{number}}}"#);
        assert_eq!(rejected(&last).code, ErrorCode::BadRequest, "{last}");
        assert_eq!(rejected(&again).code, ErrorCode::BadRequest, "{again}");
    }
    for text in [
        r#"{"type":"subscribe","channel":"c","last":1,"since":{"epoch":"e","seq":1}}"#,
        r#"{"type":"subscribe","channel":"c","last":1,"last":1}"#,
        r#"{"type":"message","content":1,"again":1}"#,
        r#"{"type":"message","content":1,"volatile":1}"#,
        r#"{"type":"message","content":1,"volatile":true,"key":"k"}"#,
        r#"{"type":"message","content":1,"volatile":true,"id":1,"again":1}"#,
    ] {
        assert_eq!(rejected(text).code, ErrorCode::BadRequest, "{text}");
    }
    // A number that no room can have reached is the room's business.
    let far = r#"{"type":"subscribe","channel":"c","since":{"epoch":"","seq":9007199254740992}}"#;
    assert!(parse(far).is_ok());
}

#[test]
fn null_in_an_optional_field_stands_for_its_absence() {
    for (with, without) in [
        (
            r#"{"type":"ping","id":null,"timestamp":1}"#,
            r#"{"type":"ping","timestamp":1}"#,
        ),
        (
            r#"{"type":"message","id":null,"channel":null,"content":1,"echo":null}"#,
            r#"{"type":"message","content":1}"#,
        ),
        (
            r#"{"type":"message","content":1,"again":null,"key":null,"volatile":null}"#,
            r#"{"type":"message","content":1}"#,
        ),
        (
            r#"{"type":"subscribe","id": null ,"channel":"c","since":null,"last":null}"#,
            r#"{"type":"subscribe","channel":"c"}"#,
        ),
    ] {
        assert_eq!(parse(with), parse(without), "{with}");
        assert!(parse(with).is_ok(), "{with}");
    }
}

#[test]
fn a_timestamp_is_carried_back_as_it_was_written_unless_it_is_long() {
    for timestamp in ["1e0", "-0.00", "null", "false", r#""\u0041""#] {
        let text = format!(r#"{{"type":"ping","timestamp":{timestamp}}}"#);
        let Ok(Command::Ping {
            timestamp: Some(read),
            ..
        }) = parse(&text)
        else {
            panic!()
        };
        assert_eq!(read.as_json(), timestamp);
    }
    let long = format!(
        r#"{{"type":"ping","timestamp":"{}"}}"#,
        "a".repeat(MAX_ECHO_BYTES)
    );
    assert_eq!(rejected(&long).code, ErrorCode::BadRequest);
}

#[test]
fn an_error_names_the_channel_if_that_could_be_a_name() {
    let text = r#"{"type":"message","channel":"c\u0061fé","id":1}"#;
    let error = rejected(text);
    assert_eq!(error.channel.as_deref(), Some("café"));
    assert_eq!(
        ServerMessage::from(&error).to_json(),
        r#"{"type":"error","code":"bad_request","message":"`content` must be given, as any JSON value","id":1,"channel":"café"}"#
    );
    let long = "a".repeat(MAX_ECHO_BYTES + 1);
    for channel in [r"a\u0000", "", &long] {
        let text = format!(r#"{{"type":"message","channel":"{channel}"}}"#);
        assert_eq!(rejected(&text).channel, None);
    }
}

//! Upgrade requests that an HTTP library has parsed.

use switchboard_core::response::{PageResponse, accept_key, refusal, refusal_page};
use switchboard_core::{BadRequest, Endpoint, HandshakeConfig, Refused, Tokens, UpgradeRequest};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

const FIRST: [(&str, &str); 5] = [
    ("host", "server.example.com"),
    ("upgrade", "websocket"),
    ("connection", "keep-alive, Upgrade"),
    ("sec-websocket-key", KEY),
    ("sec-websocket-version", "13"),
];

const SECOND: [(&str, &str); 2] = [
    (":authority", "server.example.com"),
    ("sec-websocket-version", "13"),
];

fn config(json: bool) -> HandshakeConfig {
    HandshakeConfig {
        endpoint: Endpoint::Any,
        pages: false,
        json,
        name_bytes: 128,
        tokens: Tokens::default(),
        compression: true,
        room_contexts: false,
        sse: None,
    }
}

/// The headers, with one of them replaced or left out.
fn but<'a>(
    headers: &[(&'a str, &'a str)],
    name: &str,
    value: Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    let kept = headers.iter().filter_map(|&(given, old)| match value {
        _ if given != name => Some((given, old)),
        Some(value) => Some((given, value)),
        None => None,
    });
    kept.collect()
}

fn first(headers: &[(&str, &str)]) -> Result<UpgradeRequest, BadRequest> {
    UpgradeRequest::http1("GET", "/ws", headers.iter().copied())
}

fn second(headers: &[(&str, &str)]) -> Result<UpgradeRequest, BadRequest> {
    UpgradeRequest::http2("CONNECT", Some("websocket"), "/ws", headers.iter().copied())
}

fn status<T>(checked: Result<T, BadRequest>) -> u16 {
    checked.map_or_else(BadRequest::status, |_| 101)
}

#[test]
fn a_request_of_http_1_is_checked_like_one_that_is_read_here() {
    assert_eq!(status(first(&FIRST)), 101);
    for (name, value, expected) in [
        ("upgrade", None, 426),
        ("upgrade", Some("h2c"), 426),
        ("connection", Some("close"), 426),
        ("sec-websocket-version", None, 426),
        ("sec-websocket-version", Some("12"), 426),
        ("sec-websocket-key", None, 400),
        ("sec-websocket-key", Some("short"), 400),
        ("host", None, 400),
    ] {
        let checked = first(&but(&FIRST, name, value));
        assert_eq!(status(checked), expected, "{name}: {value:?}");
    }
    let body = [&FIRST[..], &[("content-length", "1")]].concat();
    assert_eq!(status(first(&body)), 400);
    let post = UpgradeRequest::http1("POST", "/ws", FIRST);
    assert_eq!(post.unwrap_err(), BadRequest::Method);
}

#[test]
fn a_request_of_http_2_is_an_extended_connect() {
    assert_eq!(status(second(&SECOND)), 101);
    assert_eq!(second(&SECOND).unwrap().accept_key(), None);
    for (name, value, expected) in [
        (":authority", None, 400),
        (":authority", Some("a b"), 400),
        ("sec-websocket-version", None, 426),
    ] {
        let checked = second(&but(&SECOND, name, value));
        assert_eq!(status(checked), expected, "{name}: {value:?}");
    }
    for (method, protocol) in [
        ("GET", None),
        ("GET", Some("websocket")),
        ("CONNECT", None),
        ("CONNECT", Some("connect-udp")),
    ] {
        let checked = UpgradeRequest::http2(method, protocol, "/ws", SECOND);
        assert_eq!(checked.unwrap_err(), BadRequest::NotAnUpgrade);
    }
}

#[test]
fn the_host_of_http_2_is_its_authority() {
    let with_host = [&[("host", "other.example")][..], &SECOND].concat();
    let request = second(&with_host).unwrap();
    let request = request.into_request(&config(true), None);
    assert_eq!(request.unwrap().host(), Some("server.example.com"));
}

#[test]
fn a_target_and_a_head_have_the_limits_of_those_that_are_read_here() {
    let long = format!("/{}", "a".repeat(8 << 10));
    let fits = &long[..8 << 10];
    let ask = |target: &str, filler: usize| {
        let filler = "x".repeat(filler);
        let headers = [&FIRST[..], &[("x-filler", &filler)]].concat();
        status(UpgradeRequest::http1("GET", target, headers))
    };
    assert_eq!((ask(fits, 0), ask(&long, 0)), (101, 414));
    assert_eq!((ask("/", 60 << 10), ask("/", 64 << 10)), (101, 431));
    let connect = UpgradeRequest::http2("CONNECT", Some("websocket"), &long, SECOND);
    assert_eq!(status(connect), 414);
}

#[test]
fn the_json_protocol_is_spoken_if_both_sides_do() {
    let offers = [
        &FIRST[..],
        &[("sec-websocket-protocol", "a, switchboard.v1.json")],
    ]
    .concat();
    let speaks = |headers: &[(&str, &str)], json: bool| {
        let checked = first(headers).unwrap();
        let request = checked.into_request(&config(json), None);
        request.unwrap().speaks_json()
    };
    assert!(speaks(&offers, true));
    assert!(!speaks(&offers, false) && !speaks(&FIRST, true));
}

#[test]
fn compression_is_agreed_on_if_both_sides_want_it() {
    let offers = [
        &FIRST[..],
        &[("sec-websocket-extensions", "permessage-deflate")],
    ];
    let agreed = |target: &str, compression: bool| {
        let request = UpgradeRequest::http1("GET", target, offers.concat()).unwrap();
        let config = HandshakeConfig {
            compression,
            ..config(true)
        };
        let request = request.into_request(&config, None).unwrap();
        request.deflate().is_some()
    };
    assert!(agreed("/ws", true));
    assert!(!agreed("/ws", false) && !agreed("/ws?deflate=off", true));
}

#[test]
fn a_malformed_token_is_found_when_the_places_of_tokens_are_known() {
    let headers = [
        &FIRST[..],
        &[(
            "sec-websocket-protocol",
            "switchboard.v1.json, base64url.bearer.switchboard.***",
        )],
    ];
    let checked = first(&headers.concat()).unwrap();
    let ask = |tokens: &Tokens| {
        let config = HandshakeConfig {
            tokens: tokens.clone(),
            ..config(true)
        };
        let request = checked.clone().into_request(&config, None);
        status(request.map(|_| ()))
    };
    let nowhere = Tokens {
        subprotocol: false,
        ..Tokens::default()
    };
    assert_eq!((ask(&Tokens::default()), ask(&nowhere)), (400, 101));
}

#[test]
fn an_upgrade_request_shows_no_secret() {
    let headers = [&FIRST[..], &[("authorization", "Bearer s3cret")]].concat();
    let request = UpgradeRequest::http1("GET", "/ws?token=s3cret", headers).unwrap();
    let shown = format!("{request:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert_eq!(request.header("Authorization"), Some("Bearer s3cret"));
}

#[test]
fn a_key_has_an_answer_if_it_is_one() {
    let answer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(accept_key(KEY).as_deref(), Some(answer));
    assert_eq!(first(&FIRST).unwrap().accept_key(), Some(answer));
    assert_eq!((accept_key(""), accept_key("x")), (None, None));
}

#[test]
fn a_refusal_is_the_same_whoever_manages_its_connection() {
    let refusals = [
        Refused::Malformed(BadRequest::Method),
        Refused::Malformed(BadRequest::NotAnUpgrade),
        Refused::Malformed(BadRequest::Version),
        Refused::Unauthorized,
        Refused::Restart,
        Refused::Forbidden,
    ];
    for refused in refusals {
        let whole = String::from_utf8(refusal(refused, 5)).unwrap();
        let PageResponse {
            status,
            content_type,
            headers,
            body,
        } = refusal_page(refused);
        assert!(whole.starts_with(&format!("HTTP/1.1 {status} ")), "{whole}");
        assert!(
            whole.contains(&format!("Content-Type: {content_type}\r\n")),
            "{whole}"
        );
        for (name, value) in &headers {
            assert!(
                whole.contains(&format!("\r\n{name}: {value}\r\n")),
                "{whole}"
            );
        }
        // Besides those two: Connection, Content-Length, and in a 426 Upgrade.
        let lines = whole.split("\r\n\r\n").next().unwrap().lines().count();
        let more = 3 + usize::from(status == 426);
        assert_eq!(lines, 1 + headers.len() + more, "{whole}");
        assert!(whole.ends_with(str::from_utf8(&body).unwrap()), "{whole}");
    }
}

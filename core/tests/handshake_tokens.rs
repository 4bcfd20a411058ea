//! Tokens: where they are found, which of several counts, and that they are never printed.

mod requests;

use std::net::IpAddr;
use std::sync::Arc;

use requests::{accepted, config, feed, status, upgrade, upgrade_with, with_pages};
use switchboard_core::{Config, Handshake, HandshakeConfig, Request, Token, Tokens};

/// `s3cret!` in base64url.
const BEARER: &str = "base64url.bearer.switchboard.czNjcmV0IQ";

/// Also reads cookies, which are ignored by default.
fn with_cookie() -> HandshakeConfig {
    let tokens = Tokens {
        cookie: Some("token".into()),
        ..Tokens::default()
    };
    HandshakeConfig { tokens, ..config() }
}

fn token(request: impl AsRef<[u8]>) -> Option<String> {
    token_from(&with_cookie(), request)
}

fn token_from(config: &HandshakeConfig, request: impl AsRef<[u8]>) -> Option<String> {
    let request = accepted(config, request);
    request.token().map(|token| token.reveal().to_owned())
}

fn offering(protocols: &str) -> String {
    upgrade_with(&format!("Sec-WebSocket-Protocol: {protocols}\r\n"))
}

fn every_place() -> Vec<String> {
    vec![
        upgrade("/ws?a=b&token=s3cret%21"),
        upgrade("/ws?%74oken=s3cret!"),
        upgrade_with("Authorization: Bearer s3cret!\r\n"),
        upgrade_with("authorization:bEARER   s3cret! \r\n"),
        upgrade_with("Authorization: Basic Og==\r\nAuthorization: Bearer s3cret!\r\n"),
        upgrade_with("Cookie: a=b; token=s3cret!\r\n"),
        upgrade_with("Cookie: a=b\r\nCookie: token=\"s3cret!\"; Token=x; tokens=y; token\r\n"),
        offering(&format!("switchboard.v1.json, {BEARER}")),
        offering(&format!("{BEARER}, other, switchboard.v1.json")),
    ]
}

#[test]
fn a_token_is_found_wherever_it_may_stand() {
    for request in every_place() {
        assert_eq!(token(&request).as_deref(), Some("s3cret!"), "{request}");
    }
}

#[test]
fn text_that_only_looks_like_a_token_is_none() {
    for request in [
        upgrade("/ws?Token=x&tokens=y"),
        upgrade_with("Authorization: Basic czNjcmV0IQ==\r\n"),
        upgrade_with("Authorization: Bearers x\r\n"),
        upgrade_with("Cookie: xtoken=a; TOKEN=b\r\n"),
        offering(BEARER),
        offering(&format!("{BEARER}, base64url.bearer.switchboard.b3RoZXI")),
    ] {
        assert_eq!(token(&request), None, "{request}");
    }
}

#[test]
fn a_subprotocol_carries_a_token_only_where_json_is_spoken() {
    let raw = HandshakeConfig {
        json: false,
        ..config()
    };
    let request = accepted(&raw, offering(&format!("switchboard.v1.json, {BEARER}")));
    assert_eq!(request.token(), None);
    assert!(
        request.protocols().eq(["switchboard.v1.json"]),
        "it is never listed"
    );
}

#[test]
fn the_first_token_in_the_order_of_places_counts() {
    let subprotocol =
        "Sec-WebSocket-Protocol: switchboard.v1.json, base64url.bearer.switchboard.YQ\r\n";
    let header = "Authorization: Bearer b\r\n";
    let cookie = "Cookie: token=d\r\n";
    let at_query = |lines: &[&str]| upgrade_with(&lines.concat()).replacen("/ws", "/ws?token=c", 1);
    assert_eq!(
        token(at_query(&[cookie, header, subprotocol])).unwrap(),
        "a"
    );
    assert_eq!(token(at_query(&[cookie, header])).unwrap(), "b");
    assert_eq!(token(at_query(&[cookie])).unwrap(), "c");
    assert_eq!(token(upgrade_with(cookie)).unwrap(), "d");
    // Within one place the first counts.
    for (request, first) in [
        (upgrade("/ws?token=a&token=b"), "a"),
        (upgrade("/ws?%74oken=a&token=b"), "a"),
        (
            upgrade_with(&format!("{header}Authorization: Bearer x\r\n")),
            "b",
        ),
        (
            upgrade_with("Cookie: token=a; token=b\r\nCookie: token=c\r\n"),
            "a",
        ),
        (
            offering(&format!("switchboard.v1.json, {BEARER}, {BEARER}x")),
            "s3cret!",
        ),
    ] {
        assert_eq!(token(&request).as_deref(), Some(first), "{request}");
    }
}

#[test]
fn a_token_that_does_not_count_need_not_be_readable() {
    for (request, first) in [
        (upgrade("/ws?token=a&token=%zz"), "a"),
        (
            upgrade_with("Authorization: Bearer b\r\n").replacen("/ws", "/ws?token=%ff", 1),
            "b",
        ),
        (
            upgrade_with("Cookie: token=a b\r\n").replacen("/ws", "/ws?token=c", 1),
            "c",
        ),
    ] {
        assert_eq!(token(&request).as_deref(), Some(first), "{request}");
    }
}

#[test]
fn a_cookie_of_another_program_is_no_token() {
    for cookies in [
        "token=theirs",
        "token=a; token=b",
        "token=\"a b\"",
        "token=",
    ] {
        let line = format!("Cookie: {cookies}\r\n");
        assert_eq!(
            token_from(&config(), upgrade_with(&line)),
            None,
            "{cookies}"
        );
        let beside = upgrade_with(&line).replacen("/ws", "/ws?token=ours", 1);
        assert_eq!(token_from(&config(), beside).unwrap(), "ours", "{cookies}");
    }
}

#[test]
fn the_configuration_says_where_tokens_are_looked_for_and_by_what_name() {
    let all = offering(&format!("switchboard.v1.json, {BEARER}"))
        .replacen("/ws", "/ws?token=a&key=b", 1)
        .replacen(
            "\r\n\r\n",
            "\r\nAuthorization: Bearer c\r\nCookie: sid=d; token=e\r\n\r\n",
            1,
        );
    let of = |tokens: Tokens| token_from(&HandshakeConfig { tokens, ..config() }, &all);
    let none = Tokens {
        subprotocol: false,
        header: false,
        query: None,
        cookie: None,
    };
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(of(none.clone()), None);
    assert_eq!(
        of(Tokens {
            subprotocol: true,
            ..none.clone()
        }),
        name("s3cret!")
    );
    assert_eq!(
        of(Tokens {
            header: true,
            ..none.clone()
        }),
        name("c")
    );
    assert_eq!(
        of(Tokens {
            query: name("key"),
            ..none.clone()
        }),
        name("b")
    );
    assert_eq!(
        of(Tokens {
            query: name("nothing"),
            ..none.clone()
        }),
        None
    );
    assert_eq!(
        of(Tokens {
            cookie: name("sid"),
            ..none.clone()
        }),
        name("d")
    );
    let request = accepted(
        &HandshakeConfig {
            tokens: none,
            ..config()
        },
        &all,
    );
    assert!(
        request.protocols().eq(["switchboard.v1.json"]),
        "it is never listed"
    );
    assert_eq!(request.query("token"), Some("a"), "a parameter like others");
}

#[test]
fn a_token_that_cannot_be_read_is_400() {
    for request in [
        upgrade("/ws?token=%zz"),
        upgrade("/ws?token=%"),
        upgrade("/ws?token=%ff"),
        upgrade_with("Authorization: Bearer a b\r\n"),
        offering("switchboard.v1.json, base64url.bearer.switchboard.!"),
        offering("switchboard.v1.json, base64url.bearer.switchboard.czNjcmV0IQ=="),
        offering("switchboard.v1.json, base64url.bearer.switchboard.A"),
        offering("switchboard.v1.json, base64url.bearer.switchboard._w"), // 0xff
    ] {
        assert_eq!(status(&config(), &request), 400, "{request}");
    }
    let latin = upgrade_with("Authorization: Bearer X\r\n").into_bytes();
    let latin: Vec<u8> = latin
        .into_iter()
        .map(|b| if b == b'X' { 0xe9 } else { b })
        .collect();
    assert_eq!(status(&config(), latin), 400);
}

#[test]
fn an_empty_token_is_a_token() {
    for request in [
        upgrade("/ws?token="),
        upgrade("/ws?token"),
        upgrade_with("Authorization: Bearer\r\n"),
        upgrade_with("Cookie: token=\r\n"),
        offering("switchboard.v1.json, base64url.bearer.switchboard."),
    ] {
        assert_eq!(token(&request).as_deref(), Some(""), "{request}");
    }
}

#[test]
fn a_page_has_a_token_too_unless_it_cannot_be_read() {
    let page = |query: &str, line: &str| {
        let request = format!("GET /?{query} HTTP/1.1\r\nHost: a\r\n{line}\r\n");
        accepted(&with_pages(), request).token().cloned()
    };
    assert_eq!(page("token=a", ""), Some(Token::new("a")));
    assert_eq!(
        page("token=a", "Authorization: Bearer b\r\n"),
        Some(Token::new("b"))
    );
    assert_eq!(
        page("token=a", "Cookie: token=b\r\n"),
        Some(Token::new("a"))
    );
    assert_eq!(page("token=%zz", ""), None);
}

#[test]
fn a_token_never_shows() {
    for text in every_place() {
        let request = accepted(&with_cookie(), &text);
        for shown in [format!("{request:?}"), format!("{request:#?}")] {
            for secret in ["s3cret", "czNjcmV0IQ", "bearer"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(shown.contains("Token(7 bytes)"), "{shown}");
        }
        let mut handshake = Handshake::new(Arc::new(config()));
        handshake
            .receive(&text.as_bytes()[..text.len() - 1])
            .unwrap();
        assert!(!format!("{handshake:?}").contains("s3cret"));
        assert!(
            !format!("{handshake:?}").contains("115, 51"),
            "nor as bytes"
        );
    }
}

#[test]
fn other_secrets_do_not_show_either() {
    let lines = "Authorization: Basic s3cret\r\nCookie: session=s3cret\r\nX-Api-Key: s3cret\r\n\
                 Referer: http://a/?token=s3cret\r\nSec-WebSocket-Protocol: v1, s3cret\r\n";
    let text = upgrade_with(lines).replacen("/ws", "/ws?key=s3cret&s3cret", 1);
    let shown = format!("{:?}", accepted(&config(), text));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn errors_do_not_show_what_was_sent() {
    for text in [
        upgrade("/ws?token=s3cret%"),
        upgrade_with("Authorization: Bearer s3cret s3cret\r\n"),
        upgrade_with("Cookie: token=s3cret\x01\r\n"),
    ] {
        let bad = feed(&Arc::new(config()), [text.as_bytes()]).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("s3cret"));
    }
}

#[test]
fn tokens_are_equal_byte_for_byte() {
    assert_eq!(Token::new("abc"), Token::new("abc"));
    for other in ["abd", "xbc", "ab", "abcd", ""] {
        assert_ne!(Token::new("abc"), Token::new(other));
    }
    assert_eq!(Token::new(""), Token::new(""));
}

#[test]
fn a_first_message_and_a_refresh_bring_a_token() {
    let peer: IpAddr = "192.0.2.1".parse().unwrap();
    let refresh = Request::for_refresh(peer, Token::new("new"));
    assert_eq!(refresh.peer(), peer);
    assert_eq!(refresh.token(), Some(&Token::new("new")));
    assert!(refresh.is_upgrade());
    let mut first = accepted(&config(), upgrade("/ws/den"));
    first.set_peer(peer);
    let first = first.with_token(Token::new("late"));
    assert_eq!(first.token(), Some(&Token::new("late")));
    assert_eq!((first.lobby(), first.peer()), (Some("den"), peer));
}

#[test]
fn a_socket_upgraded_elsewhere_has_a_request() {
    let headers = [
        ("Host", "a"),
        ("Sec-WebSocket-Protocol", "switchboard.v1.json"),
        ("cookie", "token=t"),
    ];
    let request = Request::upgraded("/chat/x%20y?q=1", Some("den".into()), headers).unwrap();
    assert_eq!(request.path(), "/chat/x y");
    assert_eq!(request.query("q"), Some("1"));
    assert_eq!(request.lobby(), Some("den"));
    assert_eq!(request.token(), None, "not from a cookie by default");
    let with_cookie = with_cookie().tokens;
    let same = Request::upgraded_with(&with_cookie, "/chat", None, headers).unwrap();
    assert_eq!(same.token(), Some(&Token::new("t")));
    assert!(request.speaks_json() && request.is_upgrade());
    assert_eq!(request.accept_key(), None);
    let none: [(&str, &[u8]); 0] = [];
    assert_eq!(
        Request::upgraded("/%zz", None, none).unwrap_err().status(),
        400
    );
}

#[test]
fn places_are_read_from_a_configuration_and_checked() {
    let read = |json: &str| serde_json::from_str::<Tokens>(json);
    assert_eq!(read("{}").unwrap(), Tokens::default());
    assert!(read("{}").unwrap().cookie.is_none());
    let off = read(r#"{"query":false,"cookie":"sid","header":false}"#).unwrap();
    assert_eq!(
        (off.query, off.cookie.as_deref(), off.header),
        (None, Some("sid"), false)
    );
    assert!(read(r#"{"query":null}"#).unwrap().query.is_none());
    assert!(read(r#"{"cookie":true}"#).is_err());
    assert!(read(r#"{"cookie":1}"#).is_err());
    assert!(read(r#"{"body":"x"}"#).is_err());
    for (json, field) in [
        (r#"{"query":""}"#, "tokens.query"),
        (r#"{"cookie":""}"#, "tokens.cookie"),
        (r#"{"cookie":"a b"}"#, "tokens.cookie"),
        (r#"{"cookie":"a=b"}"#, "tokens.cookie"),
    ] {
        let tokens = read(json).unwrap();
        let config = Config {
            tokens,
            ..Config::default()
        };
        assert_eq!(config.check().unwrap_err().field, field);
    }
}

//! Where a token may stand, that it stands in one place, and that it never shows.

mod requests;

use std::net::IpAddr;
use std::sync::Arc;

use requests::{accepted, config, feed, status, upgrade, upgrade_with, with_pages};
use switchboard_core::{Handshake, HandshakeConfig, Request, Token};

/// `s3cret!` in base64url.
const BEARER: &str = "base64url.bearer.switchboard.czNjcmV0IQ";

fn token(request: impl AsRef<[u8]>) -> Option<String> {
    let request = accepted(&config(), request);
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
fn what_only_looks_like_a_token_is_none() {
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
        "and never shows there"
    );
}

#[test]
fn more_than_one_token_is_400() {
    let protocols = format!("Sec-WebSocket-Protocol: switchboard.v1.json, {BEARER}\r\n");
    let places = [
        "Authorization: Bearer s3cret!\r\n",
        "Authorization: Bearer other\r\n",
        "Cookie: token=s3cret!\r\n",
        "Cookie: token=\r\n",
        &protocols,
    ];
    for (index, one) in places.iter().enumerate() {
        let beside_query = upgrade_with(one).replacen("/ws", "/ws?token=", 1);
        assert_eq!(status(&config(), beside_query), 400, "{one}");
        for other in &places[index + 1..] {
            let both = upgrade_with(&format!("{one}{other}"));
            assert_eq!(status(&config(), both), 400, "{one}{other}");
        }
    }
    for request in [
        upgrade("/ws?token=a&token=b"),
        upgrade("/ws?token=a&%74oken=a"),
        upgrade_with("Cookie: token=a; token=a\r\n"),
        upgrade_with("Cookie: token=a\r\nCookie: token=b\r\n"),
        offering(&format!("switchboard.v1.json, {BEARER}, {BEARER}x")),
    ] {
        assert_eq!(status(&config(), &request), 400, "{request}");
    }
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
fn a_page_with_several_tokens_has_none() {
    let page = |line: &str| {
        let request = format!("GET /?token=a HTTP/1.1\r\nHost: a\r\n{line}\r\n");
        accepted(&with_pages(), request).token().cloned()
    };
    assert_eq!(page(""), Some(Token::new("a")));
    assert_eq!(page("Cookie: token=b\r\n"), None);
}

#[test]
fn a_token_never_shows() {
    for text in every_place() {
        let request = accepted(&config(), &text);
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
        upgrade("/ws?token=s3cret&token=s3cret"),
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
    assert_eq!(request.token(), Some(&Token::new("t")));
    assert!(request.speaks_json() && request.is_upgrade());
    assert_eq!(request.accept_key(), None);
    let none: [(&str, &[u8]); 0] = [];
    assert_eq!(
        Request::upgraded("/%zz", None, none).unwrap_err().status(),
        400
    );
}

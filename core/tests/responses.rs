//! HTTP responses.

mod requests;

use requests::{accepted, config, upgrade, upgrade_with};
use switchboard_core::response::{
    BadPage, HttpDate, PageResponse, dated, page, refusal, request_timeout, switching_protocols,
};
use switchboard_core::{BadOrigin, BadRequest, HandshakeConfig, Refused};

/// Splits a response into head and body, checking the declared length.
fn split(answer: Vec<u8>) -> (String, String) {
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    if let Some(length) = header(head, "Content-Length") {
        assert!(
            body.is_empty() || length == body.len().to_string(),
            "{text}"
        );
    }
    (head.to_owned(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").skip(1);
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn an_upgrade_is_answered_as_in_the_rfc() {
    let request = accepted(&config(), upgrade("/ws"));
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_eq!(switching_protocols(&request, true), answer.as_bytes());
    assert_eq!(switching_protocols(&request, false), answer.as_bytes());
}

#[test]
fn only_what_was_offered_and_is_spoken_is_echoed() {
    let echo = |offer: &str, json| {
        let lines = format!("Sec-WebSocket-Protocol: {offer}\r\nSec-WebSocket-Extensions: x\r\n");
        let request = accepted(&config(), upgrade_with(&lines));
        let (head, _) = split(switching_protocols(&request, json));
        assert_eq!(header(&head, "Sec-WebSocket-Extensions"), None);
        header(&head, "Sec-WebSocket-Protocol").map(str::to_owned)
    };
    let both = "base64url.bearer.switchboard.eA, switchboard.v1.json, other";
    assert_eq!(echo(both, true).as_deref(), Some("switchboard.v1.json"));
    assert_eq!(echo(both, false), None);
    assert_eq!(echo("other", true), None);
    assert_eq!(echo("base64url.bearer.switchboard.eA", true), None);
}

#[test]
fn compression_is_answered_where_it_was_agreed_on() {
    let lines = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n";
    for (compression, answer) in [
        (
            true,
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=9",
            ),
        ),
        (false, None),
    ] {
        let config = HandshakeConfig {
            compression,
            ..config()
        };
        let request = accepted(&config, upgrade_with(lines));
        let (head, _) = split(switching_protocols(&request, true));
        assert_eq!(header(&head, "Sec-WebSocket-Extensions"), answer);
    }
}

#[test]
fn a_refusal_tells_status_reason_and_end() {
    for (refused, line, body) in [
        (Refused::Restart, "503 Service Unavailable", "restart\n"),
        (
            Refused::Origin(BadOrigin::Port),
            "403 Forbidden",
            "origin: the port of Origin is not that of Host\n",
        ),
        (Refused::IpLimit, "429 Too Many Requests", "ip_limit\n"),
        (
            Refused::HandshakesFull,
            "503 Service Unavailable",
            "handshakes_full\n",
        ),
        (
            Refused::RefusalsFull,
            "503 Service Unavailable",
            "refusals_full\n",
        ),
        (Refused::Unauthorized, "401 Unauthorized", "unauthorized\n"),
        (Refused::Forbidden, "403 Forbidden", "forbidden\n"),
        (
            Refused::AlreadyConnected,
            "409 Conflict",
            "already_connected\n",
        ),
        (
            Refused::ServerFull,
            "503 Service Unavailable",
            "server_full\n",
        ),
        (
            Refused::LobbyFull,
            "503 Service Unavailable",
            "lobby_full\n",
        ),
        (Refused::Internal, "500 Internal Server Error", "internal\n"),
    ] {
        let (head, told) = split(refusal(refused, 7));
        assert_eq!(
            head.split("\r\n").next(),
            Some(&*format!("HTTP/1.1 {line}"))
        );
        assert_eq!(told, body);
        assert_eq!(header(&head, "Connection"), Some("close"));
        assert!(header(&head, "Content-Length").is_some());
        let later = matches!(refused.status(), 429 | 503).then_some("7");
        assert_eq!(header(&head, "Retry-After"), later, "{refused:?}");
    }
}

#[test]
fn a_malformed_request_is_told_the_rule() {
    for (bad, line, name, value) in [
        (BadRequest::Syntax("the rule"), "400 Bad Request", "", ""),
        (BadRequest::NotFound, "404 Not Found", "", ""),
        (BadRequest::Method, "405 Method Not Allowed", "Allow", "GET"),
        (BadRequest::TargetTooLong, "414 URI Too Long", "", ""),
        (
            BadRequest::NotAnUpgrade,
            "426 Upgrade Required",
            "Upgrade",
            "websocket",
        ),
        (
            BadRequest::Version,
            "426 Upgrade Required",
            "Sec-WebSocket-Version",
            "13",
        ),
        (
            BadRequest::HeadTooLarge,
            "431 Request Header Fields Too Large",
            "",
            "",
        ),
        (
            BadRequest::HttpVersion,
            "505 HTTP Version Not Supported",
            "",
            "",
        ),
    ] {
        let (head, body) = split(refusal(Refused::Malformed(bad), 7));
        assert_eq!(
            head.split("\r\n").next(),
            Some(&*format!("HTTP/1.1 {line}"))
        );
        assert_eq!(body, format!("malformed: {bad}\n"));
        // `Connection` must name `Upgrade` wherever that is sent (RFC 9110, section 7.8).
        let upgrade = bad.status() == 426;
        let options = if upgrade { "close, Upgrade" } else { "close" };
        assert_eq!(header(&head, "Connection"), Some(options));
        assert_eq!(header(&head, "Upgrade"), upgrade.then_some("websocket"));
        assert_eq!(header(&head, "Retry-After"), None);
        if !name.is_empty() {
            assert_eq!(header(&head, name), Some(value));
        }
    }
}

#[test]
fn a_date_is_written_as_http_writes_it() {
    for (seconds, date) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(HttpDate::from_unix_seconds(seconds).to_string(), date);
    }
}

#[test]
fn an_answer_gets_a_date_and_is_otherwise_the_same() {
    let date = HttpDate::from_unix_seconds(784_111_777);
    let answer = refusal(Refused::Restart, 7);
    let (head, body) = split(dated(answer.clone(), date));
    assert_eq!(header(&head, "Date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let without = head.replace("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "");
    assert_eq!((without, body), split(answer));
}

#[test]
fn a_late_request_is_answered() {
    let (head, body) = split(request_timeout());
    assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(header(&head, "Connection"), Some("close"));
    assert_eq!(body, "handshake_timeout\n");
}

fn hello() -> PageResponse {
    PageResponse {
        status: 200,
        content_type: "text/html; charset=utf-8".into(),
        headers: vec![("X-A".into(), "b\tc \u{e9}".into())],
        body: b"hello".to_vec(),
    }
}

#[test]
fn a_page_is_sent_whole_and_ends_the_connection() {
    let (head, body) = split(page(&hello(), false).unwrap());
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(header(&head, "Connection"), Some("close"));
    assert_eq!(header(&head, "Content-Length"), Some("5"));
    assert_eq!(
        header(&head, "Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(header(&head, "X-A"), Some("b\tc \u{e9}"));
    assert_eq!(body, "hello");
    let (head_only, nothing) = split(page(&hello(), true).unwrap());
    assert_eq!((head_only, nothing), (head, String::new()));
}

#[test]
fn an_answer_without_a_body_has_none() {
    for (status, length) in [(204, None), (304, None), (404, Some("5"))] {
        let (head, body) = split(page(&PageResponse { status, ..hello() }, false).unwrap());
        assert_eq!(header(&head, "Content-Length"), length);
        assert_eq!(body.is_empty(), length.is_none());
    }
}

#[test]
fn a_page_cannot_make_up_headers() {
    let with = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        page(&PageResponse { headers, ..hello() }, false).unwrap_err()
    };
    for value in ["a\r\nX: y", "a\n", "\r", "\0", "\x7f", "\u{85}"] {
        assert_eq!(with("X", value), BadPage::HeaderValue("X".into()));
        let content_type = value.to_owned();
        let bad = page(
            &PageResponse {
                content_type,
                ..hello()
            },
            false,
        );
        assert_eq!(bad, Err(BadPage::ContentType));
    }
    for name in ["", "X:", "X Y", "X\r\nY", "\u{e9}"] {
        assert_eq!(with(name, "y"), BadPage::HeaderName(name.into()));
    }
    for name in [
        "connection",
        "Content-Length",
        "Transfer-Encoding",
        "Content-Type",
        "upgrade",
    ] {
        assert_eq!(with(name, "y"), BadPage::Reserved(name.into()));
    }
    for status in [0, 99, 101, 199, 600, 65_535] {
        let bad = page(&PageResponse { status, ..hello() }, false);
        assert_eq!(bad, Err(BadPage::Status(status)));
    }
}

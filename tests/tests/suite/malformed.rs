//! Requests that are none: rows H1 to H19 of the catalogue of hostile inputs.

use std::thread;

use super::app::Plain;
use super::frames::{TEXT, frame};
use super::peer::{End, Peer, upgrade};
use super::server::Server;
use crate::rt::{Config, Rates};

/// One hostile request and its answer.
struct Row {
    name: &'static str,
    what: &'static str,
    input: Vec<u8>,
    status: u16,
    /// A header that the answer must have.
    header: Option<(&'static str, &'static str)>,
}

fn row(name: &'static str, what: &'static str, input: impl Into<Vec<u8>>, status: u16) -> Row {
    Row {
        name,
        what,
        input: input.into(),
        status,
        header: None,
    }
}

impl Row {
    fn with(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }
}

/// The legal request with one thing changed.
fn but(old: &str, new: &str) -> Vec<u8> {
    let request = String::from_utf8(upgrade("/ws", &[])).expect("text");
    assert!(request.contains(old), "{old}");
    request.replace(old, new).into_bytes()
}

fn extra(headers: &[&str]) -> Vec<u8> {
    upgrade("/ws", headers)
}

fn at(path: &str) -> Vec<u8> {
    upgrade(path, &[])
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const HOST: &str = "Host: localhost\r\n";

fn first_line() -> Vec<Row> {
    let tls: &[u8] = &[
        22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ];
    vec![
        row("H1", "POST", but("GET ", "POST "), 405).with("Allow", "GET"),
        row("H1", "HEAD", but("GET ", "HEAD "), 405).with("Allow", "GET"),
        row("H1", "get in small letters", but("GET ", "get "), 405),
        row("H2", "HTTP/1.0", but("HTTP/1.1", "HTTP/1.0"), 505),
        row(
            "H2",
            "HTTP/2 preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            505,
        ),
        row("H2", "HTTP/2.0", but("HTTP/1.1", "HTTP/2.0"), 505),
        row("H2", "TLS hello", tls, 400),
        row(
            "H8",
            "target of 9 KB",
            at(&format!("/ws/{}", "a".repeat(9_000))),
            414,
        ),
        row("H12", "line feeds alone", but("\r\n", "\n"), 400),
        row(
            "H12",
            "folded header",
            but(HOST, "Host: localhost\r\n more\r\n"),
            400,
        ),
        row(
            "H12",
            "NUL in a header",
            but("localhost", "local\0host"),
            400,
        ),
        row(
            "H12",
            "blank lines first",
            [b"\r\n\r\n".to_vec(), at("/ws")].concat(),
            400,
        ),
        row(
            "H12",
            "control byte first",
            [vec![1], at("/ws")].concat(),
            400,
        ),
        row("H13", "%", at("/ws/%"), 400),
        row("H13", "%zz", at("/ws/%zz"), 400),
        row("H13", "%00", at("/ws/%00"), 400),
        row("H13", "%FF", at("/ws/%FF"), 400),
        row("H13", "%C0%AF", at("/ws/%C0%AF"), 400),
        row("H13", "an encoded slash", at("/ws/%2e%2e%2f"), 400),
        row("H13", "a C1 control", at("/ws/%C2%85"), 400),
        row(
            "H13",
            "too long a name",
            at(&format!("/ws/{}", "a".repeat(129))),
            400,
        ),
        row("H14", "absolute form", at("http://evil/ws"), 404),
        row("H14", "//ws", at("//ws"), 404),
        row("H14", "unknown path", at("/elsewhere"), 404),
        row("H14", "two segments", at("/ws/a/b"), 404),
        row("H21", "two tokens", at("/ws?token=a&token=b"), 400),
        row(
            "H21",
            "many parameters",
            at(&format!("/ws?{}", "a=1&".repeat(2_000))),
            400,
        ),
    ]
}

fn headers() -> Vec<Row> {
    let many: Vec<String> = (0..200).map(|n| format!("X-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let large = format!("X: {}", "a".repeat(70_000));
    let spaces = format!("Sec-WebSocket-Protocol: b{}x", " ".repeat(32_000));
    let two_keys = format!("{KEY}{KEY}");
    let version = "Sec-WebSocket-Version: 13";
    let told = |row: Row| row.with("Sec-WebSocket-Version", "13");
    let asked = |row: Row| row.with("Upgrade", "websocket");
    let rows = vec![
        asked(row(
            "H3",
            "no Upgrade",
            but("Upgrade: websocket\r\n", ""),
            426,
        )),
        asked(row(
            "H3",
            "no Connection",
            but("Connection: Upgrade\r\n", ""),
            426,
        )),
        row(
            "H3",
            "notupgrade",
            but("Connection: Upgrade", "Connection: notupgrade"),
            426,
        ),
        row(
            "H3",
            "websockets",
            but("Upgrade: websocket", "Upgrade: websockets"),
            426,
        ),
        told(row(
            "H4",
            "version 8",
            but(version, "Sec-WebSocket-Version: 8"),
            426,
        )),
        told(row(
            "H4",
            "version 255",
            but(version, "Sec-WebSocket-Version: 255"),
            426,
        )),
        told(row(
            "H4",
            "version 013",
            but(version, "Sec-WebSocket-Version: 013"),
            426,
        )),
        told(row("H4", "two versions", extra(&[version]), 426)),
        row("H5", "no key", but(KEY, ""), 400),
        row("H5", "empty key", but("dGhlIHNhbXBsZSBub25jZQ==", ""), 400),
        row(
            "H5",
            "key of 15 bytes",
            but("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"),
            400,
        ),
        row("H5", "key not base64", but("dGhl", "d*hl"), 400),
        row("H5", "two keys", but(KEY, &two_keys), 400),
        row("H6", "no Host", but(HOST, ""), 400),
        row("H6", "two Hosts", but(HOST, "Host: a\r\nHost: b\r\n"), 400),
        row(
            "H6",
            "Host with a path",
            but("Host: localhost", "Host: a/b"),
            400,
        ),
        row(
            "H6",
            "Host with a query",
            but("Host: localhost", "Host: a?b"),
            400,
        ),
        row(
            "H6",
            "Host with a fragment",
            but("Host: localhost", "Host: a#b"),
            400,
        ),
        row("H7", "200 headers", extra(&many), 431),
        row("H7", "a header of 70 KB", extra(&[&large]), 431),
        row("H10", "Content-Length", extra(&["Content-Length: 5"]), 400),
        row(
            "H10",
            "chunked",
            extra(&["Transfer-Encoding: chunked"]),
            400,
        ),
        row("H15", "spaces in a protocol", extra(&[&spaces]), 400),
    ];
    rows
}

fn early() -> Vec<Row> {
    let hello = frame(TEXT, b"hello");
    let smuggled = [but("13\r\n", "1777\r\n"), at("/ws?token=s3cr3t-smuggled")].concat();
    vec![
        row("H11", "a request after a refused one", smuggled, 426),
        row(
            "H18",
            "frames before the 101",
            [at("/ws"), hello].concat(),
            400,
        ),
    ]
}

fn refused(server: &Server, row: &Row, send: impl Fn(&mut Peer, &[u8])) {
    let mut peer = server.tcp();
    send(&mut peer, &row.input);
    let (name, what) = (row.name, row.what);
    let head = peer
        .try_head()
        .unwrap_or_else(|end| panic!("{name} {what}: {end:?}"));
    assert_eq!(head.status, row.status, "{name} {what}: {}", head.text);
    assert_eq!(head.header("Connection"), Some("close"), "{name} {what}");
    if let Some((header, value)) = row.header {
        assert_eq!(head.header(header), Some(value), "{name} {what}");
    }
    peer.finish();
    let (body, end) = peer.rest();
    assert_eq!(end, End::Eof, "{name} {what}");
    let body = String::from_utf8(body).expect("text");
    let length = body.len().to_string();
    assert_eq!(
        head.header("Content-Length"),
        Some(&*length),
        "{name} {what}"
    );
}

fn every_row(rows: &[Row]) {
    let app = Plain::default();
    let config = Config {
        rates: Rates::unlimited(),
        ..Config::default()
    };
    let server = Server::start(config, app.clone());
    for row in rows {
        refused(&server, row, |peer, bytes| {
            peer.try_send(bytes);
        });
    }
    for row in rows.iter().filter(|row| row.input.len() < 4_000) {
        refused(&server, row, Peer::send_bytewise);
    }
    server.until_empty();
    assert_eq!(app.log.lines(), [""; 0], "the application hears nothing");
}

#[test]
fn malformed_first_lines_get_their_status() {
    every_row(&first_line());
}

#[test]
fn malformed_headers_get_their_status() {
    every_row(&headers());
}

#[test]
fn what_comes_too_early_gets_its_status() {
    let rows = early();
    let app = Plain::default();
    let server = Server::start(Config::default(), app.clone());
    for row in &rows {
        refused(&server, row, |peer, bytes| {
            peer.try_send(bytes);
        });
    }
    server.until_empty();
    assert_eq!(app.log.lines(), [""; 0]);
}

#[test]
fn legal_requests_that_look_odd_are_upgraded() {
    let server = Server::start(Config::default(), Plain::default());
    let rows = [
        (
            "H3",
            but("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        ),
        (
            "H3",
            but(
                "Connection: Upgrade",
                "Connection: keep-alive\r\nConnection: upgrade",
            ),
        ),
        ("H3", but("Upgrade: websocket", "Upgrade: h2c, WebSocket")),
        ("H12", [b"\r\n".to_vec(), at("/ws")].concat()),
        ("H13", at("/ws/%252f")),
        ("H13", at("/ws/gr%C3%BC%C3%9Fe")),
        ("H15", extra(&["Sec-WebSocket-Protocol: chat, superchat"])),
        (
            "H16",
            extra(&["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]),
        ),
        ("H16", extra(&["Sec-WebSocket-Extensions: ;;,,=\"junk"])),
        ("H21", at("/ws?__proto__=1")),
    ];
    for (name, input) in rows {
        let mut peer = server.tcp();
        peer.send(&input);
        let head = peer.head();
        assert_eq!(head.status, 101, "{name}: {}", head.text);
        assert_eq!(head.header("Sec-WebSocket-Extensions"), None, "{name}");
        assert_eq!(head.header("Sec-WebSocket-Protocol"), None, "{name}");
        peer.expect("welcome");
        peer.leave();
    }
    let mut peer = server.tcp();
    peer.send(&extra(&[
        "Sec-WebSocket-Protocol: chat, switchboard.v1.json",
    ]));
    let head = peer.head();
    assert_eq!(
        head.header("Sec-WebSocket-Protocol"),
        Some("switchboard.v1.json")
    );
}

#[test]
fn who_vanishes_around_the_101_leaves_nothing() {
    let server = Server::start(Config::default(), Plain::default());
    let request = at("/ws/blue");
    for round in 0..20 {
        for cut in [0, 1, request.len() / 2, request.len()] {
            let mut peer = server.tcp();
            peer.send(&request[..cut]);
            if round % 2 == 0 {
                peer.reset();
            } else {
                peer.finish();
                if round % 3 == 0 {
                    peer.rest();
                }
            }
        }
        let mut peer = server.client("/ws/blue");
        if round % 2 == 0 {
            peer.reset();
        } else {
            peer.finish();
        }
        thread::yield_now();
    }
    server.until_empty();
    let stats = server.hub.stats();
    assert!(
        stats
            .closes
            .keys()
            .all(|key| ["eof", "reset"].contains(key)),
        "{stats:?}"
    );
}

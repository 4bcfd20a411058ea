//! Malformed and unusual requests with their answers: rows H1 to H21 of the catalogue of hostile
//! inputs.

use super::peer::upgrade;

/// A request and the expected answer.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) input: Vec<u8>,
    pub(super) status: u16,
    /// A header that the answer must contain.
    pub(super) header: Option<(&'static str, &'static str)>,
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

/// Returns the valid request with one change.
pub(super) fn but(old: &str, new: &str) -> Vec<u8> {
    let request = String::from_utf8(upgrade("/ws", &[])).expect("text");
    assert!(request.contains(old), "{old}");
    request.replace(old, new).into_bytes()
}

pub(super) fn extra(headers: &[&str]) -> Vec<u8> {
    upgrade("/ws", headers)
}

pub(super) fn at(path: &str) -> Vec<u8> {
    upgrade(path, &[])
}

fn commas(header: &str) -> String {
    format!("{header}: {}", ",".repeat(60_000))
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const HOST: &str = "Host: localhost\r\n";

pub(super) fn first_line() -> Vec<Row> {
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
        row("H14", "absolute form of nowhere", at("http://a/no"), 404),
        row("H14", "absolute form with a user", at("http://a@b/ws"), 400),
        row("H14", "//ws", at("//ws"), 404),
        row("H14", "unknown path", at("/elsewhere"), 404),
        row("H14", "two segments", at("/ws/a/b"), 404),
        row("H14", "absolute form of nothing", at("http:"), 404),
        row("H21", "a token of half a byte", at("/ws?token=%a"), 400),
        row(
            "H21",
            "many parameters",
            at(&format!("/ws?{}", "a=1&".repeat(2_000))),
            400,
        ),
        row(
            "H21",
            "10 000 parameters",
            at(&format!("/ws?{}", "a&".repeat(10_000))),
            414,
        ),
    ]
}

pub(super) fn headers() -> Vec<Row> {
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
            "version 7",
            but(version, "Sec-WebSocket-Version: 7"),
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
        row(
            "H5",
            "key of 17 bytes",
            but("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTE="),
            400,
        ),
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
        row(
            "H15",
            "a protocol with a separator",
            extra(&["Sec-WebSocket-Protocol: a;b"]),
            400,
        ),
    ];
    rows
}

pub(super) fn early() -> Vec<Row> {
    let smuggled = [but("13\r\n", "1777\r\n"), at("/ws?token=s3cr3t-smuggled")].concat();
    vec![row("H11", "a request after a refused one", smuggled, 426)]
}

/// Unusual but valid requests: upgraded, without an extension and without any subprotocol but
/// `switchboard.v1.json`.
pub(super) fn odd() -> Vec<Row> {
    let connection = "Connection: Upgrade";
    let lines = "Connection: keep-alive\r\nConnection: upgrade";
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let ours = "Sec-WebSocket-Protocol: chat, switchboard.v1.json";
    let trailing = "Sec-WebSocket-Protocol: switchboard.v1.json,";
    let separators = [
        commas("X-Forwarded-For"),
        format!("Cookie: {}", ";".repeat(60_000)),
        commas("Sec-WebSocket-Protocol"),
    ];
    vec![
        row(
            "H3",
            "keep-alive, Upgrade",
            but(connection, "Connection: keep-alive, Upgrade"),
            101,
        ),
        row("H3", "Connection on two lines", but(connection, lines), 101),
        row(
            "H3",
            "h2c, WebSocket",
            but("Upgrade: websocket", "Upgrade: h2c, WebSocket"),
            101,
        ),
        row("H7", "124 headers", extra(&["X: 1"; 119]), 101),
        row(
            "H12",
            "one blank line first",
            [b"\r\n".to_vec(), at("/ws")].concat(),
            101,
        ),
        row("H13", "%252f, decoded once", at("/ws/%252f"), 101),
        row(
            "H13",
            "letters beyond ASCII",
            at("/ws/gr%C3%BC%C3%9Fe"),
            101,
        ),
        row("H14", "absolute form", at("http://localhost/ws"), 101),
        row(
            "H15",
            "protocols of others",
            extra(&["Sec-WebSocket-Protocol: chat, superchat"]),
            101,
        ),
        row(
            "H15",
            "no protocol",
            extra(&["Sec-WebSocket-Protocol:"]),
            101,
        ),
        row(
            "H15",
            "an empty list of protocols",
            extra(&["Sec-WebSocket-Protocol: ,"]),
            101,
        ),
        row("H15", "ours, then nothing", extra(&[trailing]), 101)
            .with("Sec-WebSocket-Protocol", "switchboard.v1.json"),
        row(
            "L12",
            "a list of 60 000 empty protocols",
            extra(&[&separators[2]]),
            101,
        ),
        row("H15", "ours among others", extra(&[ours]), 101)
            .with("Sec-WebSocket-Protocol", "switchboard.v1.json"),
        row("H16", "deflate is offered", extra(&[deflate]), 101),
        row(
            "H16",
            "junk extensions",
            extra(&["Sec-WebSocket-Extensions: ;;,,=\"junk"]),
            101,
        ),
        row("H21", "__proto__", at("/ws?__proto__=1"), 101),
        row(
            "L12",
            "60 000 commas of a proxy",
            extra(&[&separators[0]]),
            101,
        ),
        row(
            "L12",
            "60 000 semicolons in a cookie",
            extra(&[&separators[1]]),
            101,
        ),
    ]
}

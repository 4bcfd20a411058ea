//! The clients' frames and requests, valid and malformed.

use fastrand::Rng;
use switchboard_kit::{CLOSE, ClientFrame, PING, TEXT};

/// The key of every handshake, and the expected accept value (RFC 6455, section 1.3).
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Returns one masked frame.
pub(super) fn frame(rng: &mut Rng, fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = Some(rng.u32(..).to_ne_bytes());
    let frame = switchboard_kit::frame(opcode, payload);
    ClientFrame { fin, mask, ..frame }.bytes()
}

/// Returns a Close frame.
pub(super) fn close(rng: &mut Rng, code: u16) -> Vec<u8> {
    frame(rng, true, CLOSE, &code.to_be_bytes())
}

/// Returns a text in fragments, sometimes with a ping between them.
pub(super) fn fragments(rng: &mut Rng, payload: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let pieces = rng.usize(2..=most.max(2)).min(most.max(1));
    let mut rest = payload;
    for piece in 0..pieces {
        let last = piece + 1 == pieces;
        let take = if last {
            rest.len()
        } else {
            rng.usize(0..=rest.len())
        };
        let (now, later) = rest.split_at(take);
        rest = later;
        let opcode = if piece == 0 { TEXT } else { 0 };
        out.extend(frame(rng, last, opcode, now));
    }
    out
}

/// Illegal frames, each with the expected close code.
pub(super) fn bad_frame(
    rng: &mut Rng,
    message_bytes: usize,
    most: usize,
) -> (Vec<u8>, &'static str) {
    const PROTOCOL: &str = "protocol_error";
    match rng.u8(..16) {
        0 => (vec![0x81, 2, b'h', b'i'], PROTOCOL),
        1 => {
            let mut bytes = frame(rng, true, TEXT, b"x");
            bytes[0] |= pick_bit(rng);
            (bytes, PROTOCOL)
        }
        2 => {
            let opcode = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15][rng.usize(..10)];
            (frame(rng, true, opcode, b""), PROTOCOL)
        }
        3 => (frame(rng, false, PING, b""), PROTOCOL),
        4 => (frame(rng, true, PING, &[0; 126]), PROTOCOL),
        5 => (frame(rng, true, 0, b"x"), PROTOCOL),
        6 => {
            let mut bytes = frame(rng, false, TEXT, b"x");
            bytes.extend(frame(rng, true, TEXT, b"y"));
            (bytes, PROTOCOL)
        }
        7 => {
            let bad: [&[u8]; 4] = [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ab\xff"];
            let bad = bad[rng.usize(..4)];
            (frame(rng, true, TEXT, bad), "invalid_utf8")
        }
        8 | 9 => {
            let declared = message_bytes + rng.usize(1..1_000);
            let frame = ClientFrame {
                mask: Some([1, 2, 3, 4]),
                declared: Some(declared as u64),
                ..switchboard_kit::frame(TEXT, [])
            };
            (frame.bytes(), "too_big")
        }
        10 => {
            let mut bytes = vec![0x81, 0xff, 0x80];
            bytes.extend_from_slice(&[0; 11]);
            (bytes, PROTOCOL)
        }
        11 => (frame(rng, true, CLOSE, b"x"), PROTOCOL),
        12 => {
            let codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000];
            let code: u16 = codes[rng.usize(..codes.len())];
            (close(rng, code), PROTOCOL)
        }
        13 => {
            let bytes = frame(rng, true, CLOSE, b"\x03\xe8\xff\xfe");
            (bytes, "invalid_utf8")
        }
        _ => {
            if most > 64 {
                return (frame(rng, true, 3, b""), PROTOCOL);
            }
            let mut bytes = frame(rng, false, TEXT, b"");
            for _ in 0..most {
                bytes.extend(frame(rng, false, 0, b""));
            }
            (bytes, "policy")
        }
    }
}

fn pick_bit(rng: &mut Rng) -> u8 {
    [0x40, 0x20, 0x10][rng.usize(..3)]
}

/// Texts that are not valid requests; each is answered with an error.
const BAD_JSON: &[&str] = &[
    "[",
    "{}",
    "null",
    "",
    "\u{feff}{}",
    "{\"type\":\"nope\"}",
    "{\"type\":\"nope\",\"id\":\"x\"}",
    "{\"type\":7}",
    "{\"type\":\"ping\",\"type\":\"ping\"}",
    "{\"type\":\"message\",\"channel\":\"r0\"}",
    "{\"type\":\"message\",\"channel\":5,\"content\":1}",
    "{\"type\":\"message\",\"content\":\"\\ud800\"}",
    "{\"type\":\"message\",\"content\":1e}",
    "{\"type\":\"subscribe\"}",
    "{\"type\":\"subscribe\",\"channel\":\"\"}",
    "{\"type\":\"subscribe\",\"channel\":\"a\\u0000b\"}",
    "{\"type\":\"direct\",\"content\":1}",
    "{\"type\":\"direct\",\"to\":\"\",\"content\":1}",
    "{\"type\":\"auth\"}",
    "{\"type\":\"health_pong\"}",
    "{\"type\":\"ping\"} x",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

pub(super) fn bad_json(rng: &mut Rng) -> &'static str {
    BAD_JSON[rng.usize(..BAD_JSON.len())]
}

pub(super) fn is_bad_json(text: &str) -> bool {
    BAD_JSON.contains(&text)
}

/// Malformed requests, each with the expected status.
pub(super) fn bad_request(rng: &mut Rng) -> (Vec<u8>, u16) {
    let good =
        "Host: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let get = "GET /ws/r0 HTTP/1.1\r\n";
    let (text, status) = match rng.u8(..20) {
        0 => (format!("POST /ws HTTP/1.1\r\n{good}{key}\r\n"), 405),
        1 => (format!("GET /ws HTTP/1.0\r\n{good}{key}\r\n"), 505),
        2 => (
            format!("{get}Host: sim\r\nConnection: Upgrade\r\n{key}\r\n"),
            426,
        ),
        3 => (format!("{get}{}{key}\r\n", good.replace("13", "8")), 426),
        4 => (format!("{get}{good}\r\n"), 400),
        5 => (format!("{get}{good}Sec-WebSocket-Key: short\r\n\r\n"), 400),
        6 => (
            format!("{get}{}{key}\r\n", good.replace("Host: sim\r\n", "")),
            400,
        ),
        7 => (format!("{get}Host: other\r\n{good}{key}\r\n"), 400),
        8 => (format!("{get}{good}{key}Content-Length: 5\r\n\r\n"), 400),
        9 => (
            format!("{get}{good}{key}Transfer-Encoding: chunked\r\n\r\n"),
            400,
        ),
        10 => (format!("GET /ws HTTP/1.1\n{good}{key}\n"), 400),
        11 => (format!("GET /ws/%zz HTTP/1.1\r\n{good}{key}\r\n"), 400),
        12 => (format!("GET /ws/%00 HTTP/1.1\r\n{good}{key}\r\n"), 400),
        13 => (
            format!("GET http://sim/nowhere HTTP/1.1\r\n{good}{key}\r\n"),
            404,
        ),
        14 => (format!("GET /nowhere HTTP/1.1\r\n{good}{key}\r\n"), 404),
        15 => (
            format!("GET /{} HTTP/1.1\r\n{good}{key}\r\n", "a".repeat(9_000)),
            414,
        ),
        16 => (
            format!("{get}{good}{key}{}\r\n", "X: y\r\n".repeat(130)),
            431,
        ),
        17 => (
            format!("GET /ws?token=%zz HTTP/1.1\r\n{good}{key}\r\n"),
            400,
        ),
        18 => (format!("{get}{good}{key} folded\r\n\r\n"), 400),
        _ => ("\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned(), 400),
    };
    (text.into_bytes(), status)
}

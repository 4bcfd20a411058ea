//! Tests that a handshake does linear work in bounded memory, for any input in any split.

use std::sync::Arc;

use super::head::{Head, Version};
use super::scan::Scanner;
use super::{Endpoint, HEAD_BYTES, Handshake, HandshakeConfig};

fn handshake() -> Handshake {
    Handshake::new(Arc::new(HandshakeConfig {
        endpoint: Endpoint::Any,
        pages: false,
        json: true,
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: 128,
        tokens: crate::Tokens::default(),
    }))
}

/// Returns the work for these bytes in pieces of one size, until the handshake decides.
fn work(bytes: &[u8], piece: usize) -> usize {
    let mut handshake = handshake();
    for piece in bytes.chunks(piece) {
        let outcome = handshake.receive(piece);
        assert!(handshake.head.capacity() <= HEAD_BYTES);
        if !matches!(outcome, Ok(None)) {
            assert_eq!(
                handshake.head.capacity(),
                0,
                "the head is freed after the decision"
            );
            break;
        }
    }
    handshake.work + handshake.scanner.steps
}

fn hostile() -> Vec<Vec<u8>> {
    let line = "GET / HTTP/1.1\r\n";
    [
        format!("{line}{}", "X: y\r\n".repeat(20_000)),
        format!("{line}X: {}", "x".repeat(100_000)),
        format!("{line}X:{}\r\n\r\n", " ".repeat(60_000)),
        format!("{line}{}", "x".repeat(100_000)),
        format!(
            "{line}{}\r\n",
            format!("X: {}\r\n", "y".repeat(500)).repeat(120)
        ),
        format!(
            "{line}Sec-WebSocket-Protocol: b{}x\r\n\r\n",
            " ".repeat(32_000)
        ),
        format!("{line}Cookie: {}\r\n\r\n", "token;".repeat(10_000)),
        format!("GET /{} HTTP/1.1\r\n\r\n", "%41".repeat(2_700)),
        format!("GET /?{}", "a&".repeat(10_000)),
        "\r\n".repeat(1_000),
        "A".repeat(100_000),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[test]
#[cfg_attr(miri, ignore = "millions of steps, which are hours there")]
fn each_byte_is_looked_at_a_few_times_at_most() {
    for bytes in hostile() {
        for piece in [1, 2, 3, 64, 1460, 16_384, 200_000] {
            let work = work(&bytes, piece);
            assert!(
                work <= 6 * bytes.len().min(HEAD_BYTES),
                "{work} steps for {} bytes in pieces of {piece}",
                bytes.len()
            );
        }
    }
}

#[test]
fn a_large_read_is_not_kept_whole() {
    let mut handshake = handshake();
    let bytes = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 1 << 20]].concat();
    assert!(handshake.receive(&bytes).is_err());
    assert_eq!(handshake.head.capacity(), 0);
}

#[test]
fn a_request_that_comes_at_once_is_not_copied() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(
        work(bytes, bytes.len()),
        2 * bytes.len(),
        "scanned once, parsed once"
    );
}

#[test]
fn a_handshake_is_small() {
    assert!(size_of::<Handshake>() <= 128);
}

/// Returns a head of random parts, with what is legal and rare.
fn any_head(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut head = Vec::new();
    let mut some = |head: &mut Vec<u8>, from: &[&[u8]], most: usize| {
        for _ in 0..rng.usize(0..=most) {
            head.extend_from_slice(from[rng.usize(..from.len())]);
        }
        rng.bool()
    };
    if some(&mut head, &[], 0) {
        head.extend_from_slice(b"\r\n");
    }
    head.push(b'G');
    some(&mut head, &[b"E", b"t", b"!", b"~"], 3);
    head.extend_from_slice(b" /");
    some(&mut head, &[b"a", b"%41", b"?", b"\"", b"/", b"="], 8);
    let is_old = some(&mut head, &[], 0);
    head.extend_from_slice(if is_old {
        b" HTTP/1.0\r\n"
    } else {
        b" HTTP/1.1\r\n"
    });
    while some(&mut head, &[], 0) || some(&mut head, &[], 0) {
        head.push(b'X');
        some(&mut head, &[b"-", b"y", b"sec-websocket-key", b"|"], 4);
        head.push(b':');
        some(&mut head, &[b" ", b"\t"], 3);
        some(
            &mut head,
            &[
                b"v",
                b":",
                b" ",
                b",",
                "\u{e9}".as_bytes(),
                b"\xff",
                b"0123456789abcdef",
            ],
            9,
        );
        some(&mut head, &[b" ", b"\t"], 2);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[test]
fn a_head_in_any_pieces_has_the_parts_that_another_parser_finds() {
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..if cfg!(miri) { 20 } else { 3_000 } {
        let bytes = any_head(&mut rng);
        let mut fields = [httparse::EMPTY_HEADER; 124];
        let mut other = httparse::Request::new(&mut fields);
        let parsed = other.parse(&bytes);
        assert_eq!(
            parsed,
            Ok(httparse::Status::Complete(bytes.len())),
            "{bytes:?}"
        );
        let mut scanner = Scanner::new();
        let mut ends = bytes
            .chunks(rng.usize(1..=bytes.len()))
            .map(|it| scanner.scan(it));
        assert!(ends.any(|end| end.expect("it is legal").is_some()));
        drop(ends);
        let layout = scanner.take_layout();
        let head = Head::split(&bytes, &layout).expect("it is legal");
        assert_eq!(
            (Some(head.method), Some(head.target)),
            (other.method, other.path)
        );
        assert_eq!(head.version == Version::Http10, other.version == Some(0));
        let names = head
            .headers
            .iter()
            .map(|(name, value)| (name, value.to_owned()));
        let text = |value: &[u8]| String::from_utf8_lossy(value.trim_ascii()).into_owned();
        assert!(names.eq(other.headers.iter().map(|it| (it.name, text(it.value)))));
    }
}

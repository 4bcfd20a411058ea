//! Tests that a handshake does linear work in bounded memory, for any input in any split.

use std::sync::Arc;

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

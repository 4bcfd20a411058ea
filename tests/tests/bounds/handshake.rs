//! Handshakes: a head that grows without end, endless headers, one long line.

use std::sync::Arc;

use switchboard_core::{Endpoint, Handshake, HandshakeConfig};

use crate::heap::Heap;

/// Space for the positions of the most headers allowed.
const CONSTANT: i64 = 16 << 10;

const FIELDS: &str = "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn heads() -> Vec<String> {
    let line = "GET /ws HTTP/1.1\r\n";
    let legal = |lines: &str| format!("{line}{FIELDS}{lines}\r\n");
    vec![
        legal(""),
        legal(&"X: y\r\n".repeat(119)),
        legal(&format!("X: {}\r\n", "y".repeat(480)).repeat(119)),
        legal(&format!("X: {}\r\n", "y".repeat(60_000))),
        legal(&format!("Cookie: {}\r\n", "a=b; ".repeat(12_000))),
        legal(&format!(
            "Sec-WebSocket-Protocol: {}x\r\n",
            "a, ".repeat(20_000)
        )),
        format!("GET /ws?{}z HTTP/1.1\r\n{FIELDS}\r\n", "a=b&".repeat(2_000)),
        format!("GET /ws/{} HTTP/1.1\r\n{FIELDS}\r\n", "%41".repeat(40)),
        format!("{line}{}", "X: y\r\n".repeat(20_000)),
        format!("{line}X: {}", "x".repeat(100_000)),
        format!("GET /{}", "x".repeat(100_000)),
    ]
}

/// CVE-2024-37890, CVE-2023-43669: for any input, however it is split.
#[test]
fn a_handshake_holds_at_most_twice_what_it_received_and_its_request_no_more() {
    let config = Arc::new(HandshakeConfig {
        endpoint: Endpoint::At("/ws".into()),
        pages: false,
        json: true,
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: 128,
        tokens: switchboard_core::Tokens::default(),
    });
    for head in heads() {
        for size in [1, 7, 1_000, 200_000] {
            let mut heap = Heap::default();
            let mut handshake = Handshake::new(Arc::clone(&config));
            let (mut received, mut request) = (0, None);
            for read in head.as_bytes().chunks(size) {
                received += read.len();
                let outcome = heap.during(|| handshake.receive(read));
                let over = outcome.is_err();
                request = request.or(outcome.ok().flatten());
                heap.check(received, CONSTANT);
                if over {
                    break;
                }
            }
            heap.during(|| drop((handshake, request)));
            heap.check_empty();
        }
    }
}

/// CVE-2023-43669: each byte is copied a few times, never once per read.
#[test]
fn a_handshake_allocates_linearly_in_what_it_received() {
    let config = Arc::new(HandshakeConfig {
        endpoint: Endpoint::Any,
        pages: false,
        json: true,
        compression: false,
        room_contexts: false,
        sse: None,
        name_bytes: 128,
        tokens: switchboard_core::Tokens::default(),
    });
    let total = |lines: usize| {
        let line = format!("X: {}\r\n", "y".repeat(500));
        let bytes = format!("GET / HTTP/1.1\r\n{}", line.repeat(lines)).into_bytes();
        let mut handshake = Handshake::new(Arc::clone(&config));
        let mut heap = Heap::default();
        for byte in bytes.chunks(1) {
            let outcome = heap.during(|| handshake.receive(byte));
            assert_eq!(outcome, Ok(None));
        }
        (bytes.len() as u64, heap.bytes())
    };
    for lines in [10, 20, 40, 80, 110] {
        let (received, allocated) = total(lines);
        assert!(
            allocated <= 4 * received,
            "{allocated} bytes for {received}"
        );
    }
}

//! Invariants for all inputs: no panics, the same result in every split, and agreement with
//! tungstenite where that is correct.

mod requests;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use requests::{FIELDS, accepted, anywhere, config, feed, upgrade_replacing, with_pages};
use switchboard_core::response::{refusal, switching_protocols};
use switchboard_core::{HandshakeConfig, Origins, client_address};

/// Fragments of valid and invalid requests, whose random combinations get past the first checks.
const PIECES: [&str; 30] = [
    "GET /ws HTTP/1.1\r\n",
    "GET /ws/a%20b?token=x HTTP/1.1\r\n",
    "GET /ws/%zz HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "GET ",
    "/",
    " HTTP/1.1\r\n",
    "\r\n",
    "\r",
    "\n",
    " ",
    ":",
    ",",
    "\0",
    FIELDS,
    "Host: a\r\n",
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Protocol: switchboard.v1.json, base64url.bearer.switchboard.eA\r\n",
    "Sec-WebSocket-Protocol: a,,\r\n",
    "Cookie: token=x\r\n",
    "Authorization: Bearer y\r\n",
    "Origin: https://a:1\r\n",
    "X-Forwarded-For: 1.1.1.1, [::1]:2, junk\r\n",
    "Content-Length: 1\r\n",
    "\r\n\r\n",
    "\u{e9}",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec(prop::sample::select(&PIECES[..]), 0..12)
        .prop_map(|pieces| pieces.concat().into_bytes());
    let legal = vec(prop::sample::select(&PIECES[16..]), 0..6).prop_map(|lines| {
        format!("GET /ws/den?a=b HTTP/1.1\r\n{FIELDS}{}\r\n", lines.concat()).into_bytes()
    });
    let mutated =
        (legal, vec((any::<Index>(), any::<u8>()), 0..3)).prop_map(|(mut bytes, edits)| {
            for (index, byte) in edits {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes
        });
    prop_oneof![1 => vec(any::<u8>(), 0..300), 3 => pieces, 3 => mutated]
}

fn configs() -> impl Strategy<Value = HandshakeConfig> {
    prop::sample::select(vec![config(), with_pages(), anywhere()])
}

proptest! {
    #[test]
    fn the_answer_does_not_depend_on_the_split(
        bytes in bytes(),
        config in configs(),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let config = Arc::new(config);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        let whole = feed(&config, [&bytes[..]]);
        prop_assert_eq!(&whole, &feed(&config, pieces));
        prop_assert_eq!(&whole, &feed(&config, bytes.chunks(1)));
    }

    #[test]
    fn every_accepted_request_can_be_checked_and_answered(bytes in bytes(), config in configs()) {
        match feed(&Arc::new(config), [&bytes[..]]) {
            Ok(Some(request)) => {
                let peer: IpAddr = [10, 0, 0, 1].into();
                client_address(peer, &request, &["0.0.0.0/0".parse().unwrap()]);
                let _ = Origins::Same.allows(&request);
                let _ = Origins::List(vec!["https://a:1".into()]).allows(&request);
                let answer = switching_protocols(&request, true);
                prop_assert!(answer.is_ascii());
                prop_assert!(!request.lobby().is_some_and(|room| room.contains('/')));
                prop_assert!(!request.path().contains(char::is_control));
                prop_assert_eq!(request.is_upgrade(), request.accept_key().is_some());
            }
            Ok(None) => {}
            Err(bad) => prop_assert!(refusal(switchboard_core::Refused::Malformed(bad), 1).is_ascii()),
        }
    }

    #[test]
    fn the_accept_key_is_that_of_tungstenite(key: [u8; 16]) {
        let key = STANDARD.encode(key);
        let line = format!("Sec-WebSocket-Key: {key}\r\n");
        let request = accepted(&config(), upgrade_replacing("Sec-WebSocket-Key", &line));
        let expected = tungstenite::handshake::derive_accept_key(key.as_bytes());
        prop_assert_eq!(request.accept_key(), Some(expected.as_str()));
    }
}

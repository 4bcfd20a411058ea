//! Arbitrary bytes before the upgrade: the same answer for any split, in bounded memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arbitrary::Unstructured;
use switchboard_core::response::{refusal, switching_protocols};
use switchboard_core::{
    BadRequest, Endpoint, Handshake, HandshakeConfig, Origins, Refused, Request, Token,
    client_address,
};

use crate::heap::Heap;
use crate::reads::{lengths, split};

/// Bytes that a handshake may hold for any input, including space for its headers.
const CONSTANT: i64 = 16 << 10;

/// Fuzzes the handshake. The first byte selects a configuration, the next ones the lengths of
/// reads, and the rest is the input.
///
/// # Panics
///
/// Panics if an invariant is violated.
pub fn handshake(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let config = Arc::new(config(input.arbitrary().unwrap_or(0)));
    let lengths = lengths(&mut input);
    let stream = input.take_rest();
    let whole = receive(&config, [stream].into_iter());
    assert_eq!(whole, receive(&config, split(stream, &lengths)), "in reads");
    assert_eq!(whole, receive(&config, stream.chunks(1)), "byte by byte");
    match whole {
        Ok(None) => {}
        Ok(Some(request)) => judge(&request),
        Err(bad) => assert!(refusal(Refused::Malformed(bad), 1).is_ascii()),
    }
}

/// Returns one of the configurations.
pub(crate) fn config(choice: u8) -> HandshakeConfig {
    HandshakeConfig {
        endpoint: if choice & 1 == 0 {
            Endpoint::At("/ws".into())
        } else {
            Endpoint::Any
        },
        pages: choice & 2 != 0,
        json: choice & 4 == 0,
        compression: choice & 8 != 0,
        room_contexts: choice & 32 != 0,
        sse: (choice & 16 != 0).then(|| "/sse".into()),
        name_bytes: 128,
        tokens: switchboard_core::Tokens::default(),
    }
}

fn receive<'a>(
    config: &Arc<HandshakeConfig>,
    reads: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Request>, BadRequest> {
    let mut heap = Heap::default();
    let mut handshake = Handshake::new(Arc::clone(config));
    let (mut found, mut received) = (None, 0);
    for read in reads {
        received += read.len();
        let outcome = heap.during(|| handshake.receive(read));
        heap.check(received, CONSTANT);
        if let Err(bad) = outcome {
            assert_eq!(handshake.receive(b"GET"), Err(bad), "a refusal is final");
            return Err(bad);
        }
        if let Ok(Some(request)) = outcome {
            assert!(found.replace(request).is_none(), "a request comes once");
        }
    }
    Ok(found)
}

/// Checks that an accepted request can be judged and answered.
fn judge(request: &Request) {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let everybody = ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("a net"));
    client_address(peer, request, &everybody);
    for origins in [Origins::Same, Origins::List(vec!["https://a:1".into()])] {
        let _ = origins.allows(request);
    }
    assert!(switching_protocols(request, true).is_ascii());
    assert!(!request.path().contains(char::is_control));
    assert_eq!(request.is_upgrade(), request.accept_key().is_some());
    if let Some(lobby) = request.lobby() {
        assert!(!lobby.contains('/') && !lobby.is_empty() && lobby.len() <= 128);
    }
    if let Some(token) = request.token().filter(|token| token.reveal().len() > 8) {
        let shown = format!("{request:?}");
        let other = Token::new("*".repeat(token.reveal().len()));
        let of_another = format!("{:?}", request.clone().with_token(other));
        assert_eq!(shown, of_another, "a token is visible");
        // Public parts are shown, and a client can put its token there too.
        let public = [request.path(), request.method()].into_iter();
        let mut public = public.chain(request.headers().map(|(name, _)| name));
        if !public.any(|public| public.contains(token.reveal())) {
            assert!(!shown.contains(token.reveal()), "a token is visible");
        }
    }
}

//! What a client offers in `Sec-WebSocket-Extensions`, and what is agreed on (RFC 7692, section 7.1).

use std::sync::Arc;

use switchboard_core::{Endpoint, Handshake, HandshakeConfig, PerMessageDeflate, Request, Tokens};

/// What comes of the offers of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreed {
    Nothing,
    Plain,
    /// The extension, with the largest window that the server may use, in bits.
    Window(u8),
}

fn config(compression: bool) -> Arc<HandshakeConfig> {
    Arc::new(HandshakeConfig {
        endpoint: Endpoint::default(),
        pages: false,
        json: true,
        compression,
        room_contexts: false,
        sse: None,
        name_bytes: 128,
        tokens: Tokens::default(),
    })
}

fn request(compression: bool, query: &str, headers: &[&str]) -> Request {
    let mut extensions = String::new();
    for value in headers {
        extensions.push_str("Sec-WebSocket-Extensions: ");
        extensions.push_str(value);
        extensions.push_str("\r\n");
    }
    let head = format!(
        "GET /ws{query} HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extensions}\r\n"
    );
    let request = Handshake::new(config(compression)).receive(head.as_bytes());
    request.expect("never refused").expect("a whole request")
}

fn agreed(headers: &[&str]) -> Agreed {
    let negotiated = PerMessageDeflate::negotiate(headers.iter().copied());
    let deflate = request(true, "", headers).deflate();
    assert_eq!(deflate, negotiated, "{headers:?}");
    match negotiated.map(|it| it.server_max_window_bits) {
        None => Agreed::Nothing,
        Some(None) => Agreed::Plain,
        Some(Some(bits)) => Agreed::Window(bits),
    }
}

#[test]
fn the_four_known_parameters_are_accepted_in_every_legal_form() {
    for (offer, expected) in [
        ("permessage-deflate", Agreed::Plain),
        ("permessage-deflate; client_max_window_bits", Agreed::Plain),
        (
            "permessage-deflate; client_max_window_bits=8",
            Agreed::Plain,
        ),
        (
            "permessage-deflate;client_max_window_bits=\"15\"",
            Agreed::Plain,
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            Agreed::Plain,
        ),
        (
            "permessage-deflate; server_no_context_takeover",
            Agreed::Plain,
        ),
        (
            "permessage-deflate; server_max_window_bits=8",
            Agreed::Window(8),
        ),
        (
            "permessage-deflate; server_max_window_bits=9",
            Agreed::Window(9),
        ),
        (
            "permessage-deflate; server_max_window_bits=\"10\"",
            Agreed::Window(10),
        ),
        (
            "permessage-deflate; server_max_window_bits=\"1\\0\"",
            Agreed::Window(10),
        ),
        (
            "permessage-deflate ;\tserver_max_window_bits = 15",
            Agreed::Window(15),
        ),
        (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits; \
             client_no_context_takeover; server_no_context_takeover",
            Agreed::Window(12),
        ),
        (" , permessage-deflate,,", Agreed::Plain),
    ] {
        assert_eq!(agreed(&[offer]), expected, "{offer}");
    }
}

#[test]
fn an_offer_with_a_parameter_that_is_unknown_repeated_or_malformed_is_declined() {
    for parameter in [
        "mux",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=20",
        "server_max_window_bits=015",
        "server_max_window_bits=8x",
        "server_max_window_bits=100",
        "server_max_window_bits=+9",
        "server_max_window_bits=9; server_max_window_bits=9",
        "client_max_window_bits=0",
        "client_max_window_bits=7",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=9; client_max_window_bits",
        "client_no_context_takeover; client_no_context_takeover",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "server_no_context_takeover=1",
    ] {
        let offer = format!("permessage-deflate; {parameter}");
        assert_eq!(agreed(&[&offer]), Agreed::Nothing, "{offer}");
        let other = format!("{offer}, permessage-deflate; server_max_window_bits=11");
        assert_eq!(agreed(&[&other]), Agreed::Window(11), "{other}");
    }
    for name in [
        "x-webkit-deflate-frame",
        "permessage-bzip2",
        "Permessage-Deflate",
    ] {
        assert_eq!(agreed(&[name]), Agreed::Nothing, "{name}");
    }
}

#[test]
fn the_first_acceptable_of_many_offers_in_one_header_or_several_counts() {
    let bad = "permessage-deflate; server_max_window_bits=7";
    let small = "permessage-deflate; server_max_window_bits=9";
    let plain = "permessage-deflate";
    assert_eq!(agreed(&[bad, small, plain]), Agreed::Window(9));
    assert_eq!(agreed(&[plain, small]), Agreed::Plain);
    assert_eq!(
        agreed(&[&format!("{bad}, {small}"), plain]),
        Agreed::Window(9)
    );
    assert_eq!(agreed(&[]), Agreed::Nothing);
    let hundred = [bad; 99].join(", ") + ", " + small;
    assert_eq!(agreed(&[&hundred]), Agreed::Window(9));
}

#[test]
fn a_malformed_header_costs_the_client_compression_and_nothing_else() {
    for header in [
        "permessage-deflate; ",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=\"10\\",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate=1",
        "permessage-deflate, ;;;=\"",
        "=",
        "\u{e9}",
    ] {
        assert_eq!(agreed(&[header]), Agreed::Nothing, "{header}");
        assert_eq!(
            agreed(&["permessage-deflate", header]),
            Agreed::Nothing,
            "{header}"
        );
    }
}

#[test]
fn nothing_is_agreed_on_where_compression_is_off_or_the_query_declines() {
    let offer = &["permessage-deflate"];
    assert_eq!(request(false, "", offer).deflate(), None);
    for query in [
        "?deflate=off",
        "?token=t&deflate=off",
        "?deflate=off&deflate=off",
        "?deflate=on&deflate=off",
        "?deflate=%6fff",
    ] {
        assert_eq!(request(true, query, offer).deflate(), None, "{query}");
    }
    for query in [
        "?deflate=on",
        "?deflate",
        "?token=deflate=off",
        "?Deflate=off",
    ] {
        assert!(request(true, query, offer).deflate().is_some(), "{query}");
    }
}

#[test]
fn the_answer_names_what_the_server_does_and_the_window_that_was_asked_for() {
    let answer = |deflate: PerMessageDeflate| deflate.to_string();
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(answer(PerMessageDeflate::default()), both);
    let small = PerMessageDeflate {
        server_max_window_bits: Some(9),
        server_context_takeover: false,
    };
    assert_eq!(answer(small), format!("{both}; server_max_window_bits=9"));
    let kept = PerMessageDeflate {
        server_max_window_bits: Some(12),
        server_context_takeover: true,
    };
    let one = "permessage-deflate; client_no_context_takeover; server_max_window_bits=12";
    assert_eq!(answer(kept), one);
}

#[test]
fn what_another_library_agreed_on_is_stated_of_the_request() {
    let request = Request::upgraded("/chat", None, [("host", "example.org")]).expect("a request");
    assert_eq!(request.deflate(), None);
    let agreed = Some(PerMessageDeflate::default());
    assert_eq!(request.with_deflate(agreed).deflate(), agreed);
}

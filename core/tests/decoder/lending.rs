//! What a decoder lends, keeps and shows.

use switchboard_core::{CloseReason, Decoder, DecoderLimits, Incoming, ProtocolError};

use crate::support::{BINARY, CONTINUATION, LIMITS, Outcome, PING, TEXT, close, frame, part, wire};

#[test]
fn a_message_that_lies_whole_in_the_input_is_lent_from_there() {
    for frames in [
        &[frame(TEXT, "hello")][..],
        &[frame(BINARY, "hello")],
        &[frame(PING, "hello")],
        &[close(1000, "hello")],
        &[part(TEXT, ""), frame(CONTINUATION, "hello")],
    ] {
        let mut bytes = wire(frames);
        let range = bytes.as_ptr_range();
        let mut decoder = Decoder::new(LIMITS);
        let step = decoder.decode(&mut bytes).expect("legal");
        let payload = match step.incoming.expect("a message") {
            Incoming::Text(text) => text.as_bytes(),
            Incoming::Binary(bytes) | Incoming::Ping(bytes) | Incoming::Pong(bytes) => bytes,
            Incoming::Close(body) => body.expect("a body").reason.as_bytes(),
            Incoming::Deflated(message) => message.payload,
        };
        assert_eq!(payload, b"hello");
        assert!(range.contains(&payload.as_ptr()));
        assert_eq!(decoder.buffered(), 0);
    }
}

#[test]
fn a_ping_between_fragments_is_lent_from_the_input_although_a_part_is_held() {
    let mut decoder = Decoder::new(LIMITS);
    let mut outcome = Outcome::default();
    assert!(outcome.feed(&mut decoder, &part(TEXT, "held").bytes()));
    let mut bytes = frame(PING, "hello").bytes();
    let step = decoder.decode(&mut bytes).expect("legal");
    assert_eq!(step.incoming, Some(Incoming::Ping(b"hello")));
    assert_eq!(decoder.buffered(), 4);
}

#[test]
fn a_message_lent_from_the_buffer_is_given_back_by_the_next_call() {
    let bytes = frame(TEXT, "hello").bytes();
    let (head, tail) = bytes.split_at(8);
    let mut decoder = Decoder::new(LIMITS);
    assert_eq!(
        decoder.decode(&mut head.to_vec()).map(|step| step.consumed),
        Ok(8)
    );
    let mut tail = tail.to_vec();
    let step = decoder.decode(&mut tail).expect("legal");
    assert_eq!(step.incoming, Some(Incoming::Text("hello")));
    assert_eq!(decoder.buffered(), 5);
    assert!(!decoder.in_message());
    assert!(decoder.decode(&mut []).is_ok());
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn a_step_ends_with_the_first_message() {
    let one = frame(TEXT, "one").bytes();
    let mut bytes = [&one[..], &one[..]].concat();
    let mut decoder = Decoder::new(LIMITS);
    let step = decoder.decode(&mut bytes).expect("legal");
    assert_eq!(step.consumed, one.len());
}

#[test]
fn every_error_is_answered_with_the_close_of_its_class() {
    for (error, close) in [
        (ProtocolError::UnmaskedFrame, CloseReason::ProtocolError),
        (ProtocolError::CloseCode, CloseReason::ProtocolError),
        (ProtocolError::InvalidUtf8, CloseReason::InvalidUtf8),
        (ProtocolError::TooBig, CloseReason::TooBig),
        (ProtocolError::TooManyFragments, CloseReason::Policy),
    ] {
        assert_eq!(error.close(), close);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn debug_of_a_decoder_never_shows_what_was_received() {
    let mut decoder = Decoder::new(LIMITS);
    let mut outcome = Outcome::default();
    assert!(outcome.feed(&mut decoder, &part(TEXT, "secret").bytes()));
    assert_eq!(
        format!("{decoder:?}"),
        "Decoder { buffered: 6, in_message: true, fragments: 1, .. }"
    );
}

#[test]
fn a_decoder_is_at_rest_between_messages_and_never_after_the_end() {
    let limits = DecoderLimits {
        message_bytes: 100,
        fragments: 8,
    };
    let mut decoder = Decoder::new(limits);
    assert!(decoder.is_at_rest());
    // A text of two fragments, byte by byte, with an empty ping between them.
    let stream = b"\x01\x81\0\0\0\0a\x89\x80\0\0\0\0\x80\x81\0\0\0\0b";
    for (at, byte) in stream.iter().enumerate() {
        assert_eq!(decoder.is_at_rest(), at == 0, "before byte {at}");
        decoder.decode(&mut [*byte]).unwrap();
    }
    // The message is held until the next call.
    assert!(!decoder.is_at_rest());
    decoder.decode(&mut []).unwrap();
    assert!(decoder.is_at_rest());
    // After a Close or an error it is never at rest.
    decoder.decode(&mut b"\x88\x80\0\0\0\0".to_vec()).unwrap();
    assert!(!decoder.is_at_rest());
    let mut broken = Decoder::new(limits);
    assert!(broken.decode(&mut b"\x83\x80\0\0\0\0".to_vec()).is_err());
    assert!(!broken.is_at_rest());
}

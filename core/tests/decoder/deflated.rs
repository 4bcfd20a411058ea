//! Compressed messages, which a decoder collects and does not inflate (RFC 7692, section 6).

use switchboard_core::{DecoderLimits, ProtocolError};

use crate::support::{
    BINARY, CLOSE, CONTINUATION, ClientFrame, Event, LIMITS, Outcome, PING, PONG, TEXT,
    decode_deflated_in_every_split, decode_in_every_split, frame, part, text, wire,
};

const RSV1: u8 = 4;

fn marked(frame: ClientFrame) -> ClientFrame {
    ClientFrame { rsv: RSV1, ..frame }
}

fn decoded(frames: &[ClientFrame]) -> Outcome {
    decode_deflated_in_every_split(LIMITS, &wire(frames))
}

fn events(frames: &[ClientFrame]) -> Vec<Event> {
    let outcome = decoded(frames);
    assert_eq!(outcome.error, None);
    outcome.events
}

fn deflated(text: bool, fragments: u32, payload: &[u8]) -> Event {
    Event::Deflated(text, fragments, payload.to_vec())
}

#[test]
fn rsv1_on_the_first_frame_marks_a_compressed_message() {
    assert_eq!(
        events(&[
            marked(frame(TEXT, b"\xFF\xFE")),
            frame(TEXT, "plain"),
            marked(frame(BINARY, "")),
            marked(part(TEXT, "a")),
            frame(PING, "between"),
            part(CONTINUATION, b"\xC3"),
            frame(CONTINUATION, ""),
            frame(BINARY, "plain"),
        ]),
        [
            deflated(true, 1, b"\xFF\xFE"),
            text("plain"),
            deflated(false, 1, b""),
            Event::Ping(b"between".to_vec()),
            deflated(true, 3, b"a\xC3"),
            Event::Binary(b"plain".to_vec()),
        ]
    );
}

#[test]
fn rsv1_is_an_error_on_every_other_frame_and_where_it_was_not_agreed_on() {
    for opcode in [PING, PONG, CLOSE] {
        let outcome = decoded(&[marked(frame(opcode, ""))]);
        assert_eq!(outcome.error, Some(ProtocolError::ReservedBits), "{opcode}");
    }
    for first in [part(TEXT, "a"), marked(part(TEXT, "a"))] {
        for second in [part(CONTINUATION, "b"), frame(CONTINUATION, "b")] {
            let outcome = decoded(&[first.clone(), marked(second)]);
            assert_eq!(outcome.error, Some(ProtocolError::ReservedBits));
        }
    }
    let bytes = marked(frame(TEXT, "a")).bytes();
    let outcome = decode_in_every_split(LIMITS, &bytes);
    assert_eq!(outcome.error, Some(ProtocolError::ReservedBits));
}

#[test]
fn the_other_reserved_bits_are_errors_as_ever() {
    for rsv in [1, 2, 3, 5, 6, 7] {
        for opcode in [TEXT, BINARY, PING, CONTINUATION] {
            let outcome = decoded(&[ClientFrame {
                rsv,
                ..frame(opcode, "")
            }]);
            assert_eq!(outcome.error, Some(ProtocolError::ReservedBits), "{rsv}");
        }
    }
}

#[test]
fn a_compressed_message_may_be_a_64th_and_64_bytes_longer_than_a_plain_one() {
    let limits = DecoderLimits {
        message_bytes: 640,
        fragments: 4,
    };
    for (len, marks, fits) in [
        (640, 0, true),
        (641, 0, false),
        (714, RSV1, true),
        (715, RSV1, false),
    ] {
        let payload = vec![b'x'; len];
        let whole = ClientFrame {
            rsv: marks,
            ..frame(TEXT, &payload)
        };
        let first = ClientFrame {
            rsv: marks,
            ..part(TEXT, &payload[..600])
        };
        let rest = frame(CONTINUATION, &payload[600..]);
        for frames in [&[whole][..], &[first, rest]] {
            let outcome = decode_deflated_in_every_split(limits, &wire(frames));
            let error = (!fits).then_some(ProtocolError::TooBig);
            assert_eq!(outcome.error, error, "{len}, {marks}");
        }
    }
}

#[test]
fn a_compressed_message_has_no_more_fragments_than_another() {
    let limits = DecoderLimits {
        message_bytes: 640,
        fragments: 2,
    };
    let frames = [
        marked(part(TEXT, "a")),
        part(CONTINUATION, "b"),
        frame(CONTINUATION, "c"),
    ];
    let outcome = decode_deflated_in_every_split(limits, &wire(&frames));
    assert_eq!(outcome.error, Some(ProtocolError::TooManyFragments));
}

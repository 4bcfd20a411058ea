//! One test per rule of a frame, numbered as in the catalogue of hostile inputs. Every input is
//! decoded in every split (F26).

use switchboard_core::{Decoder, DecoderLimits, ProtocolError};

use crate::support::{
    BINARY, CLOSE, CONTINUATION, ClientFrame, Event, LIMITS, Length, Outcome, PING, PONG, TEXT,
    decode, decode_in_every_split, error_of, events, frame, part, seen_after, text, wire,
};

// F1
#[test]
fn an_unmasked_frame_is_an_error_at_the_second_byte_of_its_header() {
    let bytes = ClientFrame {
        mask: None,
        ..frame(TEXT, "hello")
    }
    .bytes();
    assert_eq!(error_of(&bytes), ProtocolError::UnmaskedFrame);
    assert_eq!(seen_after(LIMITS, &bytes), 2);
}

// F2
#[test]
fn a_reserved_bit_is_an_error_at_the_first_byte() {
    for rsv in 1..8 {
        for opcode in [TEXT, BINARY, PING, CLOSE] {
            let bytes = ClientFrame {
                rsv,
                ..frame(opcode, "")
            }
            .bytes();
            assert_eq!(error_of(&bytes), ProtocolError::ReservedBits);
            assert_eq!(seen_after(LIMITS, &bytes), 1);
        }
    }
}

// F3
#[test]
fn a_reserved_opcode_is_an_error_at_the_first_byte() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for fin in [true, false] {
            let bytes = ClientFrame {
                fin,
                ..frame(opcode, "hello")
            }
            .bytes();
            assert_eq!(error_of(&bytes), ProtocolError::ReservedOpcode);
            assert_eq!(seen_after(LIMITS, &bytes), 1);
        }
    }
}

// F4
#[test]
fn a_control_frame_without_fin_is_an_error_at_the_first_byte() {
    for opcode in [PING, PONG, CLOSE] {
        let bytes = part(opcode, "").bytes();
        assert_eq!(error_of(&bytes), ProtocolError::FragmentedControl);
        assert_eq!(seen_after(LIMITS, &bytes), 1);
    }
}

// F5
#[test]
fn a_control_frame_of_more_than_125_bytes_is_an_error_before_its_length_is_complete() {
    for opcode in [PING, PONG, CLOSE] {
        for len in [126, 65_536, 16 << 20] {
            let mut declared = frame(opcode, "");
            (declared.length, declared.declared) = (Length::Bits64, Some(len));
            let bytes = declared.header();
            assert_eq!(error_of(&bytes), ProtocolError::ControlTooLong);
            assert_eq!(seen_after(LIMITS, &bytes), 2);
        }
        assert_eq!(
            error_of(&frame(opcode, [b'x'; 126]).bytes()),
            ProtocolError::ControlTooLong
        );
    }
    assert_eq!(
        events(&[frame(PING, [b'x'; 125])]),
        [Event::Ping(vec![b'x'; 125])]
    );
}

// F6
#[test]
fn a_frame_over_the_limit_is_an_error_as_soon_as_its_length_is_in() {
    let limits = DecoderLimits {
        message_bytes: 1_000,
        fragments: 8,
    };
    let at_limit = frame(BINARY, vec![7; 1_000]);
    assert_eq!(
        decode_in_every_split(limits, &at_limit.bytes()).events,
        [Event::Binary(vec![7; 1_000])]
    );
    let over = frame(BINARY, vec![7; 1_001]).bytes();
    let outcome = decode_in_every_split(limits, &over);
    assert_eq!(outcome.error, Some(ProtocolError::TooBig));
    assert_eq!(seen_after(limits, &over), 4);
}

// F6
#[test]
fn fragments_over_the_limit_are_an_error_at_the_header_that_passes_it() {
    let limits = DecoderLimits {
        message_bytes: 100,
        fragments: 8,
    };
    let (first, exact, over) = (
        part(TEXT, [b'a'; 60]),
        frame(CONTINUATION, [b'b'; 40]),
        frame(CONTINUATION, [b'b'; 41]),
    );
    let fits = decode_in_every_split(limits, &wire(&[first.clone(), exact]));
    assert_eq!(fits.error, None);
    assert_eq!(fits.events, [text(&("a".repeat(60) + &"b".repeat(40)))]);

    let bytes = wire(&[first.clone(), over]);
    let outcome = decode_in_every_split(limits, &bytes);
    assert_eq!(outcome.error, Some(ProtocolError::TooBig));
    assert_eq!(outcome.events, []);
    assert_eq!(seen_after(limits, &bytes), first.bytes().len() + 2);
}

// F7
#[test]
fn a_64_bit_length_with_the_top_bit_is_an_error_at_that_bit() {
    for len in [1 << 63, u64::MAX, (1 << 63) | 5] {
        let mut declared = frame(BINARY, "");
        (declared.length, declared.declared) = (Length::Bits64, Some(len));
        let bytes = declared.header();
        assert_eq!(error_of(&bytes), ProtocolError::LengthOverflow);
        assert_eq!(seen_after(LIMITS, &bytes), 3);
    }
}

// F7
#[test]
fn a_64_bit_length_that_would_wrap_is_too_big_in_a_frame_and_in_a_sum() {
    for len in [u64::MAX >> 1, (1 << 32) + 5, 1 << 32, u64::from(u32::MAX)] {
        for start in [&[][..], &[part(BINARY, "abc")]] {
            let mut declared = frame(
                if start.is_empty() {
                    BINARY
                } else {
                    CONTINUATION
                },
                "",
            );
            (declared.length, declared.declared) = (Length::Bits64, Some(len));
            let bytes = [wire(start), declared.header()].concat();
            assert_eq!(error_of(&bytes), ProtocolError::TooBig, "{len:X}");
        }
    }
    let limits = DecoderLimits {
        message_bytes: usize::MAX,
        fragments: usize::MAX,
    };
    let mut declared = frame(CONTINUATION, "");
    (declared.length, declared.declared) = (Length::Bits64, Some(u64::from(u32::MAX) - 2));
    let bytes = [part(BINARY, "abc").bytes(), declared.header()].concat();
    assert_eq!(
        decode(limits, [&bytes[..]]).error,
        Some(ProtocolError::TooBig)
    );
}

// F8
#[test]
fn a_length_in_a_longer_form_than_needed_is_taken_and_the_stream_stays_in_step() {
    for length in [Length::Bits16, Length::Bits64] {
        let long = ClientFrame {
            length,
            ..frame(TEXT, "hi")
        };
        assert_eq!(
            events(&[long, frame(TEXT, "there")]),
            [text("hi"), text("there")]
        );
    }
}

// F8
#[test]
fn a_control_frame_has_no_length_in_a_longer_form() {
    let long = ClientFrame {
        length: Length::Bits16,
        ..frame(PING, "hi")
    };
    assert_eq!(error_of(&long.bytes()), ProtocolError::ControlTooLong);
}

// F9
#[test]
fn a_declared_length_holds_no_more_bytes_than_came() {
    let limits = DecoderLimits {
        message_bytes: 16 << 20,
        fragments: 8,
    };
    let mut declared = frame(BINARY, "");
    (declared.length, declared.declared) = (Length::Bits64, Some(16 << 20));
    let mut decoder = Decoder::new(limits);
    let mut outcome = Outcome::default();
    assert!(outcome.feed(&mut decoder, &declared.header()));
    assert_eq!(decoder.buffered(), 0);
    assert!(decoder.in_message());
    assert!(outcome.feed(&mut decoder, b"abc"));
    assert_eq!(decoder.buffered(), 3);
}

// F10
#[test]
fn empty_frames_are_delivered_empty() {
    assert_eq!(
        events(&[
            frame(TEXT, ""),
            frame(BINARY, ""),
            frame(PING, ""),
            frame(PONG, ""),
            part(TEXT, ""),
            part(CONTINUATION, ""),
            frame(CONTINUATION, ""),
        ]),
        [
            text(""),
            Event::Binary(vec![]),
            Event::Ping(vec![]),
            Event::Pong(vec![]),
            text(""),
        ]
    );
}

// F11
#[test]
fn endless_empty_fragments_are_an_error_at_the_first_byte_over_the_limit() {
    for payload in ["", "x"] {
        let limits = DecoderLimits {
            message_bytes: 65_536,
            fragments: 10,
        };
        let mut frames = vec![part(TEXT, payload)];
        frames.resize(10, part(CONTINUATION, payload));
        let legal = wire(&frames).len();
        assert_eq!(decode(limits, [&wire(&frames)[..]]), Outcome::default());
        frames.push(frame(CONTINUATION, payload));
        let outcome = decode_in_every_split(limits, &wire(&frames));
        assert_eq!(outcome.error, Some(ProtocolError::TooManyFragments));
        assert_eq!(seen_after(limits, &wire(&frames)), legal + 1);
    }
}

// F11
#[test]
fn pings_between_fragments_are_not_fragments() {
    let limits = DecoderLimits {
        message_bytes: 100,
        fragments: 2,
    };
    let mut frames = vec![part(TEXT, "a")];
    frames.resize(50, frame(PING, "p"));
    frames.push(frame(CONTINUATION, "b"));
    let outcome = decode_in_every_split(limits, &wire(&frames));
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.events.last(), Some(&text("ab")));
}

// F12
#[test]
fn a_decoder_reports_how_much_an_unfinished_message_holds() {
    let mut decoder = Decoder::new(LIMITS);
    let mut outcome = Outcome::default();
    assert!(!decoder.in_message());
    for done in 1..=100 {
        let next = if done == 1 { TEXT } else { CONTINUATION };
        assert!(outcome.feed(&mut decoder, &part(next, "0123456789").bytes()));
        assert_eq!(decoder.buffered(), done * 10);
        assert!(decoder.in_message());
    }
    assert!(outcome.feed(&mut decoder, &frame(CONTINUATION, "").bytes()));
    assert_eq!(outcome.events.len(), 1);
    assert_eq!(decoder.buffered(), 0);
    assert!(!decoder.in_message());
}

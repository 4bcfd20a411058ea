//! One test per framing rule, numbered as in the catalogue of hostile inputs. Every input is
//! decoded in every split (F26).

mod support;

use support::*;
use switchboard_core::{CloseReason, Decoder, DecoderLimits, Incoming, ProtocolError};

/// Decodes complete frames in every split.
fn decoded(frames: &[ClientFrame]) -> Outcome {
    decode_in_every_split(LIMITS, &wire(frames))
}

fn events(frames: &[ClientFrame]) -> Vec<Event> {
    let outcome = decoded(frames);
    assert_eq!(outcome.error, None);
    outcome.events
}

/// Returns the error of bytes that must fail without an earlier event.
fn error_of(bytes: &[u8]) -> ProtocolError {
    let outcome = decode_in_every_split(LIMITS, bytes);
    assert_eq!(outcome.events, []);
    outcome.error.expect("an error")
}

/// Returns the number of bytes after which the error is reported, byte by byte.
fn seen_after(limits: DecoderLimits, bytes: &[u8]) -> usize {
    (0..=bytes.len())
        .find(|len| decode(limits, [&bytes[..*len]]).error.is_some())
        .expect("an error")
}

fn text(payload: &str) -> Event {
    Event::Text(payload.to_owned())
}

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
            declared.length = Length::Declared(len);
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
        declared.length = Length::Declared(len);
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
            declared.length = Length::Declared(len);
            let bytes = [wire(start), declared.header()].concat();
            assert_eq!(error_of(&bytes), ProtocolError::TooBig, "{len:X}");
        }
    }
    let limits = DecoderLimits {
        message_bytes: usize::MAX,
        fragments: usize::MAX,
    };
    let mut declared = frame(CONTINUATION, "");
    declared.length = Length::Declared(u64::from(u32::MAX) - 2);
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
    declared.length = Length::Declared(16 << 20);
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

const NOT_UTF8: [&[u8]; 8] = [
    b"\xC0\x80",
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xE0\x80\x80",
    b"\xF8\x88\x80\x80\x80",
    b"\xFF",
    b"\x80",
    b"\xC3(",
];

// F13
#[test]
fn text_that_is_not_utf8_is_an_error_wherever_frames_cut_it() {
    for bad in NOT_UTF8 {
        let payload = [b"k\xCE\xBA ", bad, b" rest"].concat();
        assert_eq!(
            error_of(&frame(TEXT, &payload).bytes()),
            ProtocolError::InvalidUtf8
        );
        for cut in 0..payload.len() {
            let (head, tail) = payload.split_at(cut);
            let bytes = wire(&[part(TEXT, head), frame(CONTINUATION, tail)]);
            assert_eq!(error_of(&bytes), ProtocolError::InvalidUtf8, "cut at {cut}");
        }
    }
}

// F13; Autobahn 6.4
#[test]
fn text_that_can_not_become_utf8_is_an_error_at_the_earliest_byte_of_an_unfinished_frame() {
    for (bad, shown_by) in [
        (&b"\xC0\x80"[..], 1),
        (b"\xED\xA0\x80", 2),
        (b"\xF4\x90\x80\x80", 2),
        (b"\xE0\x80\x80", 2),
        (b"\xC3(", 2),
        (b"\xF0\x9F\x98(", 4),
    ] {
        let payload = [b"abc", bad, &[b'x'; 100]].concat();
        let bytes = frame(TEXT, &payload).bytes();
        let header = bytes.len() - payload.len();
        let mut decoder = Decoder::new(LIMITS);
        let mut outcome = Outcome::default();
        let fed = bytes
            .chunks(1)
            .take_while(|byte| outcome.feed(&mut decoder, byte))
            .count();
        assert_eq!(outcome.error, Some(ProtocolError::InvalidUtf8));
        assert_eq!(fed + 1, header + 3 + shown_by, "{bad:X?}");
        assert_eq!(seen_after(LIMITS, &bytes), header + 3 + shown_by);
    }
}

// F13
#[test]
fn text_that_ends_inside_a_character_is_an_error() {
    for open in [&b"a\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98"] {
        let whole = frame(TEXT, open).bytes();
        assert_eq!(error_of(&whole), ProtocolError::InvalidUtf8);
        let parts = wire(&[part(TEXT, open), frame(CONTINUATION, "")]);
        assert_eq!(error_of(&parts), ProtocolError::InvalidUtf8);
    }
}

// F14
#[test]
fn utf8_cut_inside_characters_by_frames_and_reads_is_delivered_intact() {
    let payload = "κόσμε 😀 \u{10FFFF}\u{FEFF}";
    for cut in 0..=payload.len() {
        for second in cut..=payload.len() {
            let bytes = payload.as_bytes();
            let frames = [
                part(TEXT, &bytes[..cut]),
                part(CONTINUATION, &bytes[cut..second]),
                frame(PING, b"\xFF"),
                frame(CONTINUATION, &bytes[second..]),
            ];
            assert_eq!(
                events(&frames),
                [Event::Ping(vec![0xFF]), text(payload)],
                "{cut}, {second}"
            );
        }
    }
}

// F14
#[test]
fn binary_needs_not_be_utf8() {
    for bad in NOT_UTF8 {
        assert_eq!(
            events(&[
                frame(BINARY, bad),
                part(BINARY, bad),
                frame(CONTINUATION, bad)
            ]),
            [Event::Binary(bad.to_vec()), Event::Binary(bad.repeat(2))]
        );
    }
}

// F15
#[test]
fn a_continuation_of_nothing_is_an_error_at_the_first_byte() {
    for bytes in [
        part(CONTINUATION, "x").bytes(),
        frame(CONTINUATION, "x").bytes(),
    ] {
        assert_eq!(error_of(&bytes), ProtocolError::UnexpectedContinuation);
        assert_eq!(seen_after(LIMITS, &bytes), 1);
    }
    let after = [
        part(TEXT, "a"),
        frame(CONTINUATION, "b"),
        frame(CONTINUATION, "c"),
    ];
    let outcome = decoded(&after);
    assert_eq!(outcome.events, [text("ab")]);
    assert_eq!(outcome.error, Some(ProtocolError::UnexpectedContinuation));
}

// F15
#[test]
fn a_new_message_inside_a_fragmented_one_is_an_error_at_the_first_byte() {
    for opcode in [TEXT, BINARY] {
        for first in [part(TEXT, "a"), part(BINARY, "")] {
            let bytes = wire(&[first.clone(), frame(opcode, "b")]);
            assert_eq!(error_of(&bytes), ProtocolError::UnexpectedData);
            assert_eq!(seen_after(LIMITS, &bytes), first.bytes().len() + 1);
        }
    }
}

// F16
#[test]
fn a_ping_or_pong_between_fragments_comes_at_once_and_leaves_the_message_intact() {
    assert_eq!(
        events(&[
            part(TEXT, "one "),
            frame(PING, "p"),
            part(CONTINUATION, "two "),
            frame(PONG, ""),
            frame(PING, [0xFF; 125]),
            frame(CONTINUATION, "three"),
            frame(BINARY, "four"),
        ]),
        [
            Event::Ping(b"p".to_vec()),
            Event::Pong(vec![]),
            Event::Ping(vec![0xFF; 125]),
            text("one two three"),
            Event::Binary(b"four".to_vec()),
        ]
    );
}

// F17
#[test]
fn a_close_of_one_byte_is_an_error() {
    let bytes = frame(CLOSE, [3]).bytes();
    assert_eq!(error_of(&bytes), ProtocolError::CloseTooShort);
}

// F17, F19
#[test]
fn a_close_is_delivered_with_a_legal_code_and_an_error_with_any_other() {
    for code in 0..=u16::MAX {
        let bytes = close(code, "why").bytes();
        let outcome = decode(LIMITS, bytes.chunks(3));
        assert_eq!(outcome, decode(LIMITS, [&bytes[..]]));
        if matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999) {
            let body = Some((code, "why".to_owned()));
            assert_eq!(outcome.events, [Event::Close(body)]);
            assert_eq!(outcome.error, None);
        } else {
            assert_eq!(outcome.events, []);
            assert_eq!(outcome.error, Some(ProtocolError::CloseCode), "{code}");
        }
    }
}

// F17
#[test]
fn a_close_reason_may_have_123_bytes_and_no_more() {
    let reason = "x".repeat(123);
    assert_eq!(
        events(&[close(1000, &reason)]),
        [Event::Close(Some((1000, reason)))]
    );
    let bytes = close(1000, "x".repeat(124)).bytes();
    assert_eq!(error_of(&bytes), ProtocolError::ControlTooLong);
}

// F18
#[test]
fn a_close_reason_that_is_not_utf8_is_an_error() {
    for bad in NOT_UTF8.into_iter().chain([&b"\xE2\x82"[..]]) {
        let bytes = close(1000, bad).bytes();
        assert_eq!(error_of(&bytes), ProtocolError::InvalidUtf8);
    }
}

// F19
#[test]
fn an_empty_close_is_delivered_without_a_code() {
    assert_eq!(events(&[frame(CLOSE, "")]), [Event::Close(None)]);
}

// F20
#[test]
fn nothing_after_a_close_is_an_event_or_an_error() {
    for after in [
        frame(TEXT, "late"),
        close(1000, ""),
        frame(CONTINUATION, "x"),
        ClientFrame {
            mask: None,
            rsv: 7,
            ..frame(3, "x")
        },
    ] {
        let frames = [close(1001, "bye"), after.clone(), after];
        let body = Some((1001, "bye".to_owned()));
        assert_eq!(events(&frames), [Event::Close(body)]);
    }
}

// F20
#[test]
fn all_input_after_an_error_is_used_up_without_an_event() {
    let mut decoder = Decoder::new(LIMITS);
    let mut outcome = Outcome::default();
    assert!(outcome.feed(&mut decoder, &part(TEXT, "held").bytes()));
    assert!(!outcome.feed(&mut decoder, &frame(TEXT, "x").bytes()));
    assert_eq!(decoder.buffered(), 0);
    assert!(!decoder.in_message());
    for bytes in [frame(TEXT, "late").bytes(), vec![0xFF; 100], vec![]] {
        assert!(outcome.feed(&mut decoder, &bytes));
    }
    assert_eq!(outcome.events, []);
}

// F21
#[test]
fn a_close_inside_a_fragmented_message_is_clean_and_discards_the_part() {
    let body = Some((1000, "enough".to_owned()));
    assert_eq!(
        events(&[
            part(TEXT, b"half a mess\xC3"),
            close(1000, "enough"),
            frame(CONTINUATION, "age"),
        ]),
        [Event::Close(body)]
    );
    let mut decoder = Decoder::new(LIMITS);
    let mut outcome = Outcome::default();
    assert!(outcome.feed(&mut decoder, &part(TEXT, "half").bytes()));
    let mut bytes = close(1000, "enough").bytes();
    assert!(
        decoder
            .decode(&mut bytes)
            .is_ok_and(|step| step.incoming.is_some())
    );
    assert!(!decoder.in_message());
    assert_eq!(decoder.buffered(), 0);
}

// F22
#[test]
fn a_stream_that_ends_inside_a_frame_delivers_nothing_and_is_inside_a_message() {
    let message = frame(TEXT, "hello").bytes();
    for len in 1..message.len() {
        let mut decoder = Decoder::new(LIMITS);
        let mut outcome = Outcome::default();
        assert!(outcome.feed(&mut decoder, &message[..len]));
        assert_eq!(outcome.events, [], "{len} bytes");
        assert!(decoder.in_message(), "{len} bytes");
    }
}

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

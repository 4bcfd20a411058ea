//! Text, fragments and Close frames, numbered as in the catalogue of hostile inputs. Every input is
//! decoded in every split (F26).

use switchboard_core::{Decoder, ProtocolError};

use crate::support::{
    BINARY, CLOSE, CONTINUATION, ClientFrame, Event, LIMITS, Outcome, PING, PONG, TEXT, close,
    decode, decoded, error_of, events, frame, part, seen_after, text, wire,
};

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

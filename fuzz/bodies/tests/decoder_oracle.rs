//! Compares the decoder with tungstenite on whole frames, mostly legal, with one case per
//! deliberate difference. The fuzzer covers arbitrary bytes.

#[path = "../../../core/tests/support/mod.rs"]
mod support;

use proptest::prelude::*;

use support::scripts::{reads, script, split};
use support::*;
use switchboard_fuzz::{Agreement, DIFFERENCES, Verdict, compare, ours, theirs};
use switchboard_kit::Received;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn whole_frames_decode_as_in_tungstenite(
        frames in script(), lengths in reads(),
    ) {
        let bytes = wire(&frames);
        let compared = compare(&bytes, split(&bytes, &lengths));
        prop_assert!(compared.is_ok(), "{:?}", compared);
    }
}

/// Asserts that both agree as the table says, whole and byte by byte.
#[track_caller]
fn agrees(bytes: &[u8], expected: Agreement) {
    assert_eq!(compare(bytes, [bytes]), Ok(expected));
    assert_eq!(compare(bytes, bytes.chunks(1)), Ok(expected));
}

/// Returns a header that declares this length, without a payload.
fn declaring(opcode: u8, length: u64) -> Vec<u8> {
    ClientFrame {
        length: Length::Bits64,
        declared: Some(length),
        ..frame(opcode, "")
    }
    .header()
}

fn unmasked(payload: &[u8]) -> ClientFrame {
    ClientFrame {
        mask: None,
        ..frame(TEXT, payload)
    }
}

#[test]
fn the_first_of_two_broken_rules_is_told_where_tungstenite_tells_the_second() {
    for (why, bytes, theirs_is) in [
        (
            "no mask, then size",
            unmasked(&[b'x'; 301]).bytes(),
            Verdict::TooBig,
        ),
        (
            "code, then reason",
            close(999, b"\xFF").bytes(),
            Verdict::Utf8,
        ),
        (
            "top bit, not size",
            declaring(BINARY, 1 << 63),
            Verdict::TooBig,
        ),
        (
            "control length, not size",
            declaring(PING, 301),
            Verdict::TooBig,
        ),
    ] {
        assert_eq!(ours([&bytes[..]]), (vec![], Verdict::Protocol), "{why}");
        assert_eq!(theirs(&bytes), (vec![], theirs_is), "{why}");
        let place = DIFFERENCES.iter().position(|it| it.theirs == theirs_is);
        agrees(&bytes, Agreement::Meant(place.unwrap()));
    }
}

#[test]
fn a_broken_rule_is_told_at_once_where_tungstenite_waits_for_the_payload() {
    let rsv = ClientFrame {
        rsv: 4,
        ..frame(TEXT, "hello")
    };
    let sum = [
        part(BINARY, [7; 200]).bytes(),
        frame(CONTINUATION, [7; 101]).header(),
    ];
    let mut surrogate = frame(TEXT, b"\xED\xA0\x80").bytes();
    surrogate.pop();
    for (why, bytes, ours_is) in [
        ("reserved bit", rsv.header(), Verdict::Protocol),
        ("no mask", unmasked(b"hello").header(), Verdict::Protocol),
        (
            "control length",
            frame(PING, [0; 126]).header(),
            Verdict::Protocol,
        ),
        (
            "control without FIN",
            part(PING, "hello").header(),
            Verdict::Protocol,
        ),
        (
            "nothing to continue",
            frame(CONTINUATION, "x").header(),
            Verdict::Protocol,
        ),
        ("sum of fragments", sum.concat(), Verdict::TooBig),
        ("half a surrogate (Autobahn 6.4)", surrogate, Verdict::Utf8),
    ] {
        assert_eq!(ours([&bytes[..]]), (vec![], ours_is), "{why}");
        assert_eq!(theirs(&bytes), (vec![], Verdict::Fine), "{why}");
        agrees(&bytes, Agreement::Earlier);
    }
}

#[test]
fn a_control_frame_with_a_length_in_a_longer_form_is_refused_where_tungstenite_takes_it() {
    let bytes = ClientFrame {
        length: Length::Bits16,
        ..frame(PING, "")
    }
    .bytes();
    assert_eq!(ours([&bytes[..]]), (vec![], Verdict::Protocol));
    assert_eq!(
        theirs(&bytes),
        (vec![Received::Ping(vec![])], Verdict::Fine)
    );
    agrees(&bytes, Agreement::Meant(2));
}

#[test]
fn a_difference_that_is_not_in_the_table_is_found() {
    // The comparison must detect different messages.
    let (text, other) = (frame(TEXT, "hello").bytes(), frame(TEXT, "world").bytes());
    assert!(compare(&text, [&other[..]]).is_err());
    assert!(compare(&text, [&unmasked(b"hello").bytes()[..]]).is_err());
}

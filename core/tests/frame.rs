//! Encoding of server frames.

use switchboard_core::{BadCloseCode, Frame};

#[test]
fn a_payload_has_the_shortest_length_that_fits() {
    for (len, header) in [
        (0_usize, &[0x82, 0][..]),
        (1, &[0x82, 1]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (65_535, &[0x82, 126, 0xFF, 0xFF]),
        (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let frame = Frame::binary(&payload);
        assert_eq!(frame.as_bytes(), [header, &payload[..]].concat());
        assert_eq!(frame.payload_len(), len);
        assert_eq!(frame.len(), header.len() + len);
        assert!(!frame.is_control() && !frame.is_empty());
    }
}

#[test]
fn every_kind_has_its_opcode() {
    assert_eq!(Frame::text("a").as_bytes(), b"\x81\x01a");
    assert_eq!(Frame::binary(b"a").as_bytes(), b"\x82\x01a");
    assert_eq!(Frame::close_empty().as_bytes(), b"\x88\x00");
    assert_eq!(Frame::ping(b"a").as_bytes(), b"\x89\x01a");
    assert_eq!(Frame::pong(b"a").as_bytes(), b"\x8A\x01a");
    assert_eq!(
        Frame::close(1000, "bye").map(|frame| frame.as_bytes().to_vec()),
        Ok(b"\x88\x05\x03\xE8bye".to_vec())
    );
}

#[test]
fn control_frames_know_that_they_are_and_data_frames_that_they_are_not() {
    assert!(Frame::close_empty().is_control());
    assert!(Frame::ping(b"").is_control());
    assert!(Frame::pong(b"").is_control());
    assert!(!Frame::text("").is_control());
    assert!(!Frame::binary(b"").is_control());
}

#[test]
fn a_payload_of_a_ping_or_pong_is_cut_at_125_bytes() {
    for frame in [Frame::ping(&[7; 200]), Frame::pong(&[7; 200])] {
        assert_eq!(frame.payload_len(), 125);
        assert_eq!(frame.as_bytes()[1], 125);
        assert_eq!(frame.as_bytes()[2..], [7; 125]);
    }
}

// F25
#[test]
fn a_reason_of_300_bytes_of_emoji_is_cut_to_whole_characters_of_at_most_123_bytes() {
    let frame = Frame::close(4000, &"😀".repeat(75)).expect("a legal code");
    let reason = str::from_utf8(&frame.as_bytes()[4..]).expect("whole characters");
    assert_eq!(reason, "😀".repeat(30));
    let reason = "x".repeat(123);
    let frame = Frame::close(4000, &reason).expect("a legal code");
    assert_eq!(&frame.as_bytes()[4..], reason.as_bytes());
    assert_eq!(frame.payload_len(), 125);
}

// F25
#[test]
fn an_illegal_close_code_is_an_error_and_never_on_the_wire() {
    for code in 0..=u16::MAX {
        let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        match Frame::close(code, "") {
            Ok(frame) => {
                assert!(legal, "{code}");
                assert_eq!(frame.as_bytes()[2..], code.to_be_bytes());
            }
            Err(error) => {
                assert!(!legal, "{code}");
                assert_eq!(error, BadCloseCode(code));
            }
        }
    }
    assert_eq!(
        BadCloseCode(1006).to_string(),
        "1006 must not be sent in a Close frame"
    );
}

#[test]
fn a_text_written_into_scratch_is_the_text_given_whole() {
    let mut scratch = b"left over from before".to_vec();
    for text in ["", "a", "ü😀", &"x".repeat(70_000)] {
        let frame = Frame::text_with(&mut scratch, |out| {
            assert!(out.is_empty());
            out.extend_from_slice(text.as_bytes());
        });
        assert_eq!(frame, Frame::text(text));
    }
}

#[test]
fn a_text_written_as_bytes_that_are_not_utf8_goes_out_as_utf8() {
    let frame = Frame::text_with(&mut Vec::new(), |out| out.extend(b"a\xFFb"));
    assert_eq!(frame, Frame::text("a\u{FFFD}b"));
}

#[test]
fn a_clone_shares_the_bytes() {
    let frame = Frame::text("a");
    assert_eq!(frame.as_bytes().as_ptr(), frame.clone().as_bytes().as_ptr());
}

#[test]
fn debug_tells_the_kind_and_the_length_and_never_the_payload() {
    assert_eq!(
        format!("{:?}", Frame::text("secret")),
        "Frame(Text, 6 bytes)"
    );
    assert_eq!(
        format!("{:?}", Frame::binary(&[0; 300])),
        "Frame(Binary, 300 bytes)"
    );
    assert_eq!(
        format!("{:?}", Frame::close_empty()),
        "Frame(Close, 0 bytes)"
    );
}

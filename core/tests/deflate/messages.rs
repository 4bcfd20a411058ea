//! Which compressed messages are legal, held against another implementation.

use switchboard_core::{Deflated, Incoming, Inflater, ProtocolError};
use switchboard_kit::deflate::{Blocks, Malformed, deflate, inflate};

const LIMIT: usize = 65_536;

/// Inflates a binary message, and compares the verdict with the other implementation's.
pub(crate) fn inflated(payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let mut inflater = Inflater::default();
    let message = Deflated {
        payload,
        text: false,
        fragments: 1,
    };
    let result = inflater
        .inflate(message, LIMIT)
        .map(|inflated| match inflated.incoming {
            Incoming::Binary(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        });
    let other = inflate(payload, LIMIT).map(|content| content.bytes);
    match (&result, &other) {
        (Err(ProtocolError::BadDeflate), Err(Malformed::Data))
        | (Err(ProtocolError::TooBig), Err(Malformed::Long))
        | (Err(ProtocolError::TooManyBlocks), Ok(_)) => {}
        (Ok(bytes), Ok(others)) => assert_eq!(bytes, others),
        _ => panic!("{result:?} but {other:?}"),
    }
    result
}

fn text(payload: &[u8]) -> Result<String, ProtocolError> {
    let message = Deflated {
        payload,
        text: true,
        fragments: 1,
    };
    let mut inflater = Inflater::default();
    match inflater.inflate(message, LIMIT)?.incoming {
        Incoming::Text(text) => Ok(text.to_owned()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_examples_of_the_rfc_are_inflated() {
    // RFC 7692, sections 7.2.3.1, 7.2.3.3, 7.2.3.4 and 7.2.3.6.
    let compressed = &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..];
    let stored = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    let two_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    for payload in [compressed, stored, last, two_blocks] {
        assert_eq!(inflated(payload), Ok(b"Hello".to_vec()));
        assert_eq!(text(payload).as_deref(), Ok("Hello"));
    }
    assert_eq!(inflated(b"\x00"), Ok(Vec::new()));
    assert_eq!(inflated(b"\x02\x00"), Ok(Vec::new()));
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    for byte in [0, b'x'] {
        assert_eq!(
            inflated(&deflate(&vec![byte; LIMIT])),
            Ok(vec![byte; LIMIT])
        );
        let long = deflate(&vec![byte; LIMIT + 1]);
        assert_eq!(inflated(&long), Err(ProtocolError::TooBig));
        let bomb = deflate(&vec![byte; 64 << 20]);
        assert_eq!(inflated(&bomb), Err(ProtocolError::TooBig));
    }
}

#[test]
fn data_that_does_not_compress_is_inflated_too() {
    let mut state = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(LIMIT)
    .collect();
    let compressed = deflate(&noise);
    assert!(compressed.len() > noise.len());
    assert_eq!(inflated(&compressed), Ok(noise));
}

#[test]
fn a_message_ends_where_a_block_ends() {
    let whole = deflate(b"compressed, and then cut somewhere; compressed, and then cut");
    for len in 0..whole.len() {
        assert_eq!(
            inflated(&whole[..len]),
            Err(ProtocolError::BadDeflate),
            "{len}"
        );
    }
    // The tail belongs to the message, or half of it does.
    for tail in [&[0x00, 0x00, 0xFF, 0xFF][..], &[0x00, 0x00]] {
        let payload = [&deflate(b"Hello")[..], tail].concat();
        assert_eq!(inflated(&payload), Err(ProtocolError::BadDeflate));
    }
    // A block that takes the tail for its content.
    let mut stored = Blocks::new().stored(false, b"Hello1234").bytes();
    stored.truncate(stored.len() - 4);
    let content = b"Hello\0\0\xFF\xFF".to_vec();
    assert_eq!(inflated(&stored), Ok(content));
    // One that would take what is behind the tail.
    for missing in 5..=9 {
        for last in [false, true] {
            let mut stored = Blocks::new().stored(last, b"Hello123456789").bytes();
            stored.truncate(stored.len() - missing);
            assert_eq!(
                inflated(&stored),
                Err(ProtocolError::BadDeflate),
                "{missing}"
            );
        }
    }
}

#[test]
fn behind_a_last_block_there_is_at_most_the_empty_one() {
    let last = Blocks::new().fixed(true, b"Hello").bytes();
    let hello = Ok(b"Hello".to_vec());
    assert_eq!(inflated(&last), hello);
    assert_eq!(inflated(&[&last[..], b"\0"].concat()), hello);
    // The tail is that of a last block.
    assert_eq!(
        inflated(&Blocks::new().fixed(false, b"Hello").last().bytes()),
        hello
    );
    for more in [&b"\0\0"[..], b"\x01", b"x", &deflate(b"more"), &last] {
        let payload = [&last[..], more].concat();
        assert_eq!(
            inflated(&payload),
            Err(ProtocolError::BadDeflate),
            "{more:?}"
        );
    }
    let middle = [
        &deflate(b"a")[..],
        &[0, 0, 0xFF, 0xFF],
        &last,
        &deflate(b"b"),
    ]
    .concat();
    assert_eq!(inflated(&middle), Err(ProtocolError::BadDeflate));
}

#[test]
fn a_message_refers_to_itself_only() {
    let message = |distance| {
        Blocks::new()
            .stored(false, b"abc")
            .copy(3, distance)
            .flush()
    };
    assert_eq!(inflated(&message(3).bytes()), Ok(b"abcabc".to_vec()));
    assert_eq!(
        inflated(&message(4).bytes()),
        Err(ProtocolError::BadDeflate)
    );
    let mut inflater = Inflater::default();
    let mut next = |payload: &[u8]| {
        let message = Deflated {
            payload,
            text: true,
            fragments: 1,
        };
        inflater.inflate(message, LIMIT).map(|it| it.cost)
    };
    // Also behind one to which it could refer, and one that failed.
    for _ in 0..3 {
        assert_eq!(next(&deflate(b"abcdefghijklm")), Ok(13));
        let refers = Blocks::new().copy(3, 5).flush().bytes();
        assert_eq!(next(&refers), Err(ProtocolError::BadDeflate));
    }
}

#[test]
fn text_is_checked_when_it_is_inflated() {
    let word = "gr\u{fc}\u{df}e \u{1f600}";
    for cut in 0..=word.len() {
        // Blocks may end within a character.
        let (head, tail) = word.as_bytes().split_at(cut);
        let blocks = Blocks::new().fixed(false, head).stored(false, tail).flush();
        assert_eq!(text(&blocks.bytes()).as_deref(), Ok(word));
    }
    for wrong in [&b"\xFF"[..], b"a\xC3", b"\xED\xA0\x80"] {
        assert_eq!(text(&deflate(wrong)), Err(ProtocolError::InvalidUtf8));
        assert_eq!(inflated(&deflate(wrong)).as_deref(), Ok(wrong));
    }
}

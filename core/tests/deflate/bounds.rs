//! Bounds on the work and on the memory that a message causes.

use switchboard_core::{CloseReason, Deflated, Inflater, ProtocolError};
use switchboard_kit::deflate::{Blocks, deflate};

use crate::messages::inflated;

/// Inflates a message in this many fragments, and returns its cost.
fn cost(payload: &[u8], fragments: u32, limit: usize) -> Result<usize, ProtocolError> {
    let message = Deflated {
        payload,
        text: false,
        fragments,
    };
    Inflater::default()
        .inflate(message, limit)
        .map(|it| it.cost)
}

fn stored(count: usize, content: &[u8]) -> Vec<u8> {
    let block = Blocks::new().stored(false, content).bytes();
    [block.repeat(count), vec![0]].concat()
}

#[test]
fn blocks_that_the_length_does_not_explain_are_refused() {
    // Eight blocks of any length in bits end with a byte.
    let many = |add: fn(Blocks) -> Blocks| {
        let eight = (0..8).fold(Blocks::new(), |blocks, _| add(blocks));
        eight.repeat(100).flush().bytes()
    };
    let fixed = many(|blocks| blocks.fixed(false, b""));
    let short = many(Blocks::empty_dynamic);
    let full = many(Blocks::empty_full);
    for payload in [fixed, short, full, stored(13_000, b"")] {
        assert_eq!(inflated(&payload), Err(ProtocolError::TooManyBlocks));
    }
    assert_eq!(ProtocolError::TooManyBlocks.close(), CloseReason::Policy);
}

#[test]
fn a_message_has_64_blocks_and_2_per_fragment_and_1_per_64_bytes_to_spend() {
    let most = 65_536;
    for (fragments, allowed) in [(1, 66), (2, 68), (100, 264)] {
        assert!(cost(&stored(allowed, b""), fragments, most).is_ok());
        let more = cost(&stored(allowed + 1, b""), fragments, most);
        assert_eq!(more, Err(ProtocolError::TooManyBlocks));
    }
    assert!(cost(&stored(1_024, &[7; 64]), 1, most).is_ok());
    assert!(cost(&stored(1_000, &[7; 32]), 1, most).is_err());
}

#[test]
fn no_message_has_more_than_4096_blocks_unless_its_limit_explains_them() {
    let large = 8 << 20;
    assert!(cost(&stored(8_192, &[7; 64]), 1, large).is_ok());
    assert!(cost(&stored(8_193, &[7; 64]), 1, large).is_err());
    assert!(cost(&stored(4_096, &[7; 64]), 1, 1 << 20).is_ok());
    assert!(cost(&stored(4_097, &[7; 64]), 1, 1 << 20).is_err());
}

#[test]
fn a_message_costs_its_length_and_512_bytes_for_each_block_too_many() {
    let most = 65_536;
    assert_eq!(cost(&deflate(&[7; 5_000]), 1, most), Ok(5_000));
    assert_eq!(cost(&stored(6, b"abc"), 1, most), Ok(18));
    assert_eq!(cost(&stored(10, b"abc"), 1, most), Ok(30 + 4 * 512));
    assert_eq!(cost(&stored(10, b"abc"), 3, most), Ok(30));
}

#[test]
fn an_inflater_keeps_a_buffer_of_64_kib_at_most() {
    let buffer = |inflater: &Inflater| {
        let shown = format!("{inflater:?}");
        let digits = shown.trim_start_matches(|it: char| !it.is_ascii_digit());
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().expect("a size")
    };
    let mut inflater = Inflater::default();
    assert_eq!(buffer(&inflater), 0);
    for (len, kept) in [
        (100, true),
        (65_536, true),
        (65_537, false),
        (1 << 20, false),
    ] {
        let payload = deflate(&vec![7; len]);
        let message = Deflated {
            payload: &payload,
            text: false,
            fragments: 1,
        };
        assert!(inflater.inflate(message, len).is_ok());
        assert!(buffer(&inflater) <= len.max(1 << 16) + 1, "{len}");
        inflater.give_back();
        assert_eq!(buffer(&inflater) > 0, kept, "{len}");
        assert!(buffer(&inflater) <= (64 << 10) + 1);
    }
}

//! Compares the inflater with another one on data that was compressed and then damaged, and the
//! decoder with a naive one on frames. The fuzzer covers more of what is arbitrary.

use proptest::prelude::*;

use switchboard_fuzz::deflate;
use switchboard_kit::deflate::deflate as compress;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_data_is_judged_as_by_another_implementation(
        choice: u8,
        fragments in 0_u8..4,
        words in prop::collection::vec("[a-e]{1,6}|[\u{80}-\u{90}]", 0..200),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut payload = compress(words.concat().as_bytes());
        for (place, byte) in damage {
            let place = place.index(payload.len());
            payload[place] ^= byte;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        deflate(&[&[0, choice, fragments], &payload[..]].concat());
    }

    #[test]
    fn arbitrary_data_is_judged_as_by_another_implementation(
        choice: u8,
        payload in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        deflate(&[&[0, choice, 0], &payload[..]].concat());
    }

    #[test]
    fn frames_are_decoded_as_by_a_naive_decoder(
        draw in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        deflate(&[&[1][..], &draw[..]].concat());
    }
}

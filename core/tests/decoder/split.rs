//! Events do not depend on how bytes are split into reads (F26), and no input causes a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard_core::Decoder;

use crate::support::scripts::{SMALL, limits, reads, split, stream};
use crate::support::{Outcome, decode};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_a_stream_gives_the_same_events(
        bytes in stream(), lengths in reads(), limits in limits(),
    ) {
        let whole = decode(limits, [&bytes[..]]);
        prop_assert_eq!(&decode(limits, split(&bytes, &lengths)), &whole);
        prop_assert_eq!(&decode(limits, bytes.chunks(1)), &whole);
    }

    #[test]
    fn arbitrary_bytes_come_to_the_same_in_any_split_and_never_panic(
        bytes in vec(any::<u8>(), 0..400), lengths in reads(),
    ) {
        let whole = decode(SMALL, [&bytes[..]]);
        prop_assert_eq!(&decode(SMALL, split(&bytes, &lengths)), &whole);
    }

    #[test]
    fn a_decoder_holds_no_more_than_the_limit_and_what_was_received(
        bytes in stream(), lengths in reads(),
    ) {
        let mut decoder = Decoder::new(SMALL);
        let mut outcome = Outcome::default();
        let mut received = 0;
        for read in split(&bytes, &lengths) {
            let goes_on = outcome.feed(&mut decoder, read);
            received += read.len();
            prop_assert!(decoder.buffered() <= received.min(SMALL.message_bytes + 125));
            if !decoder.in_message() {
                prop_assert_eq!(decoder.buffered(), 0);
            }
            if !goes_on {
                break;
            }
        }
    }

    #[test]
    fn no_event_comes_after_an_error_whatever_is_fed(
        bytes in stream(), more in stream(), lengths in reads(),
    ) {
        let mut decoder = Decoder::new(SMALL);
        let mut outcome = Outcome::default();
        let broken = split(&bytes, &lengths)
            .into_iter()
            .any(|read| !outcome.feed(&mut decoder, read));
        if broken {
            let before = outcome.clone();
            prop_assert!(outcome.feed(&mut decoder, &more));
            prop_assert_eq!(outcome, before);
        }
    }
}

//! Frames: declared lengths that never arrive, endless fragments, reads of one byte.

use std::iter::once;

use switchboard_core::{Decoder, DecoderLimits, ProtocolError};

use crate::heap::Heap;

const LARGE: DecoderLimits = DecoderLimits {
    message_bytes: 16 << 20,
    fragments: 1_024,
};

/// The first buffer, and a control frame inside a message.
const CONSTANT: i64 = 512;

fn frame(first: u8, declared: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 127];
    bytes.extend(declared.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn short(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend(payload);
    bytes
}

/// The costs of feeding some reads.
struct Fed {
    heap: Heap,
    received: usize,
    calls: usize,
    frames: usize,
    error: Option<ProtocolError>,
    decoder: Decoder,
}

fn feed<'a>(limits: DecoderLimits, reads: impl Iterator<Item = &'a [u8]>) -> Fed {
    let mut fed = Fed {
        heap: Heap::default(),
        received: 0,
        calls: 0,
        frames: 0,
        error: None,
        decoder: Decoder::new(limits),
    };
    for read in reads {
        fed.received += read.len();
        let mut read = read.to_vec();
        let mut at = 0;
        loop {
            fed.calls += 1;
            let step = fed.heap.during(|| {
                let step = fed.decoder.decode(&mut read[at..]);
                step.map(|step| (step.consumed, step.incoming.is_some()))
            });
            fed.heap.check(fed.received, CONSTANT);
            match step {
                Ok((consumed, true)) => {
                    fed.frames += 1;
                    at += consumed;
                }
                Ok((_, false)) => break,
                Err(error) => {
                    fed.error = Some(error);
                    return fed;
                }
            }
        }
    }
    fed
}

/// RUSTSEC-2022-0035 (F9): a declared length allocates nothing until bytes arrive.
#[test]
fn a_thousand_frames_that_declare_16_mib_and_send_little_cost_little() {
    for (sent, most) in [(0, 0), (1, 64), (100, 200)] {
        let bytes = frame(0x82, 16 << 20, &vec![7; sent]);
        let mut heap = Heap::default();
        let mut decoders = Vec::with_capacity(1_000);
        for _ in 0..1_000 {
            let mut read = bytes.clone();
            let mut decoder = Decoder::new(LARGE);
            let step = heap.during(|| decoder.decode(&mut read).map(|step| step.consumed));
            assert_eq!(step, Ok(bytes.len()));
            decoders.push(decoder);
        }
        heap.check(0, 1_000 * most);
    }
}

/// CVE-2026-48779, CVE-2026-12151, CVE-2014-0193, RUSTSEC-2026-0258 (F11): no object per fragment.
#[test]
fn fragments_without_end_hold_no_more_than_their_bytes() {
    for payload in [&b""[..], b"x"] {
        let limits = DecoderLimits {
            fragments: usize::MAX,
            ..LARGE
        };
        let mut stream = short(0x01, payload);
        for _ in 0..50_000 {
            stream.extend(short(0x00, payload));
        }
        let fed = feed(limits, stream.chunks(4_096));
        assert_eq!((fed.error, fed.frames), (None, 0));
        fed.heap.check(50_001 * payload.len(), 64);
        let fed = feed(LARGE, stream.chunks(4_096));
        assert_eq!(fed.error, Some(ProtocolError::TooManyFragments));
        assert_eq!(fed.decoder.buffered(), 0);
    }
}

/// CVE-2026-48779: the ratio holds for reads and fragments of any size.
#[test]
fn a_message_in_any_pieces_holds_at_most_twice_what_came() {
    let text = "é".repeat(32_000);
    for fragment in [1, 60, 125] {
        let mut stream = Vec::new();
        for (number, part) in text.as_bytes().chunks(fragment).enumerate() {
            stream.extend(short(u8::from(number == 0), part));
            if number % 100 == 0 {
                stream.extend(short(0x89, &[b'p'; 125]));
            }
        }
        stream.extend(short(0x80, b""));
        let limits = DecoderLimits {
            fragments: usize::MAX,
            ..LARGE
        };
        for size in [1, 100, 65_536] {
            let fed = feed(limits, stream.chunks(size));
            assert_eq!(fed.error, None);
            // One call per read, and one more per complete frame.
            let reads = stream.len().div_ceil(size);
            assert_eq!(fed.calls, reads + fed.frames);
            let mut fed = fed;
            fed.heap.during(|| drop(fed.decoder));
            fed.heap.check_empty();
        }
    }
}

/// CVE-2023-43669 for frames: each byte is moved once on average, not once per read.
#[test]
fn a_decoder_allocates_linearly_in_what_it_received() {
    for bytes in [1_000, 10_000, 100_000, 1_000_000] {
        let stream = frame(0x81, bytes, &vec![b'x'; bytes as usize]);
        let fed = feed(LARGE, stream.chunks(1));
        assert_eq!(fed.frames, 1);
        let (allocated, blocks) = (fed.heap.bytes(), fed.heap.blocks());
        assert!(allocated <= 4 * bytes + 64, "{allocated} bytes for {bytes}");
        assert!(
            blocks <= u64::from(bytes.ilog2()),
            "{blocks} blocks for {bytes}"
        );
    }
}

/// A ping that arrives in parts inside a message is stored behind that message. It must not move
/// the whole message each time.
#[test]
fn pings_between_fragments_do_not_move_the_message_each_time() {
    let limits = DecoderLimits {
        fragments: usize::MAX,
        ..LARGE
    };
    let mut stream = frame(0x01, 60_000, "x".repeat(60_000).as_bytes());
    for _ in 0..1_000 {
        stream.extend(short(0x89, &[b'p'; 125]));
        stream.extend(short(0x00, b"x"));
    }
    for size in [1, 100] {
        // The first fragment arrives at once, into a buffer of its size.
        let (first, rest) = stream.split_at(60_014);
        let fed = feed(limits, once(first).chain(rest.chunks(size)));
        assert_eq!((fed.error, fed.frames), (None, 1_000));
        let (allocated, received) = (fed.heap.bytes(), fed.received as u64);
        assert!(
            allocated <= 4 * received,
            "{allocated} bytes for {received}"
        );
    }
}

/// A frame that arrives whole is not copied.
#[test]
fn frames_that_come_whole_allocate_nothing() {
    let stream = [
        short(0x81, b"hello"),
        short(0x89, b"ping"),
        short(0x82, b""),
    ]
    .concat();
    let stream = stream.repeat(1_000);
    let fed = feed(LARGE, stream.chunks(stream.len()));
    assert_eq!((fed.frames, fed.heap.blocks()), (3_000, 0));
}

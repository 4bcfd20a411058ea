//! Tests that a decoder does linear work, for any input in any split.
//!
//! These would have caught CVE-2023-43669 (bytes parsed again with each read), CVE-2020-13935 (an
//! endless loop from an invalid length), RUSTSEC-2024-0336 (a call without progress),
//! RUSTSEC-2026-0258 and CVE-2026-33871 (empty frames).

use super::{Decoder, DecoderLimits};

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0xFF];
    bytes.extend((payload.len() as u64).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn small(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend(payload);
    bytes
}

fn declaring(length: u64) -> Vec<u8> {
    let mut bytes = vec![0x82, 0xFF];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn hostile() -> Vec<Vec<u8>> {
    let fragments =
        |payload: &[u8], count| [small(0x01, payload), small(0x00, payload).repeat(count)].concat();
    let between = [small(0x00, b"x"), small(0x89, &[b'p'; 125])].concat();
    vec![
        frame(0x81, "\u{e9}".repeat(50_000).as_bytes()),
        frame(0x82, &[0; 100_000]),
        fragments(b"", 20_000),
        fragments(b"x", 20_000),
        fragments("\u{1f600}".as_bytes(), 10_000),
        [small(0x01, b"x"), between.repeat(1_000)].concat(),
        small(0x8A, b"").repeat(20_000),
        small(0x81, b"").repeat(20_000),
        small(0x88, b"").repeat(1_000),
        [small(0x01, &[b'x'; 125]), vec![0x80; 50_000]].concat(),
        [declaring(1 << 63), vec![0; 1_000]].concat(),
        [declaring(u64::MAX >> 1), vec![0; 1_000]].concat(),
        [declaring((1 << 32) + 5), vec![0; 1_000]].concat(),
        [declaring(16 << 20), vec![0; 100_000]].concat(),
    ]
}

/// Feeds a stream in pieces of one size and returns the number of calls and the work done.
fn work(stream: &[u8], piece: usize) -> (usize, usize) {
    let mut decoder = Decoder::new(DecoderLimits {
        message_bytes: 16 << 20,
        fragments: usize::MAX,
    });
    let mut calls = 0;
    for piece in stream.chunks(piece) {
        let mut piece = piece.to_vec();
        let mut at = 0;
        loop {
            calls += 1;
            match decoder.decode(&mut piece[at..]) {
                Ok(step) if step.incoming.is_some() => {
                    assert!(step.consumed > 0, "a frame out of nothing");
                    at += step.consumed;
                }
                Ok(step) => {
                    assert_eq!(at + step.consumed, piece.len(), "bytes are left");
                    break;
                }
                Err(_) => break, // Further input is discarded.
            }
        }
    }
    (calls, decoder.work)
}

#[test]
#[cfg_attr(miri, ignore = "millions of steps, which are hours there")]
fn each_byte_is_looked_at_a_few_times_at_most() {
    for stream in hostile() {
        for piece in [1, 7, 1_000, stream.len()] {
            let (calls, work) = work(&stream, piece);
            let most = 6 * stream.len() + 2 * calls;
            assert!(
                work <= most,
                "{work} steps for {} bytes in {calls} calls of {piece}",
                stream.len()
            );
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "millions of steps, which are hours there")]
fn a_stream_takes_a_call_per_read_and_one_per_frame() {
    for stream in hostile() {
        for piece in [1, 7, 1_000, stream.len()] {
            let (calls, _) = work(&stream, piece);
            let reads = stream.len().div_ceil(piece);
            assert!(
                calls <= reads + stream.len() / 6,
                "{calls} calls for {reads} reads"
            );
        }
    }
}

//! Frames in any order, compressed or not, in any reads.

use arbitrary::Unstructured;
use switchboard_core::{CloseReason, Decoder, DecoderLimits, Incoming, ProtocolError};
use switchboard_kit::{ClientFrame, frame, wire};

use super::naive::{self, Seen, Verdict};
use crate::reads::{lengths, split};

/// Small enough to be reached.
const LIMITS: DecoderLimits = DecoderLimits {
    message_bytes: naive::BYTES,
    fragments: naive::FRAGMENTS,
};

/// Decodes frames, and compares the result.
pub(super) fn frames(input: &mut Unstructured<'_>) {
    let accepting = input.arbitrary::<bool>().unwrap_or(true);
    let lengths = lengths(input);
    let mut frames = Vec::new();
    while !input.is_empty() && frames.len() < 40 {
        frames.push(draw(input));
    }
    let stream = wire(&frames);
    let expected = naive::decode(accepting, &frames);
    let reads = [
        decode(accepting, [&stream[..]].into_iter()),
        decode(accepting, split(&stream, &lengths)),
        decode(accepting, stream.chunks(1)),
    ];
    for read in reads {
        assert_eq!(read, expected);
    }
}

fn draw(input: &mut Unstructured<'_>) -> ClientFrame {
    let head = input.arbitrary::<u8>().unwrap_or(0);
    let len = usize::from(input.arbitrary::<u8>().unwrap_or(0));
    let fill = input.arbitrary::<u8>().unwrap_or(0);
    let opcode = [0, 0, 1, 2, 2, 9, 10, 1][usize::from(head & 7)];
    // Mostly legal ones, or nothing would follow.
    let rsv = [0, 0, 4, 4, 0, 4, 2, 0][usize::from(head >> 3 & 7)];
    ClientFrame {
        fin: head & 64 != 0,
        rsv,
        ..frame(opcode, vec![fill; len])
    }
}

fn decode<'a>(accepting: bool, reads: impl Iterator<Item = &'a [u8]>) -> (Vec<Seen>, Verdict) {
    let mut decoder = Decoder::new(LIMITS).accepting_deflate(accepting);
    let mut seen = Vec::new();
    for read in reads {
        let mut read = read.to_vec();
        let mut at = 0;
        loop {
            match decoder.decode(&mut read[at..]) {
                Ok(step) => {
                    at += step.consumed;
                    match step.incoming {
                        None => break,
                        Some(incoming) => seen.push(owned(incoming)),
                    }
                }
                Err(error) => return (seen, verdict(error)),
            }
        }
    }
    (seen, Verdict::Fine)
}

fn owned(incoming: Incoming<'_>) -> Seen {
    match incoming {
        Incoming::Text(text) => Seen::Plain(1, text.as_bytes().to_vec()),
        Incoming::Binary(bytes) => Seen::Plain(2, bytes.to_vec()),
        Incoming::Ping(bytes) => Seen::Plain(9, bytes.to_vec()),
        Incoming::Pong(bytes) => Seen::Plain(10, bytes.to_vec()),
        Incoming::Close(_) => panic!("no Close was sent"),
        Incoming::Deflated(message) => Seen::Deflated(
            if message.text { 1 } else { 2 },
            message.fragments as usize,
            message.payload.to_vec(),
        ),
    }
}

fn verdict(error: ProtocolError) -> Verdict {
    match error.close() {
        CloseReason::ProtocolError => Verdict::Protocol,
        CloseReason::InvalidUtf8 => Verdict::Utf8,
        CloseReason::TooBig => Verdict::TooBig,
        CloseReason::Policy => Verdict::Policy,
        other => panic!("it ends for {other}"),
    }
}

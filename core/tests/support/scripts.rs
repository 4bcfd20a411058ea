//! Proptest strategies for frame scripts: mostly legal, so that they get far, with every kind of
//! mistake among them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{
    BINARY, CLOSE, CONTINUATION, ClientFrame, LIMITS, Length, PING, PONG, TEXT, close, frame, part,
    wire,
};
use switchboard_core::DecoderLimits;

/// Small enough that scripts reach them, but not smaller than a control frame, which the oracle
/// counts too.
pub const SMALL: DecoderLimits = DecoderLimits {
    message_bytes: 300,
    fragments: 5,
};

fn text() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"hello",
        b"\xC3\xBC",
        b"\xF0\x9F\x98\x80",
        b"\xE2\x82\xAC",
        b"",
        b"0123456789abcdefghijklmnopqrstuvwxyz",
    ];
    vec(select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => text(),
        1 => vec(any::<u8>(), 0..140),
        1 => (0..320_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

/// A message cut into fragments, with pings between them.
fn fragmented() -> impl Strategy<Value = Vec<ClientFrame>> {
    let cuts = vec((any::<prop::sample::Index>(), any::<bool>()), 0..6);
    (select(vec![TEXT, BINARY]), any_payload(), cuts).prop_map(|(opcode, payload, cuts)| {
        let mut frames = Vec::new();
        let mut rest = &payload[..];
        let mut opcode = opcode;
        for (cut, ping) in cuts {
            let (head, tail) = rest.split_at(cut.index(rest.len() + 1));
            frames.push(part(opcode, head));
            frames.extend(ping.then(|| frame(PING, "between")));
            rest = tail;
            opcode = CONTINUATION;
        }
        frames.push(frame(opcode, rest));
        frames
    })
}

fn closes() -> impl Strategy<Value = ClientFrame> {
    let codes = vec![
        0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000,
        4999, 5000,
    ];
    prop_oneof![
        4 => (select(codes), text()).prop_map(|(code, reason)| close(code, reason)),
        1 => (any::<u16>(), vec(any::<u8>(), 0..4)).prop_map(|(code, reason)| close(code, reason)),
        1 => vec(any::<u8>(), 0..2).prop_map(|body| frame(CLOSE, body)),
    ]
}

fn broken() -> impl Strategy<Value = ClientFrame> {
    let mask = prop_oneof![Just(None), any::<[u8; 4]>().prop_map(Some)];
    (any::<bool>(), 0..8_u8, 0..16_u8, mask, any_payload()).prop_map(
        |(fin, rsv, opcode, mask, payload)| ClientFrame {
            fin,
            rsv: if rsv > 4 { rsv } else { 0 },
            opcode,
            mask,
            length: Length::Shortest,
            declared: None,
            payload,
        },
    )
}

fn frames() -> impl Strategy<Value = Vec<ClientFrame>> {
    let opcodes = vec![TEXT, TEXT, BINARY, PING, PONG, CONTINUATION];
    let whole = (select(opcodes), any_payload()).prop_map(|(opcode, mut payload)| {
        if opcode & 8 != 0 {
            payload.truncate(126);
        }
        vec![frame(opcode, payload)]
    });
    prop_oneof![
        8 => whole,
        8 => fragmented(),
        1 => closes().prop_map(|frame| vec![frame]),
        1 => broken().prop_map(|frame| vec![frame]),
    ]
}

/// Complete frames with random masks and length encodings.
pub fn script() -> impl Strategy<Value = Vec<ClientFrame>> {
    let looks = (
        any::<[u8; 4]>(),
        select(vec![
            Length::Shortest,
            Length::Shortest,
            Length::Bits16,
            Length::Bits64,
        ]),
    );
    (vec(frames(), 0..8), vec(looks, 8)).prop_map(|(frames, looks)| {
        let mut frames = frames.concat();
        for (frame, (mask, length)) in frames.iter_mut().zip(looks.into_iter().cycle()) {
            frame.mask = frame.mask.map(|_| mask);
            // Long forms are accepted for data only, so control frames must not use them by chance.
            if frame.opcode & 8 == 0 {
                frame.length = length;
            }
        }
        frames
    })
}

/// The bytes of a script, truncated anywhere, sometimes with a false length.
pub fn stream() -> impl Strategy<Value = Vec<u8>> {
    let lie = prop_oneof![
        3 => Just(None),
        1 => (select(vec![TEXT, CONTINUATION, PING]), any::<u64>(), 0..64_u32).prop_map(Some),
    ];
    (script(), lie, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(frames, lie, end, cut)| {
            let mut bytes = wire(&frames);
            if let Some((opcode, length, shift)) = lie {
                let mut lying = frame(opcode, "some of it");
                (lying.length, lying.declared) = (Length::Bits64, Some(length >> shift));
                bytes.extend(lying.bytes());
            }
            if cut {
                bytes.truncate(end.index(bytes.len() + 1));
            }
            bytes
        },
    )
}

/// The lengths of reads, used cyclically.
pub fn reads() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..4_usize, 1..40_usize, 1..600_usize], 1..12)
}

/// Cuts bytes into reads of these lengths.
pub fn split<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (head, tail) = bytes.split_at((*length).min(bytes.len()));
        parts.push(head);
        bytes = tail;
    }
    parts
}

/// Both decoder limits.
pub fn limits() -> impl Strategy<Value = DecoderLimits> {
    select(vec![SMALL, LIMITS])
}

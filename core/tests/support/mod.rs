//! Collects what a decoder returns in a given split.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part of this

pub mod scripts;

pub use switchboard_kit::*;

use switchboard_core::{Decoder, DecoderLimits, Incoming, ProtocolError};

pub const LIMITS: DecoderLimits = DecoderLimits {
    message_bytes: 65_536,
    fragments: 1_024,
};

/// [`Incoming`] that owns its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    /// Compressed text or not, its fragments and its payload.
    Deflated(bool, u32, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Incoming<'_>> for Event {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Incoming::Deflated(message) => {
                Self::Deflated(message.text, message.fragments, message.payload.to_vec())
            }
            Incoming::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Incoming::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Incoming::Close(body) => {
                Self::Close(body.map(|body| (body.code, body.reason.to_owned())))
            }
        }
    }
}

/// The result of decoding: events, and the error that ended them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub events: Vec<Event>,
    pub error: Option<ProtocolError>,
}

impl Outcome {
    /// Feeds one read; returns whether there was no error so far.
    pub fn feed(&mut self, decoder: &mut Decoder, input: &[u8]) -> bool {
        let mut input = input.to_vec();
        let mut rest = &mut input[..];
        loop {
            let taken = match decoder.decode(rest) {
                Ok(step) => {
                    let consumed = step.consumed;
                    let Some(incoming) = step.incoming else {
                        assert_eq!(consumed, rest.len(), "bytes are left without an event");
                        return true;
                    };
                    self.events.push(incoming.into());
                    consumed
                }
                Err(error) => {
                    assert_eq!(self.error.replace(error), None, "a second error");
                    return false;
                }
            };
            rest = &mut rest[taken..];
        }
    }
}

/// Decodes reads until the first error.
pub fn decode<'a>(limits: DecoderLimits, reads: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    decode_by(Decoder::new(limits), reads)
}

fn decode_by<'a>(mut decoder: Decoder, reads: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut outcome = Outcome::default();
    for read in reads {
        if !outcome.feed(&mut decoder, read) {
            assert_eq!(decoder.buffered(), 0, "bytes are buffered after an error");
            break;
        }
    }
    outcome
}

/// Decodes at once, byte by byte and cut in two at each point; all results must be equal.
pub fn decode_in_every_split(limits: DecoderLimits, bytes: &[u8]) -> Outcome {
    in_every_split(|| Decoder::new(limits), bytes)
}

/// The same, where compression was agreed on.
pub fn decode_deflated_in_every_split(limits: DecoderLimits, bytes: &[u8]) -> Outcome {
    in_every_split(|| Decoder::new(limits).accepting_deflate(true), bytes)
}

fn in_every_split(decoder: impl Fn() -> Decoder, bytes: &[u8]) -> Outcome {
    let whole = decode_by(decoder(), [bytes]);
    assert_eq!(decode_by(decoder(), bytes.chunks(1)), whole, "byte by byte");
    // Cuts long inputs at intervals only.
    let step = (bytes.len() / 2_000).max(1);
    for cut in (0..bytes.len()).filter(|cut| *cut < 600 || cut % step == 0) {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(decode_by(decoder(), [head, tail]), whole, "cut at {cut}");
    }
    whole
}

/// Decodes complete frames in every split.
pub fn decoded(frames: &[ClientFrame]) -> Outcome {
    decode_in_every_split(LIMITS, &wire(frames))
}

pub fn events(frames: &[ClientFrame]) -> Vec<Event> {
    let outcome = decoded(frames);
    assert_eq!(outcome.error, None);
    outcome.events
}

/// Returns the error of bytes that must fail without an earlier event.
pub fn error_of(bytes: &[u8]) -> ProtocolError {
    let outcome = decode_in_every_split(LIMITS, bytes);
    assert_eq!(outcome.events, []);
    outcome.error.expect("an error")
}

/// Returns the number of bytes after which the error is reported, byte by byte.
pub fn seen_after(limits: DecoderLimits, bytes: &[u8]) -> usize {
    (0..=bytes.len())
        .find(|len| decode(limits, [&bytes[..*len]]).error.is_some())
        .expect("an error")
}

pub fn text(payload: &str) -> Event {
    Event::Text(payload.to_owned())
}

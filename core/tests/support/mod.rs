//! Encodes client frames, legal or not, and collects what a decoder returns in a given split.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part of this

pub mod scripts;

use switchboard_core::{Decoder, DecoderLimits, Incoming, ProtocolError};

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

pub const LIMITS: DecoderLimits = DecoderLimits {
    message_bytes: 65_536,
    fragments: 1_024,
};

/// The encoding of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Shortest,
    Bits16,
    Bits64,
    /// A false length, in 64 bits.
    Declared(u64),
}

/// A client frame in which a test may falsify every field.
#[derive(Clone, Debug)]
pub struct ClientFrame {
    pub fin: bool,
    pub rsv: u8,
    pub opcode: u8,
    pub mask: Option<[u8; 4]>,
    pub length: Length,
    pub payload: Vec<u8>,
}

/// A legal, final frame.
pub fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> ClientFrame {
    ClientFrame {
        fin: true,
        rsv: 0,
        opcode,
        mask: Some([0x37, 0xFA, 0x21, 0x3D]),
        length: Length::Shortest,
        payload: payload.as_ref().to_vec(),
    }
}

/// A legal frame that is not the last of its message.
pub fn part(opcode: u8, payload: impl AsRef<[u8]>) -> ClientFrame {
    ClientFrame {
        fin: false,
        ..frame(opcode, payload)
    }
}

/// A Close frame with a code.
pub fn close(code: u16, reason: impl AsRef<[u8]>) -> ClientFrame {
    frame(CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

impl ClientFrame {
    /// The header alone.
    pub fn header(&self) -> Vec<u8> {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let mut out = vec![
            u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | (self.opcode & 0xF),
            masked,
        ];
        let len = self.payload.len() as u64;
        let length = match self.length {
            Length::Shortest if len <= 125 => Length::Shortest,
            Length::Shortest if len > 0xFFFF => Length::Bits64,
            Length::Shortest => Length::Bits16,
            other => other,
        };
        match length {
            Length::Shortest => out[1] += len as u8,
            Length::Bits16 => {
                out[1] += 126;
                out.extend((len as u16).to_be_bytes());
            }
            Length::Bits64 => {
                out[1] += 127;
                out.extend(len.to_be_bytes());
            }
            Length::Declared(len) => {
                out[1] += 127;
                out.extend(len.to_be_bytes());
            }
        }
        out.extend(self.mask.iter().flatten());
        out
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default().into_iter().cycle();
        let mut out = self.header();
        out.extend(self.payload.iter().zip(mask).map(|(byte, key)| byte ^ key));
        out
    }
}

/// Encodes frames for the wire.
pub fn wire(frames: &[ClientFrame]) -> Vec<u8> {
    frames.iter().flat_map(ClientFrame::bytes).collect()
}

/// [`Incoming`] that owns its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Incoming<'_>> for Event {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(bytes) => Self::Binary(bytes.to_vec()),
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
    let mut decoder = Decoder::new(limits);
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
    let whole = decode(limits, [bytes]);
    assert_eq!(decode(limits, bytes.chunks(1)), whole, "byte by byte");
    // Cuts long inputs at intervals only.
    let step = (bytes.len() / 2_000).max(1);
    for cut in (0..bytes.len()).filter(|cut| *cut < 600 || cut % step == 0) {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(decode(limits, [head, tail]), whole, "cut at {cut}");
    }
    whole
}

//! Frames of clients.

use crate::CLOSE;

/// The encoding of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// In as few bytes as possible.
    Shortest,
    /// In two bytes.
    Bits16,
    /// In eight bytes.
    Bits64,
}

/// A client frame in which a test may falsify every field.
#[derive(Clone, Debug)]
pub struct ClientFrame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The three reserved bits.
    pub rsv: u8,
    /// The opcode.
    pub opcode: u8,
    /// The mask; `None` for an unmasked frame.
    pub mask: Option<[u8; 4]>,
    /// The encoding of the length.
    pub length: Length,
    /// A length other than that of the payload.
    pub declared: Option<u64>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Returns a valid, final frame.
pub fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> ClientFrame {
    ClientFrame {
        fin: true,
        rsv: 0,
        opcode,
        mask: Some([0x37, 0xFA, 0x21, 0x3D]),
        length: Length::Shortest,
        declared: None,
        payload: payload.as_ref().to_vec(),
    }
}

/// Returns a valid frame that is not the last of its message.
pub fn part(opcode: u8, payload: impl AsRef<[u8]>) -> ClientFrame {
    ClientFrame {
        fin: false,
        ..frame(opcode, payload)
    }
}

/// Returns a Close frame with a code.
pub fn close(code: u16, reason: impl AsRef<[u8]>) -> ClientFrame {
    frame(CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

/// Encodes frames.
pub fn wire(frames: &[ClientFrame]) -> Vec<u8> {
    frames.iter().flat_map(ClientFrame::bytes).collect()
}

impl ClientFrame {
    /// Returns the header alone.
    pub fn header(&self) -> Vec<u8> {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let mut out = vec![
            u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | (self.opcode & 0xF),
            masked,
        ];
        let len = self.declared.unwrap_or(self.payload.len() as u64);
        let length = match self.length {
            Length::Shortest if len > 0xFFFF => Length::Bits64,
            Length::Shortest if len > 125 => Length::Bits16,
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
        }
        out.extend(self.mask.iter().flatten());
        out
    }

    /// Returns the whole frame.
    pub fn bytes(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default().into_iter().cycle();
        let mut out = self.header();
        out.extend(self.payload.iter().zip(mask).map(|(byte, key)| byte ^ key));
        out
    }
}

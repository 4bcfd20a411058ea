//! The clients' frames as bytes.

pub(crate) use switchboard_kit::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use switchboard_kit::{ClientFrame, Length};

/// Returns a whole masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    switchboard_kit::frame(opcode, payload).bytes()
}

/// Returns a masked frame with this first byte: FIN (0x80), reserved bits (0x70) and opcode.
pub(crate) fn part(first: u8, payload: &[u8]) -> Vec<u8> {
    with_first(first, payload).bytes()
}

/// Returns a frame that declares any length in eight bytes.
pub(crate) fn long(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let frame = ClientFrame {
        length: Length::Bits64,
        declared: Some(length),
        ..with_first(first, payload)
    };
    frame.bytes()
}

/// Returns a frame that declares its length in two bytes.
pub(crate) fn medium(first: u8, length: u16, payload: &[u8]) -> Vec<u8> {
    let frame = ClientFrame {
        length: Length::Bits16,
        declared: Some(length.into()),
        ..with_first(first, payload)
    };
    frame.bytes()
}

fn with_first(first: u8, payload: &[u8]) -> ClientFrame {
    ClientFrame {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 7,
        ..switchboard_kit::frame(first & 0xF, payload)
    }
}

/// Returns a Close frame.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    switchboard_kit::close(code, reason).bytes()
}

/// Concatenates bytes.
pub(crate) fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

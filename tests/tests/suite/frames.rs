//! The clients' frames (RFC 6455, section 5.2), legal and illegal.

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Returns a whole masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    part(0x80 | opcode, payload)
}

/// Returns a masked frame with this first byte: FIN (0x80), reserved bits (0x70) and opcode.
pub(crate) fn part(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut bytes = vec![first];
    if length < 126 {
        bytes.push(0x80 | length as u8);
    } else if let Ok(short) = u16::try_from(length) {
        bytes.push(0x80 | 0x7e);
        bytes.extend(short.to_be_bytes());
    } else {
        bytes.push(0x80 | 0x7f);
        bytes.extend((length as u64).to_be_bytes());
    }
    masked(&mut bytes, payload);
    bytes
}

/// Returns a frame that declares any length in eight bytes.
pub(crate) fn long(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 0x7f];
    bytes.extend(length.to_be_bytes());
    masked(&mut bytes, payload);
    bytes
}

/// Returns a frame that declares its length in two bytes.
pub(crate) fn medium(first: u8, length: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 0x7e];
    bytes.extend(length.to_be_bytes());
    masked(&mut bytes, payload);
    bytes
}

fn masked(bytes: &mut Vec<u8>, payload: &[u8]) {
    bytes.extend(MASK);
    let mask = MASK.iter().cycle();
    bytes.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
}

/// Returns a Close frame.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

/// Concatenates bytes.
pub(crate) fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

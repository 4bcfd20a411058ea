//! The frames of random runs: each tells when it was sent, and to which room.

use super::model::Room;
use crate::Frame;

/// Makes a frame that tells a client about numbers.
pub(super) fn mark(room: u32, gap: bool, from: u64, to: u64) -> Frame {
    let mut payload = Vec::new();
    payload.extend_from_slice(&0_u64.to_be_bytes());
    payload.extend_from_slice(&room.to_be_bytes());
    payload.push(2 + u8::from(gap));
    payload.extend_from_slice(&from.to_be_bytes());
    payload.extend_from_slice(&to.to_be_bytes());
    Frame::binary(&payload)
}

/// Makes a frame that tells its time and its room.
pub(super) fn frame(time: u64, room: Room, urgent: bool, bytes: usize) -> Frame {
    let mut payload = Vec::with_capacity(bytes + 13);
    payload.extend_from_slice(&time.to_be_bytes());
    payload.extend_from_slice(&room.unwrap_or(u32::MAX).to_be_bytes());
    payload.push(u8::from(urgent));
    payload.resize(13 + bytes, time as u8);
    Frame::binary(&payload)
}

/// Makes a pong that tells its time.
pub(super) fn pong(time: u64) -> Frame {
    let mut payload = Vec::with_capacity(13);
    payload.extend_from_slice(&time.to_be_bytes());
    payload.extend_from_slice(&u32::MAX.to_be_bytes());
    payload.push(PONG);
    Frame::binary(&payload)
}

/// What tells a pong from other frames.
pub(super) const PONG: u8 = 4;

/// Returns the length of the frame with which bytes begin, and its payload.
pub(super) fn parse(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (header, len) = match *bytes.get(1)? {
        126 => (
            4,
            u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]) as usize,
        ),
        127 => {
            let len: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (10, u64::from_be_bytes(len) as usize)
        }
        len => (2, len as usize),
    };
    Some((header + len, bytes.get(header..header + len)?))
}

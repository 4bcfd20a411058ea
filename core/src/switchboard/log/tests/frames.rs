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

/// Makes a frame that tells its time and its room. Some have another form of half the content.
pub(super) fn frame(time: u64, room: Room, urgent: bool, bytes: usize) -> Frame {
    let mut payload = Vec::with_capacity(bytes + 13);
    payload.extend_from_slice(&time.to_be_bytes());
    payload.extend_from_slice(&room.unwrap_or(u32::MAX).to_be_bytes());
    payload.push(u8::from(urgent));
    payload.resize(13 + bytes, time as u8);
    let frame = Frame::binary(&payload);
    if has_half(time, bytes) {
        frame.with_deflated([&payload[..13], &payload[13..13 + bytes / 2]])
    } else {
        frame
    }
}

fn has_half(time: u64, bytes: usize) -> bool {
    time.is_multiple_of(3) && bytes >= 40 && bytes.is_multiple_of(2)
}

/// Checks that a frame has the form that is for a client with this window. Returns whether it is the
/// one of half the content.
pub(super) fn check_form(first: u8, payload: &[u8], bits: Option<u8>) -> bool {
    let half = first & 0x40 != 0;
    let time = u64::from_be_bytes(payload[..8].try_into().expect("eight bytes"));
    let given = payload.len().saturating_sub(13);
    let bytes = if half { 2 * given } else { given };
    let ordinary = payload.get(12).is_some_and(|&flag| flag < 2);
    let fits = bits.is_some_and(|bits| bits == 15 || 13 + bytes <= 1 << bits);
    assert_eq!(half, ordinary && has_half(time, bytes) && fits, "L9");
    half
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

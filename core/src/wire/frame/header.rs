//! Headers of frames: opcodes, lengths, close codes (RFC 6455, sections 5.2 and 7.4).

/// The largest payload of a control frame (RFC 6455, section 5.5).
pub(crate) const CONTROL_PAYLOAD_MAX: usize = 125;
/// The longest header of a server's frame: two bytes and a 64-bit length.
pub(super) const HEADER_MAX: usize = 10;
pub(super) const FIN: u8 = 0x80;
/// Marks a compressed message (RFC 7692, section 6).
pub(super) const RSV1: u8 = 0x40;

/// The opcodes of messages and control frames (RFC 6455, section 11.8). A continuation belongs to
/// one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    /// Returns `None` for a continuation (zero) and for reserved opcodes.
    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Returns whether a client may send this code in a Close frame (RFC 6455, section 7.4).
///
/// 1012 and 1013 are registered with IANA and sent by real clients. 1014 is sent by gateways only,
/// so it is rejected like an unregistered code.
pub(crate) const fn may_be_received(code: u16) -> bool {
    may_be_sent(code) && code != 1014
}

pub(super) const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Writes the header of an unmasked frame with this first byte, using the shortest length encoding.
pub(super) fn write_header(room: &mut [u8; HEADER_MAX], first: u8, payload: usize) -> &[u8] {
    room[0] = first;
    match payload {
        0..=125 => {
            room[1] = payload as u8;
            &room[..2]
        }
        126..=0xFFFF => {
            room[1] = 126;
            room[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            &room[..4]
        }
        _ => {
            room[1] = 127;
            room[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            room
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_more_than_32_bits_stands_whole_in_the_header() {
        let mut room = [0; HEADER_MAX];
        let header = write_header(&mut room, 0x82, 0x0001_0203_0405_0607);
        assert_eq!(header, [0x82, 127, 0, 1, 2, 3, 4, 5, 6, 7]);
    }
}

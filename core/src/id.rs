//! Names of connections.

use std::fmt;

/// Names one connection for ever: a slot and the generation of what lives in it.
///
/// An id is never given out twice in a process; one whose connection has gone is *stale*, and
/// every operation answers it with a typed error or does nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl ConnectionId {
    /// The place of the connection in the driver's own table; shared over time, never at once.
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// Which of the connections that lived in this slot.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.slot, self.generation)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

/// The connection that was named has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleId(pub ConnectionId);

impl fmt::Display for StaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} has gone", self.0)
    }
}

impl std::error::Error for StaleId {}

/// Two numbers as an id shows them, without the detours of formatting and of memory of their own:
/// each connection is told its id and the epochs of its rooms.
pub(crate) struct HexPair {
    text: [u8; Self::LONGEST],
    len: usize,
}

impl HexPair {
    const LONGEST: usize = 2 * 16 + 1;

    pub(crate) fn new(first: u64, second: u64) -> Self {
        let mut pair = Self {
            text: [0; Self::LONGEST],
            len: 0,
        };
        pair.push_hex(first);
        pair.push(b'-');
        pair.push_hex(second);
        pair
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..self.len]).expect("digits are ASCII")
    }

    fn push_hex(&mut self, number: u64) {
        let digits = (67 - number.leading_zeros()).div_euclid(4).max(1);
        for digit in (0..digits).rev() {
            let digit = (number >> (4 * digit)) as usize & 15;
            self.push(b"0123456789abcdef"[digit]);
        }
    }

    fn push(&mut self, byte: u8) {
        self.text[self.len] = byte;
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_written_as_formatting_writes_it() {
        for number in [0, 1, 15, 16, 255, 256, 0xfedc_ba98_7654_3210, u64::MAX] {
            for other in [0, 9, u64::from(u32::MAX), 1 << 63] {
                let pair = HexPair::new(number, other);
                assert_eq!(pair.as_str(), format!("{number:x}-{other:x}"));
            }
        }
    }
}

//! Connection ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Identifies a connection by its slot and the generation of that slot.
///
/// An id is never reused within a process. Once its connection has gone it is *stale*: operations
/// on it return a typed error or do nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl ConnectionId {
    /// Returns the index of the connection in the driver's own table. No two live connections share
    /// a slot.
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// Returns the generation, which distinguishes successive connections in one slot.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

impl ConnectionId {
    /// Creates an id that is not one of a [`Switchboard`](crate::Switchboard), for tests of drivers.
    #[doc(hidden)]
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// Reads an id as it is displayed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (slot, generation) = text.split_once('-')?;
        let id = Self {
            slot: u32::from_str_radix(slot, 16).ok()?,
            generation: u32::from_str_radix(generation, 16).ok()?,
        };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.slot, self.generation)
    }
}

/// Parses an id as it is displayed.
impl FromStr for ConnectionId {
    type Err = BadConnectionId;

    fn from_str(text: &str) -> Result<Self, BadConnectionId> {
        let (slot, generation) = text.split_once('-').ok_or(BadConnectionId)?;
        let number = |digits| u32::from_str_radix(digits, 16).map_err(|_| BadConnectionId);
        let id = Self {
            slot: number(slot)?,
            generation: number(generation)?,
        };
        // A sign, a zero before it or a capital would make two texts of one id.
        let shown = HexPair::new(u64::from(id.slot), u64::from(id.generation));
        if shown.as_str() == text {
            Ok(id)
        } else {
            Err(BadConnectionId)
        }
    }
}

/// Serialises an id as it is displayed.
impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConnectionId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The error for a text that is not the id of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadConnectionId;

impl fmt::Display for BadConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a connection is two hexadecimal numbers, such as 1f-2")
    }
}

impl std::error::Error for BadConnectionId {}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

/// The error for an id whose connection has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleId(pub ConnectionId);

impl fmt::Display for StaleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} has gone", self.0)
    }
}

impl std::error::Error for StaleId {}

/// Two hexadecimal numbers as in a displayed id, formatted without `fmt`: ids and epochs are
/// written for every connection.
pub(crate) struct HexPair {
    digits: [u8; 33],
    start: usize,
}

impl HexPair {
    pub(crate) fn new(first: u64, second: u64) -> Self {
        let mut pair = Self {
            digits: [0; 33],
            start: 33,
        };
        pair.put_number(second);
        pair.put(b'-');
        pair.put_number(first);
        pair
    }

    /// Prepends the digits of a number.
    fn put_number(&mut self, number: u64) {
        let mut rest = number;
        loop {
            self.put(b"0123456789abcdef"[rest as usize & 15]);
            rest >>= 4;
            if rest == 0 {
                break;
            }
        }
    }

    fn put(&mut self, byte: u8) {
        self.start -= 1;
        self.digits[self.start] = byte;
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[self.start..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_parsed_from_what_it_is_displayed_as_and_from_nothing_else() {
        for (slot, generation) in [(0, 0), (0x1f, 2), (u32::MAX, u32::MAX)] {
            let id = ConnectionId { slot, generation };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "1F-2",
            "01-2",
            "+1-2",
            "1-100000000",
            " 1-2",
        ] {
            assert_eq!(text.parse::<ConnectionId>(), Err(BadConnectionId), "{text}");
        }
    }

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

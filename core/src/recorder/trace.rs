//! A hash of the actions of a node.

use std::fmt::{self, Write};

/// FNV-1a over the actions. It distinguishes two runs; nobody has a reason to forge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(super) fn add(&mut self, text: fmt::Arguments<'_>) {
        // It takes everything.
        let _ = self.write_fmt(text);
        self.byte(0xff);
    }

    pub(super) fn add_numbers(&mut self, numbers: [u64; 2]) {
        for byte in numbers.into_iter().flat_map(u64::to_le_bytes) {
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    /// Returns the hash so far, in 32 bits.
    pub(super) const fn hash(self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}

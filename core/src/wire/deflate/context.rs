//! Compresses the messages of a room one after another, so that each may refer to those before it.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::TAIL;

/// The window in bits: as large as what a room needs for a number of short messages, and no larger than
/// that of clients which ask for a small one.
pub(crate) const CONTEXT_BITS: u8 = 12;
/// The longest message, in bytes: it is compressed while the lock of a node is held. A longer one gains little
/// by those before it, and is compressed by itself.
pub(crate) const CONTEXT_MESSAGE: usize = 1 << 10;
const _: () = assert!(CONTEXT_MESSAGE < 1 << CONTEXT_BITS);
/// The fastest level, which suffices to find repetitions in the messages of a room.
const LEVEL: i32 = 1;
const MEM_LEVEL: i32 = 6;
/// The longest result: bytes that do not compress take up to nine bits, and there are the header of a block
/// and the end of a flush.
const OUTPUT: usize = CONTEXT_MESSAGE + CONTEXT_MESSAGE / 8 + 64;

/// Compresses short messages of one room. It holds some 200 KiB.
pub(crate) struct ContextDeflater {
    stream: Deflate,
    output: Box<[u8]>,
}

impl ContextDeflater {
    /// Creates one. Takes some 25 µs.
    pub(crate) fn new() -> Self {
        let config = DeflateConfig {
            level: LEVEL,
            // Negative: without the header of zlib.
            window_bits: -i32::from(CONTEXT_BITS),
            mem_level: MEM_LEVEL,
            ..DeflateConfig::default()
        };
        Self {
            stream: Deflate::new_with_config(config),
            output: vec![0; OUTPUT].into(),
        }
    }

    /// Forgets all messages.
    pub(crate) fn begin(&mut self) {
        self.stream.reset();
    }

    /// Compresses a non-empty message after those before it. Returns `None` if it is too long; the next
    /// message must then [restart](Self::begin) the context.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Option<&[u8]> {
        let before = self.stream.total_out();
        let flush = DeflateFlush::SyncFlush;
        self.stream
            .compress(payload, &mut self.output, flush)
            .ok()?;
        let written = (self.stream.total_out() - before) as usize;
        // Where the output is full, more of it may be due.
        let whole = (written < self.output.len()).then(|| &self.output[..written])?;
        whole.strip_suffix(&TAIL)
    }
}

/// Prints no content.
impl fmt::Debug for ContextDeflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextDeflater").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_compress_grows_by_little() {
        let mut state = 1_u32;
        let mut deflater = ContextDeflater::new();
        for len in (1..=CONTEXT_MESSAGE).step_by(31) {
            deflater.begin();
            for _ in 0..8 {
                let noise: Vec<u8> = std::iter::repeat_with(|| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .take(len)
                .collect();
                let bytes = deflater.message(&noise).expect("it has room").len();
                let most = len + len / 8 + 16;
                assert!(bytes <= most, "{bytes} of {len}");
            }
        }
    }
}

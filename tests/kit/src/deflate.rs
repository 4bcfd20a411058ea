//! Compressed messages (RFC 7692) by another implementation than the core's, and blocks of compressed
//! data (RFC 1951) that no compressor makes.

use std::fmt;

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate as deflate_stream;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::{MZFlush, MZStatus};

/// What a sender leaves out at the end of a message.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Compresses a message, and leaves out its tail.
///
/// # Panics
/// If that fails, which it does not.
pub fn deflate(content: &[u8]) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(6, -15, 0);
    let mut compressor = CompressorOxide::new(flags);
    let mut out = vec![0; content.len() + content.len() / 1_000 + 128];
    let result = deflate_stream(&mut compressor, content, &mut out, MZFlush::Sync);
    assert_eq!(result.status, Ok(MZStatus::Ok));
    assert_eq!(result.bytes_consumed, content.len());
    out.truncate(result.bytes_written);
    assert!(out.ends_with(&TAIL), "a flush ends with the tail");
    out.truncate(out.len() - TAIL.len());
    out
}

/// A message that was inflated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The payload.
    pub bytes: Vec<u8>,
    /// The number of blocks that end before the message's end.
    pub blocks: usize,
}

/// Why a message was not inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is not compressed data, or does not end with a block.
    Data,
    /// It is longer than the limit.
    Long,
}

/// Inflates a message of at most `most` bytes from which the tail was left out.
///
/// # Errors
/// If the message is malformed or too long, whichever comes first.
pub fn inflate(message: &[u8], most: usize) -> Result<Content, Malformed> {
    let mut bytes = Vec::new();
    let blocks = inflate_after(&mut bytes, message, most)?;
    Ok(Content { bytes, blocks })
}

/// Inflates a message behind those bytes, to which it may refer. Returns the number of blocks that end
/// before the message's end.
fn inflate_after(bytes: &mut Vec<u8>, message: &[u8], most: usize) -> Result<usize, Malformed> {
    const FLAGS: u32 = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY
        | TINFL_FLAG_HAS_MORE_INPUT;
    let input = [message, &TAIL].concat();
    let mut decompressor = DecompressorOxide::new();
    let (mut blocks, mut at, mut written) = (0, 0, bytes.len());
    let most = written + most;
    let mut space = written + 4 * input.len();
    loop {
        bytes.resize(space.min(most + 1), 0);
        let (status, used, more) =
            decompress(&mut decompressor, &input[at..], bytes, written, FLAGS);
        (at, written) = (at + used, written + more);
        if written > most {
            return Err(Malformed::Long);
        }
        let ends = match status {
            TINFLStatus::HasMoreOutput => {
                space *= 2;
                continue;
            }
            TINFLStatus::BlockBoundary if at == input.len() => {
                let state = decompressor.block_boundary_state();
                state.is_some_and(|state| state.num_bits == 0)
            }
            TINFLStatus::BlockBoundary => {
                blocks += usize::from(at < message.len());
                continue;
            }
            TINFLStatus::Done if at <= message.len() => matches!(message[at..], [] | [0]),
            TINFLStatus::Done => at == input.len(),
            _ => false,
        };
        if !ends {
            return Err(Malformed::Data);
        }
        bytes.truncate(written);
        return Ok(blocks);
    }
}

/// The largest distance to which a message may refer.
const WINDOW: usize = 32 << 10;

/// The inflater of a client that keeps what it has inflated, as far as its window goes: each message may
/// refer to those before it.
#[derive(Default)]
pub struct Keeper {
    window: Vec<u8>,
    /// Messages inflated.
    messages: usize,
}

impl Keeper {
    /// Returns how many messages it has inflated.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Inflates the next message, of at most `most` bytes, from which the tail was left out.
    ///
    /// # Errors
    /// If it is malformed, refers to what was never inflated, or is too long. The inflater is of no use
    /// then.
    pub fn inflate(&mut self, message: &[u8], most: usize) -> Result<Vec<u8>, Malformed> {
        self.window
            .drain(..self.window.len().saturating_sub(WINDOW));
        let before = self.window.len();
        inflate_after(&mut self.window, message, most)?;
        self.messages += 1;
        Ok(self.window[before..].to_vec())
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = self.messages;
        write!(f, "Keeper({messages} messages)")
    }
}

/// A writer of blocks.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    bytes: Vec<u8>,
    /// The number of bits of the last byte that are not used.
    free: u32,
}

impl Blocks {
    /// Begins without a block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stored block.
    #[must_use]
    pub fn stored(mut self, last: bool, content: &[u8]) -> Self {
        self.bits(u32::from(last), 3);
        self.free = 0;
        let len = content.len() as u16;
        self.bytes.extend(len.to_le_bytes());
        self.bytes.extend((!len).to_le_bytes());
        self.bytes.extend(content);
        self
    }

    /// Adds a block of literals with the fixed code.
    #[must_use]
    pub fn fixed(mut self, last: bool, content: &[u8]) -> Self {
        self.begin_fixed(last);
        for &byte in content {
            self.literal(byte);
        }
        self.code(0, 7);
        self
    }

    /// Adds a block with the fixed code whose content is `length` (3 to 10) bytes from `distance` (1 to
    /// 32 768) before.
    ///
    /// # Panics
    /// If there is no such distance.
    #[must_use]
    pub fn copy(mut self, length: u32, distance: u32) -> Self {
        self.begin_fixed(false);
        self.code(length - 2, 7);
        let (base, code, extra) = (0..30)
            .map(|code: u32| {
                let extra = (code / 2).saturating_sub(1);
                let base = match code {
                    0..4 => code + 1,
                    _ => ((2 + code % 2) << extra) + 1,
                };
                (base, code, extra)
            })
            .rfind(|(base, ..)| *base <= distance)
            .expect("a distance");
        self.code(code, 5);
        self.bits(distance - base, extra);
        self.code(0, 7);
        self
    }

    /// Adds an empty block whose codes are as short as can be: two symbols.
    #[must_use]
    pub fn empty_dynamic(mut self) -> Self {
        self.begin_dynamic(0, 0, &[(1, 1), (18, 1)]);
        // 138 and 118 zeros, then the lengths of the end of the block and of the first distance.
        for zeros in [138, 118] {
            self.code(1, 1);
            self.bits(zeros - 11, 7);
        }
        self.code(0, 1);
        self.code(0, 1);
        // The end of the block.
        self.code(0, 1);
        self
    }

    /// Adds an empty block with all symbols of both codes, which takes longest to prepare.
    #[must_use]
    pub fn empty_full(mut self) -> Self {
        self.begin_dynamic(29, 29, &[(4, 2), (5, 2), (8, 2), (9, 2)]);
        // 226 of 8 bits and 60 of 9 are all of them; so are 2 of 4 bits and 28 of 5.
        for symbol in 0..286 {
            self.code(if symbol < 226 { 2 } else { 3 }, 2);
        }
        for symbol in 0..30 {
            self.code(u32::from(symbol >= 2), 2);
        }
        // The end of the block is the 31st of 9 bits.
        self.code(226 * 2 + 30, 9);
        self
    }

    /// Adds the end of a flush, without the tail.
    #[must_use]
    pub fn flush(mut self) -> Self {
        self.bits(0, 3);
        self.free = 0;
        self
    }

    /// Adds the header of a last stored block, whose length is the tail.
    #[must_use]
    pub fn last(mut self) -> Self {
        self.bits(1, 3);
        self.free = 0;
        self
    }

    /// Repeats the blocks so far, which end with a byte.
    ///
    /// # Panics
    /// If they do not.
    #[must_use]
    pub fn repeat(mut self, times: usize) -> Self {
        assert_eq!(self.free, 0, "the blocks end within a byte");
        self.bytes = self.bytes.repeat(times);
        self
    }

    /// Returns the blocks.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn begin_fixed(&mut self, last: bool) {
        self.bits(u32::from(last), 1);
        self.bits(1, 2);
    }

    /// Begins a block with a code of its own: the counts, and the lengths of the code of lengths.
    fn begin_dynamic(&mut self, literals: u32, distances: u32, lengths: &[(u32, u32)]) {
        const ORDER: [u32; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        self.bits(0, 1);
        self.bits(2, 2);
        self.bits(literals, 5);
        self.bits(distances, 5);
        self.bits(19 - 4, 4);
        for symbol in ORDER {
            let length = lengths.iter().find(|(it, _)| *it == symbol);
            self.bits(length.map_or(0, |(_, length)| *length), 3);
        }
    }

    fn literal(&mut self, byte: u8) {
        match u32::from(byte) {
            low @ 0..144 => self.code(0x30 + low, 8),
            high => self.code(0x190 + high - 144, 9),
        }
    }

    /// Adds a code, its first bit first.
    fn code(&mut self, code: u32, len: u32) {
        for bit in (0..len).rev() {
            self.bits(code >> bit & 1, 1);
        }
    }

    /// Adds bits, the lowest first.
    fn bits(&mut self, bits: u32, len: u32) {
        for bit in 0..len {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((bits >> bit & 1) as u8) << (8 - self.free);
            }
            self.free -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: &[u8]) -> Result<Vec<u8>, Malformed> {
        inflate(message, 65_536).map(|content| content.bytes)
    }

    #[test]
    fn what_is_compressed_is_inflated_to_the_same() {
        for message in [&b""[..], b"x", &vec![b'x'; 60_000], &vec![0xF3; 65_536]] {
            assert_eq!(content(&deflate(message)).as_deref(), Ok(message));
        }
    }

    #[test]
    fn every_kind_of_block_is_legal() {
        let blocks = Blocks::new()
            .stored(false, b"stored")
            .fixed(false, "f\u{ef}xed".as_bytes())
            .empty_dynamic()
            .empty_full()
            .copy(3, 1)
            .copy(10, 14);
        let expected = "storedf\u{ef}xedddd".as_bytes();
        let copied = &expected[expected.len() - 14..][..10];
        let all = [expected, copied].concat();
        assert_eq!(content(&blocks.clone().flush().bytes()), Ok(all));
        assert_eq!(content(&Blocks::new().flush().bytes()), Ok(Vec::new()));
        let last = Blocks::new().fixed(true, b"Hello");
        assert_eq!(content(&last.bytes()), Ok(b"Hello".to_vec()));
        let far = Blocks::new().stored(false, &vec![7; 32_768]);
        let far = far.stored(false, &[]).copy(3, 32_768).flush();
        assert_eq!(content(&far.bytes()).map(|it| it.len()), Ok(32_771));
    }

    #[test]
    fn who_keeps_what_it_has_inflated_takes_messages_that_refer_to_it() {
        let mut keeper = Keeper::default();
        let long = vec![b'x'; 10_000];
        let first = keeper.inflate(&deflate(&long), 10_000);
        assert_eq!(first.as_ref(), Ok(&long));
        let hello = Blocks::new().stored(false, b"Hello").flush().bytes();
        let hello = keeper.inflate(&hello, 100);
        assert_eq!(hello, Ok(b"Hello".to_vec()));
        let again = Blocks::new().copy(5, 5).flush().bytes();
        assert_eq!(keeper.inflate(&again, 100), Ok(b"Hello".to_vec()));
        let far = Blocks::new().copy(4, 10_010).flush().bytes();
        assert_eq!(keeper.inflate(&far, 100), Ok(b"xxxx".to_vec()));
        assert_eq!(keeper.messages(), 4);
        let farther = Blocks::new().copy(4, 10_015).flush().bytes();
        assert_eq!(keeper.inflate(&farther, 100), Err(Malformed::Data));
        let fresh = Keeper::default().inflate(&again, 100);
        assert_eq!(fresh, Err(Malformed::Data));
        let long = Keeper::default().inflate(&deflate(&long), 9_999);
        assert_eq!(long, Err(Malformed::Long));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let before = Blocks::new().stored(false, b"abc").copy(3, 4).flush();
        assert_eq!(content(&before.bytes()), Err(Malformed::Data));
        let open = Blocks::new().fixed(false, b"Hello").bytes();
        assert_eq!(content(&open[..4]), Err(Malformed::Data));
        let long = deflate(&vec![0; 65_537]);
        assert_eq!(content(&long), Err(Malformed::Long));
    }
}

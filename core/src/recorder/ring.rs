//! The memory of the recorder: lines of text, of which the oldest are removed first.

use std::collections::VecDeque;
use std::sync::Arc;

/// The minimum and maximum size of a chunk in bytes. A chunk is removed as a whole.
const CHUNK: (usize, usize) = (1 << 10, 64 << 10);
/// Chunks in a full ring, unless they would be too large or too small.
const CHUNKS: usize = 32;

/// Some lines, each with its line break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) text: Vec<u8>,
    lines: u64,
}

/// Lines in a bounded number of bytes.
#[derive(Debug)]
pub(super) struct Ring {
    limit: usize,
    chunk: usize,
    /// Shared with the dumps that were made of it.
    sealed: VecDeque<Arc<Chunk>>,
    sealed_bytes: usize,
    open: Chunk,
    lost: u64,
}

impl Ring {
    /// Creates a ring that holds at most `limit` bytes, and the last line.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            chunk: (limit / CHUNKS).clamp(CHUNK.0, CHUNK.1),
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            open: Chunk::default(),
            lost: 0,
        }
    }

    /// Adds a line, which `write` appends to its argument.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.open.text);
        self.open.text.push(b'\n');
        self.open.lines += 1;
        if self.open.text.len() >= self.chunk {
            self.seal();
        }
        while self.bytes() > self.limit
            && let Some(oldest) = self.sealed.pop_front()
        {
            self.sealed_bytes -= oldest.text.capacity();
            self.lost += oldest.lines;
        }
    }

    fn seal(&mut self) {
        let mut chunk = std::mem::take(&mut self.open);
        chunk.text.shrink_to_fit();
        self.sealed_bytes += chunk.text.capacity();
        self.sealed.push_back(Arc::new(chunk));
    }

    /// Returns the bytes of memory of all lines.
    pub(super) fn bytes(&self) -> usize {
        self.sealed_bytes + self.open.text.capacity()
    }

    /// Returns the number of lines that have gone.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the lines. Copies only the last chunk.
    pub(super) fn chunks(&self) -> Vec<Arc<Chunk>> {
        let open = Arc::new(self.open.clone());
        self.sealed.iter().cloned().chain([open]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ring: &Ring) -> String {
        let chunks = ring.chunks();
        let bytes: Vec<u8> = chunks.iter().flat_map(|it| it.text.clone()).collect();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn the_newest_lines_are_kept_within_the_limit() {
        let mut ring = Ring::new(64 << 10);
        for number in 0..50_000 {
            ring.push(|out| out.extend_from_slice(format!("line {number}").as_bytes()));
            assert!(ring.bytes() <= 64 << 10);
        }
        let text = text(&ring);
        let kept: Vec<_> = text.lines().collect();
        assert_eq!(kept.last(), Some(&"line 49999"));
        assert_eq!(kept[0], format!("line {}", ring.lost()));
        assert_eq!(ring.lost() as usize + kept.len(), 50_000);
        assert!(ring.bytes() > 32 << 10, "half of it is used");
    }

    #[test]
    fn a_line_that_is_larger_than_the_ring_leaves_with_the_next_one() {
        let mut ring = Ring::new(4 << 10);
        ring.push(|out| out.extend_from_slice(b"first"));
        ring.push(|out| out.extend_from_slice(&vec![b'x'; 100_000]));
        ring.push(|out| out.extend_from_slice(b"last"));
        assert_eq!(text(&ring), "last\n");
        assert_eq!(ring.lost(), 2);
        assert!(ring.bytes() <= 4 << 10);
    }
}

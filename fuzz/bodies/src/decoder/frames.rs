//! The frames of a stream, read as leniently as can be: where they are, not whether they are legal.

/// A frame's place in a stream, and what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Where its first byte is.
    pub(super) start: usize,
    /// Where its payload begins.
    pub(super) payload: usize,
    /// What it declares.
    pub(super) length: u64,
    /// Whether the length is in 2 or 8 bytes of its own.
    pub(super) long_form: bool,
    pub(super) opcode: u8,
}

impl FrameHead {
    pub(super) const fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }

    /// Where the frame ends; a payload of more than `most` bytes counts as one of none.
    pub(super) fn end(&self, most: usize) -> usize {
        match usize::try_from(self.length) {
            Ok(length) if length <= most => self.payload + length,
            _ => self.payload,
        }
    }
}

/// The frame that the byte at `place` belongs to. What is missing of its header is taken for a mask
/// and for zeros.
pub(super) fn frame_at(stream: &[u8], place: usize) -> FrameHead {
    let mut start = 0;
    loop {
        let head = head(stream, start);
        let end = usize::try_from(head.length)
            .map_or(usize::MAX, |length| head.payload.saturating_add(length));
        if place < end {
            return head;
        }
        start = end;
    }
}

fn head(stream: &[u8], start: usize) -> FrameHead {
    let byte = |at: usize| stream.get(start + at).copied();
    let second = byte(1).unwrap_or(MASKED);
    let wide = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let length = if wide == 0 {
        u64::from(second & 0x7F)
    } else {
        (2..2 + wide).fold(0, |length, at| {
            length << 8 | u64::from(byte(at).unwrap_or(0))
        })
    };
    let mask = if second & MASKED == 0 { 0 } else { 4 };
    FrameHead {
        start,
        payload: start + 2 + wide + mask,
        length,
        long_form: wide > 0,
        opcode: byte(0).unwrap_or(0) & 0xF,
    }
}

/// The bit that says that there is a mask.
pub(super) const MASKED: u8 = 0x80;

//! A lenient frame parser: it finds frames without checking whether they are legal.

/// The position of a frame in a stream, and its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Position of its first byte.
    pub(super) start: usize,
    /// Position of its payload.
    pub(super) payload: usize,
    /// The declared length.
    pub(super) length: u64,
    /// Whether the length uses 2 or 8 extra bytes.
    pub(super) long_form: bool,
    pub(super) opcode: u8,
}

impl FrameHead {
    pub(super) const fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }

    /// Returns the end of the frame; a payload of more than `most` bytes counts as empty.
    pub(super) fn end(&self, most: usize) -> usize {
        match usize::try_from(self.length) {
            Ok(length) if length <= most => self.payload + length,
            _ => self.payload,
        }
    }
}

/// Returns the frame that contains the byte at `place`. Missing bytes of its header are taken as a
/// mask and zeros.
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

/// The mask bit.
pub(super) const MASKED: u8 = 0x80;

//! Parses clients' bytes for the floor.

use std::ops::Range;

use crate::wire::{self, CLOSE, PING, TEXT};

/// The content of one read.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    /// Frames for the room, concatenated.
    pub(crate) room: Vec<u8>,
    /// Frames for single users, with their recipients.
    pub(crate) direct: Vec<u8>,
    pub(crate) to: Vec<(usize, Range<usize>)>,
    pub(crate) pongs: Vec<u8>,
    pub(crate) over: bool,
}

impl Brought {
    pub(crate) fn clear(&mut self) {
        self.room.clear();
        self.direct.clear();
        self.to.clear();
        self.pongs.clear();
        self.over = false;
    }

    /// Takes the whole frames at the start of `input`; returns their bytes.
    pub(crate) fn take(&mut self, input: &mut [u8]) -> usize {
        let mut at = 0;
        while let Some(head) = wire::header(&input[at..]) {
            let start = at + head.bytes;
            let Some(payload) = input.get_mut(start..start + head.payload) else {
                break;
            };
            wire::unmask(payload, head.mask.unwrap_or_default());
            match head.opcode {
                TEXT => self.text(payload),
                PING => {
                    wire::put_header(&mut self.pongs, wire::PONG, payload.len(), false);
                    self.pongs.extend(&*payload);
                }
                CLOSE => self.over = true,
                _ => {}
            }
            at = start + head.payload;
        }
        at
    }

    fn text(&mut self, payload: &[u8]) {
        if !payload.starts_with(wire::DIRECT) {
            wire::put_header(&mut self.room, TEXT, payload.len(), false);
            self.room.extend(payload);
            return;
        }
        let number = wire::addressee(payload).and_then(|user| user.strip_prefix('u')?.parse().ok());
        if let Some(user) = number {
            let start = self.direct.len();
            wire::put_header(&mut self.direct, TEXT, payload.len(), false);
            self.direct.extend(payload);
            self.to.push((user, start..self.direct.len()));
        }
    }
}

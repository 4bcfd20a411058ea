//! Inflates messages. A server that compresses without context sends the same bytes to all members, so
//! what has been inflated once is only compared from then on.

use switchboard_core::{Deflated, Incoming, Inflater};

/// The longest message, in bytes.
const LONGEST: usize = 1 << 20;

/// The last message, compressed and not.
#[derive(Debug, Default)]
pub(super) struct Inflating {
    inflater: Inflater,
    compressed: Vec<u8>,
    content: Vec<u8>,
}

impl Inflating {
    /// Returns the content of a text message; `None` if it is malformed, or needs the messages before it.
    pub(super) fn inflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload != self.compressed {
            self.compressed.clear();
            let message = Deflated {
                payload,
                text: true,
                fragments: 1,
            };
            let inflated = self.inflater.inflate(message, LONGEST).ok()?;
            let Incoming::Text(text) = inflated.incoming else {
                return None;
            };
            self.content.clear();
            self.content.extend(text.as_bytes());
            self.compressed.extend(payload);
        }
        Some(&self.content)
    }
}

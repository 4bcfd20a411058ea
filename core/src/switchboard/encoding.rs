//! Messages for clients, put together in memory that is used again.

use crate::protocol::ServerMessage;
use crate::{Frame, Request, response};

/// Room for the fields of a message around its content, in bytes.
const ENVELOPE: usize = 160;
/// The most room that is kept for the next message.
const KEPT: usize = 4 << 10;

/// Encodes one message after the other.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    scratch: Vec<u8>,
}

impl Encoder {
    /// The answer 101 to a request.
    pub(super) fn switching_protocols(&mut self, request: &Request, json: bool) -> Frame {
        self.scratch.clear();
        response::write_switching_protocols(request, json, &mut self.scratch);
        Frame::raw(self.scratch.as_slice())
    }

    /// A message with so many bytes of content.
    pub(super) fn encode(&mut self, message: &ServerMessage<'_>, content: usize) -> Frame {
        self.scratch.clear();
        self.scratch.reserve(content + ENVELOPE);
        let frame = Frame::text_with(&mut self.scratch, |out| message.write(out));
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
        frame
    }
}

/// Encodes a message that is rare, or long.
pub(super) fn encode(message: &ServerMessage<'_>, content: usize) -> Frame {
    Encoder::default().encode(message, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_for_short_messages_and_given_back_after_a_long_one() {
        let mut encoder = Encoder::default();
        let channel = "x".repeat(10_000);
        for (channel, kept) in [("short", true), (channel.as_str(), false), ("short", true)] {
            let message = ServerMessage::Unsubscribed { channel, id: None };
            let frame = encoder.encode(&message, 0);
            assert_eq!(frame, encode(&message, 0));
            assert_eq!(encoder.scratch.capacity() > 0, kept);
            assert!(encoder.scratch.capacity() <= KEPT);
        }
    }
}

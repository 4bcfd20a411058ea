//! Encoding of messages into a reused buffer.

use crate::protocol::ServerMessage;
use crate::{Frame, Request, Twin, response};

/// Bytes reserved for the fields of a message beside its content.
const ENVELOPE: usize = 160;
/// The largest buffer that is kept for the next message, in bytes.
const KEPT: usize = 4 << 10;

/// Encodes messages into a reused buffer.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    scratch: Vec<u8>,
}

impl Encoder {
    /// Returns the 101 response to a request.
    pub(super) fn switching_protocols(&mut self, request: &Request, json: bool) -> Frame {
        self.scratch.clear();
        response::write_switching_protocols(request, json, &mut self.scratch);
        Frame::raw(self.scratch.as_slice())
    }

    /// Encodes a message with about `content` bytes of content.
    pub(super) fn encode(&mut self, message: &ServerMessage<'_>, content: usize) -> Frame {
        self.scratch.clear();
        self.scratch.reserve(content + ENVELOPE);
        let frame = Frame::text_with(&mut self.scratch, |out| message.write(out));
        self.give_back();
        frame
    }

    /// Encodes a message with about `content` bytes of content, of which the beginning was compressed.
    pub(super) fn encode_twin(
        &mut self,
        message: &ServerMessage<'_>,
        content: usize,
        twin: Option<&Twin>,
    ) -> Frame {
        let Some(twin) = twin else {
            return self.encode(message, content);
        };
        self.scratch.clear();
        self.scratch.reserve(content + ENVELOPE);
        message.write(&mut self.scratch);
        let frame = match str::from_utf8(&self.scratch) {
            Ok(payload) => twin.frame(payload),
            Err(_) => Frame::text(&String::from_utf8_lossy(&self.scratch)),
        };
        self.give_back();
        frame
    }

    fn give_back(&mut self) {
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
    }
}

/// Encodes a message that is rare or long.
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

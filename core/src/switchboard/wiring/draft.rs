//! What is published to a room, but for its number.

use crate::protocol::{Content, ServerMessage};
use crate::switchboard::encoding::Encoder;
use crate::{Frame, RoomMessage, Twin};

/// The content of a message, and its sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    pub(super) content: Content<'a>,
    pub(super) sender: Option<&'a str>,
    /// It is not to be compressed, neither here nor on other nodes.
    pub(super) uncompressed: bool,
    /// Its compressed form.
    pub(super) twin: Option<&'a Twin>,
    /// The hash by which the history knows a message of the application; 0 for none.
    pub(super) request: u64,
}

impl<'a> From<&'a RoomMessage<'_>> for Draft<'a> {
    fn from(message: &'a RoomMessage<'_>) -> Self {
        Self {
            content: message.content(),
            sender: message.sender(),
            uncompressed: message.is_uncompressed(),
            twin: message.twin(),
            request: 0,
        }
    }
}

impl Draft<'_> {
    /// Encodes it as a message of a room, or as the value of a key.
    pub(super) fn encode(
        self,
        encoder: &mut Encoder,
        channel: &str,
        key: Option<&str>,
        seq: u64,
    ) -> Frame {
        let message = ServerMessage::Message {
            channel,
            key,
            content: self.content,
            sender: self.sender,
            seq,
        };
        let frame = encoder.encode_twin(&message, self.content.as_json().len(), self.twin);
        if self.uncompressed {
            frame.sealed()
        } else {
            frame
        }
    }
}

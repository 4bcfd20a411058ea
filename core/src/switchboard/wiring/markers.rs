//! What clients are told about numbers that they do not get.

use crate::protocol::ServerMessage;
use crate::switchboard::encoding::Encoder;
use crate::switchboard::log::Markers;
use crate::switchboard::rooms::Rooms;
use crate::{Frame, Wire};

/// Encodes `skip` and `gap`.
pub(super) struct Marking<'a> {
    pub(super) rooms: &'a Rooms,
    pub(super) encoder: &'a mut Encoder,
    pub(super) wire: Wire,
}

impl Marking<'_> {
    fn encode(&mut self, message: &ServerMessage<'_>) -> Option<Frame> {
        (self.wire == Wire::Json).then(|| self.encoder.encode(message, 0))
    }
}

impl Markers for Marking<'_> {
    fn skip(&mut self, room: u32, from: u64, to: u64) -> Option<Frame> {
        let channel = &self.rooms.at(self.rooms.of_log(room)).name;
        self.encode(&ServerMessage::Skip { channel, from, to })
    }

    fn gap(&mut self, room: u32, from: u64, to: u64) -> Option<Frame> {
        let channel = &self.rooms.at(self.rooms.of_log(room)).name;
        self.encode(&ServerMessage::Gap { channel, from, to })
    }
}

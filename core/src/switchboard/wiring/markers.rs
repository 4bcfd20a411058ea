//! What clients are told about numbers: those that they do not get, and on event streams the positions
//! after those that they get.

use crate::protocol::ServerMessage;
use crate::switchboard::encoding::Encoder;
use crate::switchboard::log::Markers;
use crate::switchboard::rooms::Rooms;
use crate::switchboard::table::Table;
use crate::{Frame, Wire};

/// Encodes `skip`, `gap` and positions.
pub(super) struct Marking<'a> {
    pub(super) connections: &'a Table,
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

    fn moved(&mut self, room: u32, seq: u64) -> Option<Frame> {
        let key = self.rooms.of_log(room);
        let (room, epoch) = (self.rooms.at(key), self.rooms.epoch(key));
        self.encode(&ServerMessage::Subscribed {
            channel: &room.name,
            seq,
            epoch: epoch.as_str(),
            first: room.keeps.then_some(seq + 1),
            recovered: None,
            keep: None,
            id: None,
        })
    }

    /// A stream has one position, which is that in its lobby.
    fn position(&mut self, slot: u32, room: u32, seq: u64) -> Option<String> {
        let key = self.rooms.of_log(room);
        let connection = self.connections.at(slot);
        let is_in = connection.rooms.iter().any(|member| member.room == key);
        let tells = self.wire == Wire::Json
            && is_in
            && connection.tells_positions_in(&self.rooms.at(key).name);
        tells.then(|| format!("{}.{seq}", self.rooms.epoch(key).as_str()))
    }
}

//! Joining and leaving rooms.

use super::switchboard::Switchboard;
use crate::hash::Vacant;
use crate::protocol::ServerMessage;
use crate::switchboard::action::Notice;
use crate::switchboard::errors::JoinError;
use crate::switchboard::log::{From, Identity};
use crate::switchboard::rooms::Via;
use crate::{ConnectionId, StaleId, Time};

impl Switchboard {
    /// Adds a connection to a room on behalf of the application. With the JSON protocol the client
    /// is told as if it had asked.
    ///
    /// # Errors
    ///
    /// The [`JoinError`] names the limit or the rule that was in the way, or says that the
    /// connection is not open.
    pub fn join(&mut self, now: Time, id: ConnectionId, room: &str) -> Result<(), JoinError> {
        self.advance_clock(now);
        self.enter_room(id, room, Via::Application)
    }

    /// Removes a connection from a room on behalf of the application, and drops what is queued for
    /// it from there. Returns whether it was in the room.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn leave(&mut self, now: Time, id: ConnectionId, room: &str) -> Result<bool, StaleId> {
        self.advance_clock(now);
        let connection = self.connections.get(id)?;
        let Some(key) = self.rooms.find(room) else {
            return Ok(false);
        };
        if !connection.is_in(key) {
            return Ok(false);
        }
        let dropped = self.log.leave(id, self.rooms.at(key).log);
        self.counters.dropped("left", dropped.unwrap_or(0));
        self.leave_voluntarily(id, key);
        self.end_stall(id);
        self.send_message(
            id,
            &ServerMessage::Unsubscribed {
                channel: room,
                id: None,
            },
        );
        Ok(true)
    }

    /// Adds a connection to a room and tells the client: `subscribed`, then presence. For a lobby,
    /// the seat was checked before.
    pub(super) fn enter_room(
        &mut self,
        id: ConnectionId,
        name: &str,
        via: Via,
    ) -> Result<(), JoinError> {
        let room = if via == Via::Url {
            self.rooms.find_or_vacant(name)
        } else {
            self.may_enter(id, name, via)?
        };
        self.enter_room_answering(id, name, room, via, None)
    }

    /// Like [`Self::enter_room`] without its checks, as the answer to a request.
    pub(super) fn enter_room_answering(
        &mut self,
        id: ConnectionId,
        name: &str,
        room: Result<u32, Vacant>,
        via: Via,
        request: Option<&crate::protocol::RequestId<'_>>,
    ) -> Result<(), JoinError> {
        let connection = self.connections.get(id)?;
        if !connection.is_open() {
            return Err(JoinError::NotOpen);
        }
        let lobby = via == Via::Url;
        let owner = (via != Via::Application).then_some(connection.ip);
        let key = room.unwrap_or_else(|vacant| self.create_room(vacant, name));
        if !self.rooms.at(key).is_active() {
            self.activate_room(key, owner);
        }
        let update_at = self.presence_update_at();
        let connection = self.connections.get_mut(id)?;
        // Before anything is sent, because a connection that this is too much for leaves again.
        self.rooms
            .enter(connection, &mut self.users, id.slot, key, lobby, update_at);
        let room = self.rooms.at(key);
        let channel = room.name.clone();
        let joined = self.log.join(id, room.log, From::End, Identity::default());
        let epoch = self.rooms.epoch(key);
        self.notify(Notice::Joined {
            id,
            room: channel.clone(),
        });
        let message = ServerMessage::Subscribed {
            channel: &channel,
            seq: joined.seq,
            epoch: epoch.as_str(),
            first: None,
            recovered: None,
            id: request,
        };
        self.send_message(id, &message);
        self.send_presence_list(id, key);
        Ok(())
    }
}

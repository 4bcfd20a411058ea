//! Joining and leaving rooms.

use super::older::FromBefore;
use super::switchboard::Switchboard;
use crate::base::hash::Vacant;
use crate::protocol::{RequestId, ServerMessage};
use crate::recorder::Input;
use crate::switchboard::action::Notice;
use crate::switchboard::errors::JoinError;
use crate::switchboard::log::{Identity, StartAt};
use crate::switchboard::rooms::Via;
use crate::{ConnectionId, JoinFrom, Position, Reach, StaleId, Time};

/// How a connection enters a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entering<'a> {
    pub(super) via: Via,
    /// From where on it wants the room's messages.
    pub(super) from: &'a JoinFrom,
    /// How far back it may reach.
    pub(super) reach: Reach,
    /// The request that is answered.
    pub(super) request: Option<&'a RequestId<'a>>,
    /// What it gets from before what the room has here.
    pub(super) older: Option<&'a FromBefore>,
}

impl Switchboard {
    /// Adds a connection to a room on behalf of the application. With the JSON protocol the client is
    /// notified as if it had asked.
    ///
    /// # Errors
    ///
    /// The [`JoinError`] names the limit or the rule that prevented it, or says that the connection is
    /// not open.
    pub fn join(&mut self, now: Time, id: ConnectionId, room: &str) -> Result<(), JoinError> {
        self.record(now, |it| Input::Join {
            conn: id,
            room: it.name(room),
        });
        self.advance_clock(now);
        let place = self.may_enter(id, room, Via::Application)?;
        let entering = Entering {
            via: Via::Application,
            from: &JoinFrom::Rule,
            reach: Reach::All,
            request: None,
            older: None,
        };
        self.enter_room(id, room, place, &entering)
    }

    /// Removes a connection from a room on behalf of the application, and drops the room's messages
    /// that are queued for it. Returns whether it was in the room.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn leave(&mut self, now: Time, id: ConnectionId, room: &str) -> Result<bool, StaleId> {
        self.record(now, |it| Input::Leave {
            conn: id,
            room: it.name(room),
        });
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

    /// Adds a connection to a room, which was checked before, and sends the client `subscribed`,
    /// presence, then missed messages.
    ///
    /// In a cluster, the connection may have to wait. It then enters the room later, or is told why it
    /// cannot.
    pub(super) fn enter_room(
        &mut self,
        id: ConnectionId,
        name: &str,
        room: Result<u32, Vacant>,
        entering: &Entering<'_>,
    ) -> Result<(), JoinError> {
        if self.relay.is_some() && self.waits_to_enter(id, name, entering) {
            return Ok(());
        }
        self.enter_now(id, name, room, entering)
    }

    pub(super) fn enter_now(
        &mut self,
        id: ConnectionId,
        name: &str,
        room: Result<u32, Vacant>,
        entering: &Entering<'_>,
    ) -> Result<(), JoinError> {
        let connection = self.connections.get(id)?;
        if !connection.is_open() {
            return Err(JoinError::NotOpen);
        }
        let lobby = entering.via == Via::Url;
        let owner = (entering.via != Via::Application).then_some(connection.ip);
        let key = room.unwrap_or_else(|vacant| self.create_room(vacant, name));
        if !self.rooms.at(key).is_active() {
            self.activate_room(key, owner);
        }
        let beginning = match entering.older {
            Some(older) => self.begin_before(older),
            None => self.begin(key, entering.from, entering.reach),
        };
        let identity = match beginning.from {
            StartAt::End => Identity::default(),
            _ => self.history_identity(self.connections.get(id)?),
        };
        let update_at = self.presence_update_at(key);
        let connection = self.connections.get_mut(id)?;
        // Before anything is sent, because a connection that this is too much for leaves again.
        self.rooms
            .enter(connection, &mut self.users, key, lobby, update_at);
        let room = self.rooms.at(key);
        let (channel, log, keeps) = (room.name.clone(), room.log, room.keeps);
        self.take_held_seat(id, &channel);
        self.note_returned(id, &channel, entering.from);
        let by_key = self.log.keeps_latest(log);
        let joined = self.log.join(id, log, beginning.from, identity);
        let epoch = self.rooms.epoch(key);
        self.notify(Notice::Joined {
            id,
            room: channel.clone(),
        });
        let message = ServerMessage::Subscribed {
            channel: &channel,
            seq: joined.seq,
            epoch: epoch.as_str(),
            first: keeps.then_some(entering.older.map_or(joined.first, |older| older.after + 1)),
            recovered: beginning.recovered,
            keep: by_key.then_some("latest"),
            id: entering.request,
        };
        // A stream has one position, and goes on from the last one that it was told.
        if lobby && self.log.is_event_stream(id) {
            self.connections
                .get_mut(id)?
                .tell_positions_in(channel.clone());
        }
        let tells = self.tells_positions(id, key);
        let position = match entering.older {
            Some(older) => Some(older.after),
            None => beginning.position(&joined),
        };
        let position = position.filter(|_| tells);
        let position = position.map(|seq| Position {
            epoch: epoch.as_str().into(),
            seq,
        });
        self.send_positioned(id, &message, position.as_ref());
        self.send_presence_list(id, key);
        if let Some((from, to)) = beginning.hidden {
            let channel = &channel;
            let skip = ServerMessage::Skip { channel, from, to };
            let position = tells.then(|| Position {
                epoch: epoch.as_str().into(),
                seq: to,
            });
            self.send_positioned(id, &skip, position.as_ref());
        }
        if let Some(older) = entering.older {
            self.send_missed(id, key, older.missed.clone());
        }
        Ok(())
    }
}

//! Values that a room keeps by key.

use super::draft::Draft;
use super::switchboard::Switchboard;
use crate::protocol::Content;
use crate::switchboard::errors::SendError;
use crate::switchboard::log::{Kind, NotKept, Origin};
use crate::switchboard::recipients::{Exclude, Receipt, excluded};
use crate::{Keep, RoomMessage, Time, check_name};

impl Switchboard {
    /// Sends `content` to a room as the value of a key, a numbered `message`; `null` removes the key.
    /// The room keeps the latest value of each key, also without members
    /// ([`Keep::Latest`]).
    ///
    /// Never waits. Costs one encoding, a search for the key and one entry in the room's log, whatever
    /// the number of members.
    ///
    /// # Errors
    ///
    /// [`SendError::NoKeys`], [`SendError::BadKey`], [`SendError::TooManyKeys`],
    /// [`SendError::TooManyBytes`], and as for [`broadcast`](Self::broadcast). Nothing was sent then.
    pub fn publish_key(
        &mut self,
        now: Time,
        room: &str,
        key: &str,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let message = RoomMessage::new(room, content).from_user(sender);
        self.broadcast_message(now, &message.with_key(Some(key)), exclude)
    }

    /// Sends a message to its room, as [`broadcast`](Self::broadcast) does, or as the value of its key,
    /// as [`publish_key`](Self::publish_key) does. Where it was compressed, those who can inflate it get
    /// it so.
    ///
    /// # Errors
    ///
    /// As for these.
    pub fn broadcast_message(
        &mut self,
        now: Time,
        message: &RoomMessage<'_>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.record_broadcast(now, message, false, exclude);
        self.enter_to_send(now);
        if let Some(receipt) = self.find_published(message)? {
            return Ok(receipt);
        }
        let (room, draft) = (message.room(), self.draft_of(message));
        match message.key() {
            Some(key) => self.broadcast_value(room, key, draft, exclude),
            None => self.broadcast_draft(room, draft, exclude),
        }
    }

    fn broadcast_value(
        &mut self,
        room: &str,
        key: &str,
        draft: Draft<'_>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.check_key(room, key)?;
        if self.shared_settings(room).is_some() {
            return self.broadcast_shared(room, (draft, Some(key)), exclude);
        }
        self.check_busy()?;
        let place = self.rooms.find_or_vacant(room);
        let place = place.unwrap_or_else(|vacant| self.create_room(vacant, room));
        let origin = self.origin_of_broadcast(place, exclude, draft.request);
        let receipt = self.publish_value(place, key, draft, (exclude, origin));
        self.bound_dormant_rooms();
        receipt
    }

    /// Removes a key from a room that keeps the latest value of each: sends `null` as its value.
    ///
    /// # Errors
    ///
    /// As for [`publish_key`](Self::publish_key).
    pub fn remove_key(
        &mut self,
        now: Time,
        room: &str,
        key: &str,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.publish_key(now, room, key, Content::NULL, sender, exclude)
    }

    /// Checks that a key may have a value in a room.
    pub(super) fn check_key(&self, room: &str, key: &str) -> Result<(), SendError> {
        let longest = self.config.limits.name_bytes;
        let by_key = matches!(self.config.room(room).keep, Keep::Latest { .. });
        if !by_key || check_name(room, longest).is_err() {
            return Err(SendError::NoKeys);
        }
        check_name(key, longest).map_err(SendError::BadKey)
    }

    /// Sends the value of a key, which was checked, to a room.
    pub(super) fn publish_value(
        &mut self,
        room: u32,
        key: &str,
        draft: Draft<'_>,
        (exclude, origin): (Exclude<'_>, Origin),
    ) -> Result<Receipt, SendError> {
        let (log, name) = (self.rooms.at(room).log, &self.rooms.at(room).name);
        let seq = self.log.next_seq(log);
        let frame = draft.encode(&mut self.encoder, name, Some(key), seq);
        self.check_size(&frame)?;
        self.counters.compressed(&frame);
        let kind = if draft.content.is_null() {
            Kind::Removal
        } else {
            Kind::Value
        };
        let excluded = excluded(&self.connections, &self.users, exclude);
        let to = (&excluded[..], origin);
        let published = self.log.publish_key(log, key, frame, kind, to)?;
        let mut receipt = self.settle_published(log, kind, &published);
        receipt.seq = Some(seq);
        Ok(receipt)
    }
}

impl From<NotKept> for SendError {
    fn from(error: NotKept) -> Self {
        match error {
            NotKept::Busy => Self::Busy,
            NotKept::TooManyKeys(limit) => Self::TooManyKeys { limit },
            NotKept::TooManyBytes(limit) => Self::TooManyBytes { limit },
        }
    }
}

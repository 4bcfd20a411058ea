//! Sending to a room, to all connections, to a user, or to one connection.

use super::switchboard::Switchboard;
use crate::protocol::{Content, ServerMessage};
use crate::switchboard::errors::SendError;
use crate::switchboard::outbox::{Message, Terms};
use crate::switchboard::recipients::{Exclude, Excluded, Receipt};
use crate::{ApplicationCode, CloseReason, ConnectionId, Frame, StaleId, Time};

impl Switchboard {
    /// Sends `content` to a room as a numbered `message`.
    ///
    /// Never waits. Costs one encoding, and a check of each member's queue.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if the node's queues are full, [`SendError::TooLarge`] if the message is
    /// larger than a queue can be. Nothing was sent then.
    pub fn broadcast(
        &mut self,
        now: Time,
        room: &str,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.enter_to_send(now);
        let Some(key) = self.rooms.find(room) else {
            return Ok(Receipt::default());
        };
        self.check_busy()?;
        self.publish(key, content, sender, exclude)
    }

    /// Sends a frame to a room unchanged, without a number.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if the node's queues are full, [`SendError::TooLarge`] if the frame is
    /// larger than a queue can be. Nothing was sent then.
    pub fn broadcast_raw(
        &mut self,
        now: Time,
        room: &str,
        frame: Frame,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.enter_to_send(now);
        self.check_size(&frame)?;
        let Some(key) = self.rooms.find(room) else {
            return Ok(Receipt::default());
        };
        self.check_busy()?;
        Ok(self.send_to_members(key, frame, exclude))
    }

    /// Sends a frame to all connections unchanged.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if the node's queues are full, [`SendError::TooLarge`] if the frame is
    /// larger than a queue can be. Nothing was sent then.
    pub fn broadcast_all(
        &mut self,
        now: Time,
        frame: Frame,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.enter_to_send(now);
        self.check_size(&frame)?;
        self.check_busy()?;
        let open = self.connections.iter().filter(|(_, found)| found.is_open());
        let slots: Vec<u32> = open.map(|(id, _)| id.slot).collect();
        Ok(self.send_to_slots(slots, frame, exclude))
    }

    /// Sends a frame to one connection unchanged.
    ///
    /// # Errors
    ///
    /// [`SendError::Stale`] or [`SendError::NotOpen`] if the connection is gone or not admitted,
    /// and as for [`broadcast_raw`](Self::broadcast_raw).
    pub fn send(
        &mut self,
        now: Time,
        id: ConnectionId,
        frame: Frame,
    ) -> Result<Receipt, SendError> {
        self.enter_to_send(now);
        if !self.connections.get(id)?.is_open() {
            return Err(SendError::NotOpen);
        }
        self.check_size(&frame)?;
        self.check_busy()?;
        Ok(self.send_frame(id, frame))
    }

    /// Sends a frame to all connections of a user unchanged.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_raw`](Self::broadcast_raw).
    pub fn send_to_user(
        &mut self,
        now: Time,
        user: &str,
        frame: Frame,
    ) -> Result<Receipt, SendError> {
        self.enter_to_send(now);
        self.check_size(&frame)?;
        self.check_busy()?;
        Ok(self.send_to_devices(user, frame))
    }

    /// Closes a connection.
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn close(
        &mut self,
        now: Time,
        id: ConnectionId,
        reason: CloseReason,
    ) -> Result<(), StaleId> {
        self.advance_clock(now);
        self.check(id)?;
        self.end(id, reason);
        Ok(())
    }

    /// Closes a connection with a code of the application and a text for people, which is cut to
    /// 123 bytes (RFC 6455, section 5.5).
    ///
    /// # Errors
    ///
    /// [`StaleId`] if the connection is gone.
    pub fn close_with(
        &mut self,
        now: Time,
        id: ConnectionId,
        code: ApplicationCode,
        text: &str,
    ) -> Result<(), StaleId> {
        self.advance_clock(now);
        self.check(id)?;
        self.end_application(id, code, text);
        Ok(())
    }

    pub(super) fn send_to_devices(&mut self, user: &str, frame: Frame) -> Receipt {
        let slots: Vec<u32> = self.users.connections(user).collect();
        self.send_to_slots(slots, frame, Exclude::NOBODY)
    }

    fn send_to_slots(&mut self, slots: Vec<u32>, frame: Frame, exclude: Exclude<'_>) -> Receipt {
        let message = Message::unnumbered(self.outbox.publish(frame));
        let excluded = Excluded::new(&self.connections, &self.users, exclude);
        self.fan_out(slots.into_iter(), message, &excluded)
    }

    fn send_to_members(&mut self, key: u32, frame: Frame, exclude: Exclude<'_>) -> Receipt {
        let room = self.rooms.at_mut(key);
        let message = Message {
            frame: self.outbox.publish_after(&mut room.latest, frame),
            room: room.tag(),
            policy: room.slow,
        };
        let excluded = Excluded::new(&self.connections, &self.users, exclude);
        let terms = Terms {
            limits: &self.config.limits,
            now: self.clock.liveness(),
        };
        let slots = room.members.iter().map(|member| member.slot);
        let (connections, effects) = (&mut self.connections, &mut self.effects);
        let sent = self
            .outbox
            .fan_out(connections, effects, slots, message, &excluded, terms);
        self.settle_sent(sent)
    }

    pub(super) fn publish(
        &mut self,
        key: u32,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let room = self.rooms.at_mut(key);
        let seq = room.seq + 1;
        let message = ServerMessage::Message {
            channel: &room.name,
            content,
            sender,
            seq,
        };
        let frame = self.encoder.encode(&message, content.as_json().len());
        check_size(&frame, self.config.limits.queue_bytes)?;
        room.seq = seq;
        let mut receipt = self.send_to_members(key, frame, exclude);
        receipt.seq = Some(seq);
        Ok(receipt)
    }

    pub(super) fn check_size(&self, frame: &Frame) -> Result<(), SendError> {
        check_size(frame, self.config.limits.queue_bytes)
    }

    /// Starts a call that sends. Enforces the bound of the node first, so that [`SendError::Busy`]
    /// is not returned where closing slow connections helps.
    fn enter_to_send(&mut self, now: Time) {
        self.advance_clock(now);
        self.enforce_queue_budget();
    }

    fn check_busy(&self) -> Result<(), SendError> {
        if self.is_busy() {
            Err(SendError::Busy)
        } else {
            Ok(())
        }
    }
}

fn check_size(frame: &Frame, limit: usize) -> Result<(), SendError> {
    let bytes = frame.as_bytes().len();
    if bytes > limit {
        Err(SendError::TooLarge { bytes, limit })
    } else {
        Ok(())
    }
}

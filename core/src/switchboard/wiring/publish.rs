//! Publishing to a room with an answer that says under which number.

use super::switchboard::Switchboard;
use crate::switchboard::errors::SendError;
use crate::switchboard::recipients::Exclude;
use crate::{Position, RoomMessage, Time};

/// What came of [`Switchboard::publish`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// It has this number. If the room has neither members nor a history, it was not delivered, and the
    /// number is 0.
    Done(Position),
    /// It was passed to the cluster: [`Notice::Published`](crate::Notice::Published) reports the
    /// outcome later, with this ticket.
    Asked(u64),
}

impl Switchboard {
    /// Like [`broadcast_message`](Self::broadcast_message), and says under which number. In a cluster that is known
    /// only once the broker has answered.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_message`](Self::broadcast_message).
    pub fn publish(
        &mut self,
        now: Time,
        message: &RoomMessage<'_>,
        exclude: Exclude<'_>,
    ) -> Result<Publishing, SendError> {
        let room = message.room();
        if self.shared_settings(room).is_some() {
            self.enter_to_send(now);
            self.check_busy()?;
            if let Some(key) = message.key() {
                self.check_key(room, key)?;
            }
            if let Some(receipt) = self.find_published(message)? {
                let position = self.position(room).unwrap_or_else(Position::nowhere);
                let seq = receipt.seq.unwrap_or_default();
                return Ok(Publishing::Done(Position { seq, ..position }));
            }
            let draft = (self.draft_of(message), message.key());
            let ticket = self.relay_broadcast(room, draft, exclude, true)?;
            return Ok(Publishing::Asked(ticket));
        }
        let receipt = self.broadcast_message(now, message, exclude)?;
        let position = self.position(room).unwrap_or_else(Position::nowhere);
        let seq = receipt.seq.unwrap_or_default();
        Ok(Publishing::Done(Position { seq, ..position }))
    }
}

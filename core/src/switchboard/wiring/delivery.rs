//! Sending to a room or to one connection.

use super::draft::Draft;
use super::switchboard::Switchboard;
use crate::protocol::{Content, ServerMessage};
use crate::recorder::{Cause, Input};
use crate::switchboard::errors::SendError;
use crate::switchboard::log::{Busy, Kind, Origin, Published};
use crate::switchboard::recipients::{Exclude, Receipt, excluded};
use crate::{
    ApplicationCode, CloseReason, ConnectionId, Frame, RoomMessage, StaleId, Time, check_name,
};

impl Switchboard {
    /// Sends `content` to a room as a numbered `message`. A room that keeps a history stores it, even
    /// without members.
    ///
    /// Never waits. Costs one encoding and one entry in the room's log, whatever the number of
    /// members.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if the node holds too much memory, or if the writers have not served the
    /// members of the room yet; [`SendError::TooLarge`] if the message is larger than a queue can be.
    /// In both cases nothing was sent.
    pub fn broadcast(
        &mut self,
        now: Time,
        room: &str,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let message = RoomMessage::new(room, content).from_user(sender);
        self.broadcast_message(now, &message, exclude)
    }

    pub(super) fn broadcast_draft(
        &mut self,
        room: &str,
        draft: Draft<'_>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        if self.relay.is_some() && self.shared_settings(room).is_some() {
            return self.broadcast_shared(room, (draft, None), exclude);
        }
        let place = self.rooms.find_or_vacant(room);
        if place.is_err() && !self.would_keep(room) {
            return Ok(Receipt::default());
        }
        self.check_busy()?;
        let key = place.unwrap_or_else(|vacant| self.create_room(vacant, room));
        let origin = self.origin_of_broadcast(key, exclude, draft.request);
        let receipt = self.publish_draft(key, draft, exclude, origin);
        self.bound_dormant_rooms();
        receipt
    }

    /// Sends `content` as a `message` without a number to the members of a room that have no other
    /// messages queued there. For content that is soon obsolete, such as typing indicators. It is not
    /// kept. If too much is queued, it is dropped, never refused.
    ///
    /// Costs the same as [`broadcast`](Self::broadcast).
    ///
    /// # Errors
    ///
    /// [`SendError::TooLarge`] if the message is larger than a queue can be; it was not sent.
    pub fn broadcast_volatile(
        &mut self,
        now: Time,
        room: &str,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let message = RoomMessage::new(room, content).from_user(sender);
        self.record_broadcast(now, &message, true, exclude);
        self.enter_to_send(now);
        if let Some(key) = self.rooms.find(room) {
            return self.publish_volatile(key, content, sender, exclude);
        }
        self.tell_room_volatile(room, content, sender, exclude);
        Ok(Receipt::default())
    }

    /// Returns whether a connection can inflate messages, so that it is of use to compress them.
    pub const fn has_inflating(&self) -> bool {
        self.log.inflating() > 0
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
        self.record(now, |it| Input::BroadcastRaw {
            room: it.name(room),
            frame: it.frame(&frame),
            exclude: exclude.into(),
        });
        self.enter_to_send(now);
        self.check_size(&frame)?;
        self.tell_room(room, &frame, exclude);
        let Some(key) = self.rooms.find(room) else {
            return Ok(Receipt::default());
        };
        self.check_busy()?;
        self.send_to_members(key, frame, (Kind::Raw, Origin::default()), exclude)
    }

    /// Sends a frame to one connection unchanged.
    ///
    /// # Errors
    ///
    /// [`SendError::Stale`] or [`SendError::NotOpen`] if the connection is gone or not admitted,
    /// [`SendError::Busy`] also if twice the [limit](crate::Limits) is queued for it and not written
    /// yet, and as for [`broadcast_raw`](Self::broadcast_raw).
    pub fn send(
        &mut self,
        now: Time,
        id: ConnectionId,
        frame: Frame,
    ) -> Result<Receipt, SendError> {
        self.record(now, |it| Input::Send {
            conn: id,
            frame: it.frame(&frame),
        });
        self.enter_to_send(now);
        if !self.connections.get(id)?.is_open() {
            return Err(SendError::NotOpen);
        }
        self.check_size(&frame)?;
        self.check_busy()?;
        if self.log.is_full_for(id, frame.len()) {
            return Err(SendError::Busy);
        }
        Ok(self.send_frame(id, frame))
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
        self.record(now, |_| Input::Close {
            conn: id,
            reason,
            text: None,
        });
        self.advance_clock(now);
        self.check(id)?;
        self.because(id, |_| Cause::rule("application"));
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
        self.record(now, |_| Input::Close {
            conn: id,
            reason: CloseReason::Application(code),
            text: Some(text.into()),
        });
        self.advance_clock(now);
        self.check(id)?;
        self.because(id, |_| Cause::rule("application").detail(text.to_owned()));
        self.end_application(id, code, text);
        Ok(())
    }

    /// Queues a frame for these connections, which are few.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a frame is passed like any other"
    )]
    pub(super) fn send_to_ids(&mut self, ids: &[ConnectionId], frame: Frame) -> Receipt {
        let full = self.log.push_shared(ids.iter().copied(), &frame);
        self.settle_queued(ids, &full, frame.len())
    }

    /// Settles what follows from a frame of so many bytes that was queued for these connections,
    /// except for those that are `full`.
    pub(super) fn settle_queued(
        &mut self,
        ids: &[ConnectionId],
        full: &[ConnectionId],
        bytes: usize,
    ) -> Receipt {
        for &id in full {
            self.end_later(id, CloseReason::SlowConsumer, |it| {
                it.cause_of_full_queue(id, bytes)
            });
        }
        if self.config.limits.pause_reading.is_some() {
            for &id in ids {
                self.note_queue(id);
            }
        }
        let receipt = Receipt {
            accepted: ids.len() - full.len(),
            closed: full.len(),
            ..Receipt::default()
        };
        self.settle_sent(receipt, |_, victim| {
            ids.contains(&victim) && !full.contains(&victim)
        })
    }

    /// Returns whether a room of this name, which does not exist, would keep messages.
    fn would_keep(&self, room: &str) -> bool {
        let named = check_name(room, self.config.limits.name_bytes).is_ok();
        named && self.config.room(room).keeps()
    }

    pub(super) fn send_to_members(
        &mut self,
        key: u32,
        frame: Frame,
        (kind, origin): (Kind, Origin),
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        let excluded = excluded(&self.connections, &self.users, exclude);
        let log = self.rooms.at(key).log;
        let published = self.log.publish(log, frame, kind, &excluded, origin)?;
        Ok(self.settle_published(log, kind, &published))
    }

    /// Settles what follows from a message to a room, which is in the log under this key.
    pub(super) fn settle_published(
        &mut self,
        log: u32,
        kind: Kind,
        published: &Published,
    ) -> Receipt {
        let (newest, volatile) = match kind {
            Kind::Volatile => (0, published.dropped),
            _ => (published.dropped, 0),
        };
        let receipt = Receipt {
            seq: None,
            forwarded: false,
            duplicate: false,
            accepted: published.accepted,
            excluded: published.excluded,
            dropped_oldest: published.dropped_oldest,
            dropped_newest: newest,
            dropped_volatile: volatile,
            closed: published.closed,
        };
        let some = published.accepted > 0;
        let receipt = self.settle_sent(receipt, |all, victim| some && all.has_latest(victim, log));
        self.counters.published(receipt.accepted);
        receipt
    }

    pub(super) fn publish_volatile(
        &mut self,
        key: u32,
        content: Content<'_>,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        if self.is_relayed(key) {
            let room = self.room_name(key);
            self.tell_room_volatile(&room, content, sender, exclude);
        }
        let message = ServerMessage::Volatile {
            channel: &self.rooms.at(key).name,
            content,
            sender,
        };
        let frame = self.encoder.encode(&message, content.as_json().len());
        self.check_size(&frame)?;
        if self.is_busy() {
            let excluded = excluded(&self.connections, &self.users, exclude);
            let log = self.rooms.at(key).log;
            let missed = self.log.miss(log, &excluded);
            return Ok(self.settle_published(log, Kind::Volatile, &missed));
        }
        let volatile = (Kind::Volatile, Origin::default());
        self.send_to_members(key, frame, volatile, exclude)
    }

    pub(super) fn publish_draft(
        &mut self,
        key: u32,
        draft: Draft<'_>,
        exclude: Exclude<'_>,
        origin: Origin,
    ) -> Result<Receipt, SendError> {
        let room = self.rooms.at(key);
        let seq = self.log.next_seq(room.log);
        let frame = draft.encode(&mut self.encoder, &room.name, None, seq);
        self.check_size(&frame)?;
        self.counters.compressed(&frame);
        let mut receipt = self.send_to_members(key, frame, (Kind::Numbered, origin), exclude)?;
        receipt.seq = Some(seq);
        Ok(receipt)
    }

    pub(super) fn check_size(&self, frame: &Frame) -> Result<(), SendError> {
        check_size(frame, self.config.limits.queue_bytes)
    }

    /// Starts a call that sends. Enforces the bound of the node first, so that [`SendError::Busy`]
    /// is not returned where closing slow connections helps.
    pub(super) fn enter_to_send(&mut self, now: Time) {
        self.advance_clock(now);
        self.enforce_queue_budget();
    }

    pub(super) fn check_busy(&self) -> Result<(), SendError> {
        if self.is_busy() {
            Err(SendError::Busy)
        } else {
            Ok(())
        }
    }
}

impl From<Busy> for SendError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
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

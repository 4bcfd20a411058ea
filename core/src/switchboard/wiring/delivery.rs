//! Sending to a room, to all connections, to a user, or to one connection.

use std::sync::Arc;

use super::switchboard::Switchboard;
use crate::protocol::{Content, ServerMessage};
use crate::switchboard::errors::SendError;
use crate::switchboard::pool::{Mark, StoredFrame};
use crate::switchboard::queue::NO_ROOM;
use crate::{ApplicationCode, CloseReason, ConnectionId, Frame, SlowPolicy, StaleId, Time};

/// The connections that do not get a broadcast.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exclude<'a> {
    /// These connections.
    pub connections: &'a [ConnectionId],
    /// All connections of these users.
    pub users: &'a [&'a str],
}

impl Exclude<'_> {
    /// No exclusions.
    pub const NOBODY: Exclude<'static> = Exclude {
        connections: &[],
        users: &[],
    };
}

/// The outcome of sending a message, when the call returned.
///
/// `queued + excluded + dropped_newest + closed` is the number of connections it was addressed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The message's number in its room; `None` for unnumbered messages and rooms without members.
    pub seq: Option<u64>,
    /// The number of queues that it is in.
    pub queued: usize,
    /// The number of connections excluded by the caller.
    pub excluded: usize,
    /// The number of older messages dropped for it (`DropOldest`).
    pub dropped_oldest: usize,
    /// The number of connections for which it was dropped itself (`DropNewest`).
    pub dropped_newest: usize,
    /// The number of connections closed (4101) because it exceeded the bound of their queue, or of
    /// the node. It does not reach them.
    pub closed: usize,
}

/// The outcome for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// The message is queued, and `dropped` older ones were dropped for it.
    Queued { dropped: u32 },
    /// The message does not fit, and was dropped.
    DroppedNewest,
    /// The message does not fit, and the connection is to be closed.
    Slow { dropped: u32 },
}

impl Switchboard {
    /// Sends `content` to a room as a numbered `message`.
    ///
    /// Never waits. Costs one encoding, and a check of each member's queue.
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
        let room = self.rooms.at_mut(key);
        // The members do not change during the loop: slow ones are closed after it.
        let members = std::mem::take(&mut room.members);
        let (tag, policy) = (room.tag(), room.slow);
        let stored = self.pool.store_after(&mut room.latest, frame);
        let slots = members.iter().map(|member| member.slot);
        let (mut receipt, mark) = self.fan_out(slots, stored, tag, policy, exclude);
        self.rooms.at_mut(key).members = members;
        self.close_slow(mark, &mut receipt);
        Ok(receipt)
    }

    /// Sends a frame to all connections unchanged.
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
        // Dropping policies apply to room messages only.
        let policy = SlowPolicy::Disconnect;
        let stored = self.pool.store(frame);
        let (mut receipt, mark) = self.fan_out(slots.into_iter(), stored, NO_ROOM, policy, exclude);
        self.close_slow(mark, &mut receipt);
        Ok(receipt)
    }

    /// Sends a frame to one connection unchanged.
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
        let policy = SlowPolicy::Disconnect;
        let stored = self.pool.store(frame);
        let (mut receipt, mark) =
            self.fan_out(slots.into_iter(), stored, NO_ROOM, policy, Exclude::NOBODY);
        self.close_slow(mark, &mut receipt);
        receipt
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
        let (tag, policy) = (room.tag(), room.slow);
        let members = std::mem::take(&mut room.members);
        let stored = self.pool.store_after(&mut room.latest, frame);
        let slots = members.iter().map(|member| member.slot);
        let (mut receipt, mark) = self.fan_out(slots, stored, tag, policy, exclude);
        self.rooms.at_mut(key).members = members;
        self.close_slow(mark, &mut receipt);
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

    /// Queues a message for many connections. The mark serves to correct the receipt if connections
    /// are closed because of the message.
    fn fan_out(
        &mut self,
        slots: impl Iterator<Item = u32>,
        stored: StoredFrame,
        room: u32,
        policy: SlowPolicy,
        exclude: Exclude<'_>,
    ) -> (Receipt, Mark) {
        let mut receipt = Receipt::default();
        self.count_publish(stored.len);
        let excluded = Excluded::new(self, exclude);
        for slot in slots {
            if excluded.has(self, slot) {
                receipt.excluded += 1;
                continue;
            }
            match self.offer(slot, stored, room, policy) {
                Offer::Queued { dropped } => {
                    receipt.queued += 1;
                    receipt.dropped_oldest += dropped as usize;
                }
                Offer::DroppedNewest => receipt.dropped_newest += 1,
                Offer::Slow { dropped } => {
                    receipt.dropped_oldest += dropped as usize;
                    receipt.closed += 1;
                    let id = self.connections.id_at(slot);
                    self.effects.end(id, CloseReason::SlowConsumer);
                }
            }
        }
        let mark = self.pool.mark(stored);
        self.pool.release(stored);
        self.counters
            .dropped("drop_oldest", receipt.dropped_oldest as u64);
        self.counters
            .dropped("drop_newest", receipt.dropped_newest as u64);
        (receipt, mark)
    }

    /// Closes the connections that a fan-out found slow, now that no list of members is borrowed,
    /// and enforces the bound of the node.
    fn close_slow(&mut self, message: Mark, receipt: &mut Receipt) {
        self.settle();
        self.relieve_after(message, receipt);
    }

    /// Returns the room's name, shared.
    pub(super) fn room_name(&self, key: u32) -> Arc<str> {
        self.rooms.at(key).name.clone()
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

/// [`Exclude`], prepared so that it costs nothing where none is excluded.
enum Excluded<'a> {
    Nobody,
    One(u32),
    Some {
        connections: &'a [ConnectionId],
        users: Vec<u32>,
    },
}

impl<'a> Excluded<'a> {
    fn new(switchboard: &Switchboard, exclude: Exclude<'a>) -> Self {
        match (exclude.connections, exclude.users) {
            ([], []) => Self::Nobody,
            (&[id], []) => match switchboard.connections.get(id) {
                Ok(_) => Self::One(id.slot),
                Err(_) => Self::Nobody,
            },
            (connections, users) => {
                let users = users
                    .iter()
                    .filter_map(|user| switchboard.users.find(user))
                    .collect();
                Self::Some { connections, users }
            }
        }
    }

    #[inline]
    fn has(&self, switchboard: &Switchboard, slot: u32) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(one) => *one == slot,
            Self::Some { connections, users } => {
                connections.contains(&switchboard.connections.id_at(slot))
                    || users.contains(&switchboard.connections.at(slot).user)
            }
        }
    }
}

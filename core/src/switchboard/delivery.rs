//! Sending: to a room, to all, to a user, to one connection.

use std::fmt;
use std::sync::Arc;

use super::Switchboard;
use super::pool::{Mark, StoredFrame};
use super::queue::NO_ROOM;
use crate::protocol::{Content, ServerMessage};
use crate::{ApplicationCode, CloseReason, ConnectionId, Frame, SlowPolicy, StaleId, Time};

/// Who is left out of a broadcast.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exclude<'a> {
    /// These connections.
    pub connections: &'a [ConnectionId],
    /// All connections of these users.
    pub users: &'a [&'a str],
}

impl Exclude<'_> {
    /// Nobody.
    pub const NOBODY: Exclude<'static> = Exclude {
        connections: &[],
        users: &[],
    };
}

/// What became of a message, when the call returned.
///
/// `queued + excluded + dropped_newest + closed` is the number of those it was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The message's number in its room; `None` where nothing is numbered, and for a room without
    /// members.
    pub seq: Option<u64>,
    /// In how many queues it is.
    pub queued: usize,
    /// How many it was not meant for.
    pub excluded: usize,
    /// How many older messages it pushed out (`DropOldest`).
    pub dropped_oldest: usize,
    /// For how many it was dropped itself (`DropNewest`).
    pub dropped_newest: usize,
    /// How many connections it was too much for, or for the node because of them: they are closed
    /// (4101), and it does not reach them.
    pub closed: usize,
}

/// Why a message was not sent to anybody.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The connection has gone.
    Stale(StaleId),
    /// The connection is not admitted yet, or ending.
    NotOpen,
    /// More waits than `limits.queued_bytes`, and no connection is to blame: the writers had no turn
    /// yet. Nothing was sent, and no number was spent; where the driver offers to wait until they have
    /// caught up (`Hub::ready`), wait and send again.
    Busy,
    /// It is more than a connection's queue can ever hold (`limits.queue_bytes`).
    TooLarge {
        /// Bytes of the frame.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(stale) => stale.fmt(f),
            Self::NotOpen => f.write_str("the connection is not open"),
            Self::Busy => f.write_str("the writers have not caught up with what was sent before"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "a frame of {bytes} bytes is more than a queue's {limit}")
            }
        }
    }
}

impl std::error::Error for SendError {}

impl From<StaleId> for SendError {
    fn from(stale: StaleId) -> Self {
        Self::Stale(stale)
    }
}

/// What became of one copy of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is in the queue, and pushed out so many.
    Queued { dropped: u32 },
    /// It did not fit, and is forgotten.
    DroppedNewest,
    /// It did not fit, and must not be forgotten.
    Slow { dropped: u32 },
}

impl Switchboard {
    /// Sends `content` to a room as a `message` with a number.
    ///
    /// It never waits. Costs one encoding, and per member a look at its queue.
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

    /// Sends a frame to a room as it is, without a number.
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
        // The room stays as it is during the loop: who is found slow is closed after it.
        let members = std::mem::take(&mut room.members);
        let (tag, policy) = (room.tag(), room.slow);
        let stored = self.pool.store_after(&mut room.latest, frame);
        let slots = members.iter().map(|member| member.slot);
        let (mut receipt, mark) = self.fan_out(slots, stored, tag, policy, exclude);
        self.rooms.at_mut(key).members = members;
        self.close_slow(mark, &mut receipt);
        Ok(receipt)
    }

    /// Sends a frame to all connections as it is.
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
        // Only a room's messages can be dropped.
        let policy = SlowPolicy::Disconnect;
        let stored = self.pool.store(frame);
        let (mut receipt, mark) = self.fan_out(slots.into_iter(), stored, NO_ROOM, policy, exclude);
        self.close_slow(mark, &mut receipt);
        Ok(receipt)
    }

    /// Sends a frame to one connection as it is.
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

    /// Sends a frame to all connections of a user as it is.
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

    /// Ends a connection for a reason.
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

    /// Ends a connection for a reason of the application's own, with a text for people; it is cut at
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

    /// Begins a call that sends. What was over the bound of the node before it is settled first, so
    /// that nobody is taken for busy where somebody is to blame.
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

    /// Puts a message into queues; what it is marked by, for the receipt to be corrected if somebody
    /// is closed for it.
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
                    self.slow.push(self.connections.id_at(slot));
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

    /// Closes whom a fan-out was too much for, when no list of members is lent out any more, and what
    /// holds back too much of the node's memory.
    fn close_slow(&mut self, message: Mark, receipt: &mut Receipt) {
        for id in std::mem::take(&mut self.slow) {
            self.end(id, CloseReason::SlowConsumer);
        }
        self.relieve_after(message, receipt);
    }

    /// The room's name, shared.
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

/// [`Exclude`] in terms that cost nothing where nobody is excluded.
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

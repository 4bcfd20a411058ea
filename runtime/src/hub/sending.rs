//! Methods of [`Hub`] that send.

use std::fmt;

use switchboard_core::protocol::{BadContent, Content};
use switchboard_core::{
    ConnectionId, Exclude, Frame, Receipt, RoomMessage, SendError, ToAll, ToUser,
};

use super::handle::Hub;

/// # Sending
impl Hub {
    /// Sends `content`, a JSON text, to a room as a numbered `message`.
    ///
    /// # Errors
    ///
    /// [`BroadcastError::Content`] if `content` is not JSON that clients can read,
    /// [`BroadcastError::Send`] if the message was refused and not sent to any member.
    pub fn broadcast(&self, room: &str, content: &str) -> Result<Receipt, BroadcastError> {
        self.broadcast_from(room, content, None, Exclude::NOBODY)
    }

    /// Like [`broadcast`](Self::broadcast), with a sender and with connections to exclude.
    ///
    /// # Errors
    ///
    /// As for [`broadcast`](Self::broadcast).
    pub fn broadcast_from(
        &self,
        room: &str,
        content: &str,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, BroadcastError> {
        let content = Content::parse(content).map_err(BroadcastError::Content)?;
        let message = RoomMessage::new(room, content).from_user(sender);
        self.broadcast_message(message, exclude)
            .map_err(BroadcastError::Send)
    }

    /// Sends a message to its room, as a numbered `message` or as the value of its key. Needed for
    /// options such as [`uncompressed`](RoomMessage::uncompressed); otherwise
    /// [`broadcast_from`](Self::broadcast_from) is shorter.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_raw`](Self::broadcast_raw), and for a key as for [`remove_key`](Self::remove_key).
    pub fn broadcast_message(
        &self,
        mut message: RoomMessage<'_>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.shared().deflate(&mut message);
        self.shared()
            .with(|locked, now| locked.broadcast(now, &message, exclude))
    }

    /// Sends `content`, a JSON text, as a `message` without a number to the members of a room that have
    /// no other messages queued there. For content that is soon obsolete, such as typing indicators. It
    /// is not kept.
    ///
    /// # Errors
    ///
    /// As for [`broadcast`](Self::broadcast), but never [`SendError::Busy`]: if too much is queued, the
    /// message is dropped.
    pub fn broadcast_volatile(&self, room: &str, content: &str) -> Result<Receipt, BroadcastError> {
        self.broadcast_volatile_from(room, content, None, Exclude::NOBODY)
    }

    /// Like [`broadcast_volatile`](Self::broadcast_volatile), with a sender and with connections to
    /// exclude.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_volatile`](Self::broadcast_volatile).
    pub fn broadcast_volatile_from(
        &self,
        room: &str,
        content: &str,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, BroadcastError> {
        let content = Content::parse(content).map_err(BroadcastError::Content)?;
        self.shared()
            .with(|locked, now| {
                locked
                    .switchboard
                    .broadcast_volatile(now, room, content, sender, exclude)
            })
            .map_err(BroadcastError::Send)
    }

    /// Sends `content`, a JSON text, to a room as the value of a key; `null` removes the key. The room
    /// keeps the latest value of each key ([`Keep::Latest`](switchboard_core::Keep::Latest)), also
    /// without members.
    ///
    /// # Errors
    ///
    /// As for [`broadcast`](Self::broadcast); [`SendError::NoKeys`] if the room keeps no values by key,
    /// [`SendError::BadKey`] if the key is no name, and [`SendError::TooManyKeys`] or
    /// [`SendError::TooManyBytes`] if no more may be kept.
    pub fn publish_key(
        &self,
        room: &str,
        key: &str,
        content: &str,
    ) -> Result<Receipt, BroadcastError> {
        self.publish_key_from(room, key, content, None, Exclude::NOBODY)
    }

    /// Like [`publish_key`](Self::publish_key), with a sender and with connections to exclude.
    ///
    /// # Errors
    ///
    /// As for [`publish_key`](Self::publish_key).
    pub fn publish_key_from(
        &self,
        room: &str,
        key: &str,
        content: &str,
        sender: Option<&str>,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, BroadcastError> {
        let content = Content::parse(content).map_err(BroadcastError::Content)?;
        let message = RoomMessage::new(room, content).from_user(sender);
        self.broadcast_message(message.with_key(Some(key)), exclude)
            .map_err(BroadcastError::Send)
    }

    /// Removes a key from a room that keeps the latest value of each: sends `null` as its value.
    ///
    /// # Errors
    ///
    /// [`SendError::NoKeys`] if the room keeps no values by key, [`SendError::BadKey`] if the key is no
    /// name, and as for [`broadcast_raw`](Self::broadcast_raw).
    pub fn remove_key(&self, room: &str, key: &str) -> Result<Receipt, SendError> {
        self.shared().with(|locked, now| {
            locked
                .switchboard
                .remove_key(now, room, key, None, Exclude::NOBODY)
        })
    }

    /// Sends a frame to a room, unchanged and without a number.
    ///
    /// # Errors
    ///
    /// [`SendError::Busy`] if too much is queued on the node, [`SendError::TooLarge`] if the frame is
    /// larger than a connection's queue can ever be. In both cases it is not sent to any member.
    pub fn broadcast_raw(
        &self,
        room: &str,
        frame: Frame,
        exclude: Exclude<'_>,
    ) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.broadcast_raw(now, room, frame, exclude))
    }

    /// Sends a frame to all connections, unchanged.
    ///
    /// Queues it for a few thousand connections at a time and releases the node's lock in between, so
    /// frames that another thread sends during the call may come before or after it. A connection that
    /// begins or ends during the call may or may not get it; the receipt counts those that did.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_raw`](Self::broadcast_raw).
    pub fn broadcast_all(&self, frame: Frame, exclude: Exclude<'_>) -> Result<Receipt, SendError> {
        let mut all = ToAll::new(frame);
        loop {
            let part = self.shared().with(|locked, now| {
                locked
                    .switchboard
                    .broadcast_all_part(now, &mut all, exclude)
            })?;
            if let Some(receipt) = part {
                return Ok(receipt);
            }
        }
    }

    /// Adds a compressed form to a frame if some connection can inflate it, if the frame has at least
    /// the [configured](switchboard_core::Compression::from_bytes) size, and if that form is smaller.
    /// Call it once for a frame that is sent to many connections.
    pub fn compress(&self, frame: Frame) -> Frame {
        self.shared().deflate_frame(frame)
    }

    /// Sends a frame to one connection, unchanged.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_raw`](Self::broadcast_raw); also [`SendError::Stale`] or
    /// [`SendError::NotOpen`] if the connection has ended or is not admitted yet.
    pub fn send(&self, id: ConnectionId, frame: Frame) -> Result<Receipt, SendError> {
        self.shared()
            .with(|locked, now| locked.switchboard.send(now, id, frame))
    }

    /// Sends `content`, a JSON text, to all connections of a user as a `direct` message.
    ///
    /// # Errors
    ///
    /// As for [`broadcast`](Self::broadcast).
    pub fn direct(
        &self,
        user: &str,
        content: &str,
        sender: Option<&str>,
    ) -> Result<Receipt, BroadcastError> {
        let content = Content::parse(content).map_err(BroadcastError::Content)?;
        self.send_in_parts(ToUser::direct(user, content, sender))
            .map_err(BroadcastError::Send)
    }

    /// Sends a frame to all connections of a user, unchanged.
    ///
    /// Queues it for a few thousand connections at a time and releases the node's lock in between, so
    /// frames that another thread sends during the call may come before or after it. A connection that
    /// begins during the call does not get it; one that ends is not counted.
    ///
    /// # Errors
    ///
    /// As for [`broadcast_raw`](Self::broadcast_raw).
    pub fn send_to_user(&self, user: &str, frame: Frame) -> Result<Receipt, SendError> {
        self.send_in_parts(ToUser::new(user, frame))
    }

    fn send_in_parts(&self, mut to: ToUser) -> Result<Receipt, SendError> {
        loop {
            let part = self
                .shared()
                .with(|locked, now| locked.switchboard.send_to_user_part(now, &mut to))?;
            if let Some(receipt) = part {
                return Ok(receipt);
            }
        }
    }
}

/// An error that kept a broadcast from being sent to anybody.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BroadcastError {
    /// The content is not JSON that clients can read.
    Content(BadContent),
    /// The message was refused.
    Send(SendError),
}

impl fmt::Display for BroadcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(bad) => f.write_str(bad.as_str()),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BroadcastError {}

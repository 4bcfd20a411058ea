//! A message to a room that is prepared without the lock of a node.

use crate::protocol::{Content, write_before_seq};
use crate::{Deflater, Twin};

/// Bytes reserved for the fields of a message beside its content.
const ENVELOPE: usize = 160;

/// A message to a room, compressed or not.
///
/// ```
/// use switchboard_core::protocol::Content;
/// use switchboard_core::{Deflater, RoomMessage};
///
/// let text = format!("\"{}\"", "many words ".repeat(100));
/// let mut message = RoomMessage::new("blue", Content::parse(&text)?).from_user(Some("ann"));
/// message.deflate(&mut Deflater::new(2));
/// assert!(message.is_deflated());
/// # Ok::<(), switchboard_core::protocol::BadContent>(())
/// ```
#[derive(Clone, Debug)]
pub struct RoomMessage<'a> {
    room: &'a str,
    key: Option<&'a str>,
    content: Content<'a>,
    sender: Option<&'a str>,
    plain: bool,
    request: Option<(&'a str, Option<u64>)>,
    epoch: Option<&'a str>,
    // It belongs to the other fields, so these do not change once it is there.
    twin: Option<Twin>,
}

impl<'a> RoomMessage<'a> {
    /// Creates a message of the application that names no sender.
    pub const fn new(room: &'a str, content: Content<'a>) -> Self {
        Self {
            room,
            key: None,
            content,
            sender: None,
            plain: false,
            request: None,
            epoch: None,
            twin: None,
        }
    }

    /// Names the sender.
    #[must_use]
    pub fn from_user(self, sender: Option<&'a str>) -> Self {
        Self {
            sender,
            twin: None,
            ..self
        }
    }

    /// Makes the content the value of a key.
    #[must_use]
    pub fn with_key(self, key: Option<&'a str>) -> Self {
        Self {
            key,
            twin: None,
            ..self
        }
    }

    /// Sets an id, so that the message can be sent again if it is not known whether it was published.
    /// It is then sent with `again`, the last number of the room when it was first sent. If the room's
    /// history has the message, it is not published again
    /// ([`Receipt::duplicate`](crate::Receipt::duplicate)). If the history does not reach back that
    /// far, or if the room has none, the message is refused
    /// ([`SendError::Unrecoverable`](crate::SendError::Unrecoverable)). In a room that nodes share, it
    /// is also refused if this node does not have it, because it may be on its way.
    ///
    /// Two messages to a room may not have the same id while its history has the first one. Numbers of different
    /// epochs cannot be compared: see [`in_epoch`](Self::in_epoch).
    #[must_use]
    pub fn with_id(self, id: &'a str, again: Option<u64>) -> Self {
        Self {
            request: Some((id, again)),
            ..self
        }
    }

    /// Sets the epoch of the room ([`Position`](crate::Position)) in which the message was first sent. If
    /// the room has another one by then, because the server was restarted or the room had ended, the
    /// message is refused ([`SendError::Unrecoverable`](crate::SendError::Unrecoverable)). Without this,
    /// `again` is compared with the numbers of the present epoch, and the message may be published twice.
    #[must_use]
    pub fn in_epoch(self, epoch: Option<&'a str>) -> Self {
        Self { epoch, ..self }
    }

    /// Disables compression, for a message that contains both a secret and data that somebody else
    /// chose: its length could reveal the secret (RFC 7692, section 8).
    #[must_use]
    pub fn uncompressed(self) -> Self {
        Self {
            plain: true,
            twin: None,
            ..self
        }
    }

    /// Compresses it, if that makes it smaller. What is still to come is its number.
    pub fn deflate(&mut self, deflater: &mut Deflater) {
        if !self.plain {
            let len = self.content.as_json().len() + ENVELOPE;
            self.twin = deflater.beginning(len, |out| {
                write_before_seq(out, self.room, self.key, self.content, self.sender);
            });
        }
    }

    /// Returns whether it was compressed.
    pub const fn is_deflated(&self) -> bool {
        self.twin.is_some()
    }

    /// Returns the bytes of its content.
    #[expect(clippy::len_without_is_empty, reason = "a JSON value is never empty")]
    pub fn len(&self) -> usize {
        self.content.as_json().len()
    }

    /// Returns its room.
    pub const fn room(&self) -> &'a str {
        self.room
    }

    pub(crate) const fn key(&self) -> Option<&'a str> {
        self.key
    }

    /// Returns its id, and if it is sent again, the number that the room had come to at first.
    pub(crate) const fn request(&self) -> Option<(&'a str, Option<u64>)> {
        self.request
    }

    /// Returns the epoch in which it was first sent, if it is sent again and says so.
    pub(crate) const fn epoch(&self) -> Option<&'a str> {
        self.epoch
    }

    pub(crate) const fn content(&self) -> Content<'a> {
        self.content
    }

    pub(crate) const fn sender(&self) -> Option<&'a str> {
        self.sender
    }

    pub(crate) const fn is_uncompressed(&self) -> bool {
        self.plain
    }

    pub(crate) const fn twin(&self) -> Option<&Twin> {
        self.twin.as_ref()
    }

    /// Returns the compressed form.
    pub fn into_twin(self) -> Option<Twin> {
        self.twin
    }
}

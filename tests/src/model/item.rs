//! One frame that a connection is to get.

use std::sync::Arc;

use serde_json::Value;
use switchboard_kit::Received;

/// The expected content of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// An HTTP response with this status.
    Http(u16),
    /// A text message with this JSON, in any order of fields.
    Json(String),
    /// A text message with exactly these bytes.
    Text(String),
    /// A ping; `None` if the system draws its payload.
    Ping(Option<u64>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close frame.
    Close(Option<(u16, String)>),
    /// A `bye`, whose delay the system draws.
    Bye,
}

impl Is {
    /// Returns whether this is what a peer has read.
    pub fn is(&self, heard: &Received) -> bool {
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        match (heard, self) {
            (Received::Http(heard), Self::Http(status)) => heard == status,
            // Contents pass through byte for byte, so texts with a fixed field order are compared
            // as bytes.
            (Received::Text(heard), Self::Json(text)) => {
                heard == text || (json(heard) == json(text) && !text.contains("content"))
            }
            (Received::Text(heard), Self::Text(text)) => heard == text,
            (Received::Text(heard), Self::Bye) => json(heard).is_some_and(|bye| {
                bye["type"] == "bye" && bye["code"] == 1001 && bye["reason"] == "draining"
            }),
            (Received::Ping(heard), Self::Ping(number)) => {
                number.is_none_or(|number| heard[..] == number.to_be_bytes())
            }
            (Received::Pong(heard), Self::Pong(payload)) => heard == payload,
            (Received::Close(heard), Self::Close(close)) => heard == close,
            _ => false,
        }
    }
}

/// How a frame is queued and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ping or pong.
    Control,
    /// A message.
    Message,
    /// Part of the end.
    Last,
    /// An HTTP response.
    Http,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its length on the wire.
    pub len: usize,
    /// Its expected content.
    pub is: Is,
    /// Its kind.
    pub kind: Kind,
    /// Whether it is sent before data.
    pub urgent: bool,
    /// How many messages of rooms had been published, with this one if it is one.
    pub stamp: u64,
    /// How many there were when it was published, if it is one: who came later gets it later.
    pub published: u64,
    /// Whether it is a message of a room.
    pub of_room: bool,
    /// Whether it is not for this member, which only passes it.
    pub excluded: bool,
    /// Whether it was published before the member came.
    pub recovered: bool,
    /// Shared by all copies of one frame.
    frame: Arc<()>,
    /// Whether it is an interval ping.
    pub beat: bool,
}

impl Item {
    /// Creates a frame that belongs to no room.
    pub fn new(len: usize, is: Is, kind: Kind) -> Self {
        Self {
            len,
            is,
            kind,
            urgent: kind == Kind::Control,
            stamp: 0,
            published: 0,
            of_room: false,
            excluded: false,
            recovered: false,
            frame: Arc::default(),
            beat: false,
        }
    }

    /// Returns what distinguishes copies of one frame from other frames.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.frame).addr()
    }

    /// Returns the same, as another frame.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self {
            frame: Arc::default(),
            ..self.clone()
        }
    }

    /// Returns the same, as it was published when there were so many messages.
    pub(super) fn published_at(&self, published: u64) -> Self {
        Self {
            published,
            ..self.clone()
        }
    }

    /// Returns its place among the frames of a connection that has left its rooms.
    pub(super) fn place(&self) -> (u64, bool, u64) {
        (self.stamp, !self.of_room, self.published)
    }

    pub(super) fn is_message(&self) -> bool {
        self.kind == Kind::Message && !self.excluded
    }

    pub(super) fn survives(&self) -> bool {
        matches!(self.kind, Kind::Last | Kind::Http)
    }

    pub(super) fn is_pong(&self) -> bool {
        matches!(self.is, Is::Pong(_))
    }
}

/// Returns the length of a server's frame with this payload (RFC 6455, section 5.2).
pub fn framed(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        }
}

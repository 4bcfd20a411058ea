//! The frames that wait for one connection: lists of runs, which live in the
//! [pool](super::pool) of all connections.

use crate::Frame;

pub(super) const NONE: u32 = u32::MAX;
/// No room: an answer, a notice, or the application's own message.
pub(super) const NO_ROOM: u32 = u32::MAX;

/// What a queued frame is, as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// A ping, a pong or a Close frame.
    pub(super) const CONTROL: Self = Self(0);
    /// A message: it is counted.
    pub(super) const MESSAGE: Self = Self(1);
    /// A message of a room that drops its oldest.
    pub(super) const DROPPABLE: Self = Self(1 | 2);
    /// The end: what is left when all else is discarded.
    pub(super) const LAST: Self = Self(4);
    /// An HTTP response: never discarded, and never overtaken.
    pub(super) const HTTP: Self = Self(8);
    /// An answer to a ping: of those that wait the latest counts.
    pub(super) const PONG: Self = Self(16);
    /// The ping of an interval: it is noted when it has left.
    pub(super) const PING: Self = Self(32);
    /// The same as a message.
    pub(super) const MESSAGE_PING: Self = Self(32 | 1);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn is_message(self) -> bool {
        self.has(Self::MESSAGE)
    }

    pub(super) const fn is_droppable(self) -> bool {
        self.has(Self::DROPPABLE)
    }

    pub(super) const fn survives(self) -> bool {
        self.0 & (Self::LAST.0 | Self::HTTP.0) != 0
    }
}

/// The runs from a first to a last one, each knowing the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    pub(super) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

/// The frames that wait for one connection.
// The fields lie in this order, so that what a push changes lies together.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Queue {
    /// The answer to the latest ping, where earlier ones may be forgotten
    /// (RFC 6455, section 5.5.3).
    pub(super) pong: Option<Frame>,
    pub(super) flight: List,
    pub(super) urgent: List,
    /// Bytes of the first frame that are out already.
    pub(super) cut: u32,
    /// Bytes that a writer has taken.
    pub(super) taken: u32,
    pub(super) data: List,
    /// Bytes that are not out.
    pub(super) bytes: usize,
    /// Messages that are not out.
    pub(super) messages: u32,
    /// Pongs among the urgent frames that have not been taken.
    pub(super) pongs: u8,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            flight: List::EMPTY,
            urgent: List::EMPTY,
            data: List::EMPTY,
            pong: None,
            pongs: 0,
            cut: 0,
            taken: 0,
            bytes: 0,
            messages: 0,
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn messages(&self) -> u32 {
        self.messages
    }

    /// A frame has been put in.
    pub(super) const fn count(&mut self, len: usize, class: Class) {
        self.bytes += len;
        self.messages += class.is_message() as u32;
    }

    /// So much has been taken out.
    pub(super) const fn uncount(&mut self, bytes: usize, messages: u32) {
        self.bytes -= bytes;
        self.messages -= messages;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether there is something that a discard leaves: a frame that is cut, or in a writer's
    /// hands.
    pub(super) const fn is_stuck(&self) -> bool {
        !self.flight.is_empty()
    }
}

//! The queue of one connection: lists of runs, which are in the [pool](super::pool) of all
//! connections.

use crate::Frame;

pub(super) const NONE: u32 = u32::MAX;
/// No room, as for answers, notices and direct sends of the application.
pub(super) const NO_ROOM: u32 = u32::MAX;

/// The properties of a queued frame, as a bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// A ping, a pong or a Close frame.
    pub(super) const CONTROL: Self = Self(0);
    /// A message, which is counted.
    pub(super) const MESSAGE: Self = Self(1);
    /// A message of a room with the policy `DropOldest`.
    pub(super) const DROPPABLE: Self = Self(1 | 2);
    /// A frame of the end, which survives a discard.
    pub(super) const LAST: Self = Self(4);
    /// An HTTP response, which is never discarded or overtaken.
    pub(super) const HTTP: Self = Self(8);
    /// A pong; of several that wait, the latest suffices.
    pub(super) const PONG: Self = Self(16);
    /// The ping of an interval, whose timeout starts when it is written.
    pub(super) const PING: Self = Self(32);
    /// Like `PING`, for a `health_ping` message.
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

/// A linked list of runs.
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
// In this order, the fields that a push changes share a cache line.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Queue {
    /// The answer to the latest ping, if earlier ones need no answer (RFC 6455, section 5.5.3).
    pub(super) pong: Option<Frame>,
    pub(super) flight: List,
    pub(super) urgent: List,
    /// Bytes of the first frame that are written already.
    pub(super) cut: u32,
    /// Bytes taken by a writer.
    pub(super) taken: u32,
    pub(super) data: List,
    /// Bytes that are not written.
    pub(super) bytes: usize,
    /// Messages that are not written.
    pub(super) messages: u32,
    /// Pongs among the urgent frames that were not taken.
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

    /// Counts a frame that was added.
    pub(super) const fn count(&mut self, len: usize, class: Class) {
        self.bytes += len;
        self.messages += class.is_message() as u32;
    }

    /// Subtracts what was removed.
    pub(super) const fn uncount(&mut self, bytes: usize, messages: u32) {
        self.bytes -= bytes;
        self.messages -= messages;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Returns whether a discard would leave something: a partly written frame, or one taken by a
    /// writer.
    pub(super) const fn is_stuck(&self) -> bool {
        !self.flight.is_empty()
    }
}

//! What the application asks about the messages of a room.

use std::ops::{Bound, RangeBounds};

use super::switchboard::Switchboard;
use crate::{Frame, Position, Time};

/// The most messages that one call returns.
const MOST: usize = 1_000;

/// Messages of a room from its history.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The position of the room: its epoch, and the last number used.
    pub position: Position,
    /// The oldest number kept; one more than the last number used if none is. In a room that keeps the
    /// latest value of each key, the number from which nothing is missing except overwritten values.
    pub first: u64,
    /// The messages, the oldest first.
    pub messages: Vec<Stored>,
}

/// A message in a room's history.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// The frame that members receive.
    pub frame: Frame,
}

impl Stored {
    /// Returns the message that members receive, as JSON text.
    pub fn as_json(&self) -> &str {
        str::from_utf8(self.frame.payload()).unwrap_or_default()
    }
}

impl Switchboard {
    /// Returns the position of a room; `None` if there is no such room.
    ///
    /// An application that gives clients a state which the room's messages then change reads the
    /// position first, then the state; a client that subscribes from that position misses nothing
    /// between.
    pub fn position(&self, room: &str) -> Option<Position> {
        let key = self.rooms.find(room)?;
        Some(Position {
            epoch: self.rooms.epoch(key).as_str().into(),
            seq: self.log.next_seq(self.rooms.at(key).log) - 1,
        })
    }

    /// Returns the messages that a room keeps with numbers in `range`, at most the first 1 000 of
    /// these: where it keeps the latest value of each key, these values, and the removals that it keeps.
    /// `None` if there is no such room.
    pub fn history(
        &mut self,
        now: Time,
        room: &str,
        range: impl RangeBounds<u64>,
    ) -> Option<Excerpt> {
        self.advance_clock(now);
        let key = self.rooms.find(room)?;
        let log = self.rooms.at(key).log;
        let from = match range.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&from) => from.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(&to) => to,
            Bound::Excluded(&to) => to.saturating_sub(1),
            Bound::Unbounded => u64::MAX,
        };
        let messages = self.log.history(log, from, to, MOST);
        self.excerpt(room, log, messages)
    }

    /// Returns the last messages that a room keeps, at most so many and at most 1 000: where it keeps the latest
    /// value of each key, the last of these values, and of the removals that it keeps. `None` if there is no
    /// such room.
    pub fn latest(&mut self, now: Time, room: &str, most: usize) -> Option<Excerpt> {
        self.advance_clock(now);
        let log = self.rooms.at(self.rooms.find(room)?).log;
        let messages = self.log.latest(log, most.min(MOST));
        self.excerpt(room, log, messages)
    }

    fn excerpt(&mut self, room: &str, log: u32, messages: Vec<(u64, Frame)>) -> Option<Excerpt> {
        let (first, _) = self.log.range(log);
        let messages = messages.into_iter();
        Some(Excerpt {
            position: self.position(room)?,
            first,
            messages: messages.map(|(seq, frame)| Stored { seq, frame }).collect(),
        })
    }
}

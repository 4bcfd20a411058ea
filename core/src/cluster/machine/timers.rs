//! What is due, and when.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::output::{Question, RecallTicket};
use crate::{ConnectionId, Time};

/// What may be due. Its owner keeps the time at which it is, so that each is set at most once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The position of a room is to be compared with the broker's.
    Probe(Arc<str>),
    /// What a room has gathered about its users is to be written.
    Presence(Arc<str>),
    /// Users that a room knows from a previous epoch are to be forgotten.
    Fade(Arc<str>),
    /// Seats of a room are to be confirmed, or a client has waited long enough for one.
    Seats(Arc<str>),
    /// A question has waited for long enough.
    Question(Question),
    /// Messages that are read again have been waited for long enough.
    Recall(RecallTicket),
    /// A room has had no members for so long that it is no longer followed.
    Linger(Arc<str>),
    /// The node has tried to say goodbye for long enough.
    Retire,
    /// Users on other nodes are to be forgotten.
    Forget,
    /// A connection has waited for long enough for its claim.
    Admission(Arc<str>, ConnectionId),
    /// A claim is to be made again, so that it does not expire.
    Touch(Arc<str>, ConnectionId),
}

/// All that is due, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Time, Timer)>);

impl Timers {
    /// When the first one is due.
    pub(super) fn first(&self) -> Time {
        self.0.first().map_or(Time::MAX, |(at, _)| *at)
    }

    /// Resets a timer, or clears it. `slot` is where its owner keeps the time.
    pub(super) fn set(&mut self, slot: &mut Option<Time>, at: Option<Time>, timer: Timer) {
        if let Some(old) = slot.take() {
            let key = (old, timer);
            self.0.remove(&key);
            *slot = at;
            if let Some(at) = at {
                self.0.insert((at, key.1));
            }
        } else if let Some(at) = at {
            *slot = Some(at);
            self.0.insert((at, timer));
        }
    }

    /// Takes one that is due; its owner clears its slot.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Timer> {
        let (at, _) = self.0.first()?;
        if *at > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }

    /// Clears one whose owner is gone.
    pub(super) fn clear(&mut self, at: Option<Time>, timer: Timer) {
        if let Some(at) = at {
            self.0.remove(&(at, timer));
        }
    }

    pub(super) fn all(&self) -> &BTreeSet<(Time, Timer)> {
        &self.0
    }
}

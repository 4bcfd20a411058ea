//! When the presence of rooms is due: updates, and the ends of grace periods.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;

use crate::Time;

/// Deadlines of presence, in order.
#[derive(Debug, Default)]
pub(super) struct PresenceTimers {
    /// Updates of which a part has been told, the last one first. They go before all others.
    parts: VecDeque<(Time, u32, u64)>,
    updates: BTreeMap<(Time, u64), (u32, u64)>,
    graces: BTreeMap<(Time, u64), Grace>,
    /// Distinguishes those that are due at the same time.
    pushed: u64,
}

/// A grace period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    pub(super) room: u32,
    pub(super) stay: u64,
    pub(super) user: u32,
    pub(super) absence: Option<NonZeroU64>,
}

impl PresenceTimers {
    #[inline]
    pub(super) fn next(&self) -> Option<Time> {
        let part = self.parts.front().map(|&(at, ..)| at);
        let update = self.updates.first_key_value().map(|(&(at, _), _)| at);
        let grace = self.graces.first_key_value().map(|(&(at, _), _)| at);
        [part, update, grace].into_iter().flatten().min()
    }

    /// Schedules the next part of an update, before all other updates.
    pub(super) fn push_part(&mut self, at: Time, room: u32, stay: u64) {
        self.parts.push_front((at, room, stay));
    }

    /// Schedules the update of a room.
    pub(super) fn push_update(&mut self, at: Time, room: u32, stay: u64) {
        self.pushed += 1;
        self.updates.insert((at, self.pushed), (room, stay));
    }

    /// Takes the next room, and its stay, whose update is due.
    pub(super) fn pop_update(&mut self, now: Time) -> Option<(u32, u64)> {
        if let Some(&(at, room, stay)) = self.parts.front()
            && at <= now
        {
            self.parts.pop_front();
            return Some((room, stay));
        }
        let next = self.updates.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }

    /// Schedules the end of a grace period. Returns the number of the absence.
    pub(super) fn push_grace(
        &mut self,
        at: Time,
        room: u32,
        stay: u64,
        user: u32,
    ) -> Option<NonZeroU64> {
        self.pushed += 1;
        let absence = NonZeroU64::new(self.pushed);
        let grace = Grace {
            room,
            stay,
            user,
            absence,
        };
        self.graces.insert((at, self.pushed), grace);
        absence
    }

    /// Takes the next grace period that is over.
    pub(super) fn pop_grace(&mut self, now: Time) -> Option<Grace> {
        let next = self.graces.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }
}

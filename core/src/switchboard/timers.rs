//! Deadlines of connections: one FIFO lane per kind, because each kind has one duration.
//!
//! A connection has at most one entry per kind, which is re-armed lazily: when an entry comes due,
//! the deadline is computed again from the connection's state and may be later. Entries out of
//! order, such as first pings and moved deadlines, go to a heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::capacity::ReserveOne;
use crate::{ConnectionId, Time};

/// A kind of deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    /// The head of the request is to be complete.
    Handshake,
    /// A hook is to return.
    Hook,
    /// An `auth` message is to arrive.
    Auth,
    /// The connection whose place a newcomer claims is to show life.
    Claim,
    /// A refused connection is to be gone.
    Linger,
    /// A closed connection is to be gone.
    Close,
    /// A message is to be complete.
    Message,
    /// Something is to arrive after a ping.
    PingTimeout,
    /// Queued bytes are to be written.
    WriteStall,
    /// The next ping is to be sent.
    Ping,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Handshake,
        Self::Hook,
        Self::Auth,
        Self::Claim,
        Self::Linger,
        Self::Close,
        Self::Message,
        Self::PingTimeout,
        Self::WriteStall,
        Self::Ping,
    ];

    pub(super) const fn bit(self) -> u16 {
        1 << self as u8
    }
}

type Entry = (Time, ConnectionId);

/// The number of entries for which a list keeps its memory.
pub(super) const KEPT: usize = 1_024;

/// Shrinks a list that has become much shorter, with hysteresis.
#[inline]
pub(super) fn give_back<T>(list: &mut VecDeque<T>) {
    if list.capacity() > KEPT && list.len() < list.capacity() / 8 {
        list.shrink_to(KEPT.max(2 * list.len()));
    }
}

#[derive(Debug)]
pub(super) struct Timers {
    lanes: [VecDeque<Entry>; Kind::ALL.len()],
    /// When the first entry of each lane is due, or [`Time::MAX`]; in one place, to be scanned
    /// quickly.
    fronts: [Time; Kind::ALL.len()],
    heap: BinaryHeap<Reverse<(Time, Kind, ConnectionId)>>,
    entries: usize,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            lanes: Default::default(),
            fronts: [Time::MAX; Kind::ALL.len()],
            heap: BinaryHeap::new(),
            entries: 0,
        }
    }
}

impl Timers {
    pub(super) fn push(&mut self, kind: Kind, at: Time, id: ConnectionId) {
        self.entries += 1;
        let lane = &mut self.lanes[kind as usize];
        if lane.back().is_none_or(|&(last, _)| last <= at) {
            lane.reserve_one();
            lane.push_back((at, id));
            self.note_front(kind);
        } else {
            self.heap.reserve_one();
            self.heap.push(Reverse((at, kind, id)));
        }
    }

    /// Removes an entry if it is the first or the last of its lane, as it mostly is where
    /// connections arrive one after the other. Returns whether it was removed.
    pub(super) fn take_back(&mut self, kind: Kind, id: ConnectionId) -> bool {
        let lane = &mut self.lanes[kind as usize];
        if lane.back().is_some_and(|&(_, last)| last == id) {
            lane.pop_back();
        } else if lane.front().is_some_and(|&(_, first)| first == id) {
            lane.pop_front();
        } else {
            return false;
        }
        give_back(lane);
        self.note_front(kind);
        self.entries -= 1;
        true
    }

    /// Returns when the earliest entry is due.
    pub(super) fn next(&self) -> Option<Time> {
        let heap = self.heap.peek().map(|&Reverse((at, ..))| at);
        let lanes = self.fronts.iter().copied();
        lanes
            .chain(heap)
            .min()
            .filter(|&earliest| earliest < Time::MAX)
    }

    /// Removes the earliest entry that is due at `now`; of several at the same time, that of the
    /// lowest kind.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Time, Kind, ConnectionId)> {
        let mut first = (Time::MAX, Kind::Handshake);
        for kind in Kind::ALL {
            let at = self.fronts[kind as usize];
            // A `min` of pairs is slower, and this runs at every tick.
            if at < first.0 {
                first = (at, kind);
            }
        }
        let best = Some(first).filter(|&(at, _)| at < Time::MAX);
        let from_heap = match (best, self.heap.peek()) {
            (Some(best), Some(&Reverse((at, kind, _)))) => (at, kind) < best,
            (None, Some(_)) => true,
            _ => false,
        };
        let entry = if from_heap {
            let Reverse(entry) = *self.heap.peek()?;
            (entry.0 <= now).then(|| self.heap.pop())?;
            if self.heap.capacity() > KEPT && self.heap.len() < self.heap.capacity() / 8 {
                self.heap.shrink_to(KEPT.max(2 * self.heap.len()));
            }
            entry
        } else {
            let (at, kind) = best.filter(|&(at, _)| at <= now)?;
            let lane = &mut self.lanes[kind as usize];
            let (_, id) = lane.pop_front()?;
            give_back(lane);
            self.note_front(kind);
            (at, kind, id)
        };
        self.entries -= 1;
        Some(entry)
    }

    /// Returns the next entries of a lane that are due.
    pub(super) fn ahead(&self, kind: Kind, now: Time) -> impl Iterator<Item = ConnectionId> {
        let lane = self.lanes[kind as usize].iter();
        lane.take_while(move |&&(at, _)| at <= now)
            .map(|&(_, id)| id)
    }

    /// Returns the number of entries, including those of disarmed timers.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Removes the entries for which `keep` returns `false`.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Kind, ConnectionId) -> bool) {
        for kind in Kind::ALL {
            let lane = &mut self.lanes[kind as usize];
            lane.retain(|&(_, id)| keep(kind, id));
            lane.shrink_to(lane.len() * 2);
            self.note_front(kind);
        }
        self.heap.retain(|&Reverse((_, kind, id))| keep(kind, id));
        self.heap.shrink_to(self.heap.len() * 2);
        self.entries = self.lanes.iter().map(VecDeque::len).sum::<usize>() + self.heap.len();
    }

    fn note_front(&mut self, kind: Kind) {
        let front = self.lanes[kind as usize].front();
        self.fronts[kind as usize] = front.map_or(Time::MAX, |&(at, _)| at);
    }
}

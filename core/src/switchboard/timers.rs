//! Deadlines of connections: one FIFO queue per kind, because each kind has one duration.
//!
//! A connection has at most one entry per kind, which is re-armed lazily: when an entry comes due,
//! the deadline is computed again from the connection's state and may be later. Entries out of
//! order, such as first pings and moved deadlines, go to a sorted set.

use super::grouped::Grouped;
use super::segmented_queue::SegmentedQueue;
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

/// Entries out of order that one sweep looks at.
const SWEPT: usize = 64;

#[derive(Debug)]
pub(super) struct Timers {
    queues: [SegmentedQueue<Entry>; Kind::ALL.len()],
    /// When the first entry of each queue is due, or [`Time::MAX`]; in one place, to be scanned
    /// quickly.
    fronts: [Time; Kind::ALL.len()],
    /// Entries that came out of order, as the first pings do, which are due at the same times.
    unordered: Grouped<(Time, Kind), ConnectionId>,
    entries: usize,
    sweep_at: SweepAt,
}

/// Where the next sweep goes on.
#[derive(Clone, Copy, Debug)]
enum SweepAt {
    /// A segment of a queue.
    Queue(usize, usize),
    /// The entries out of order after this one.
    Unordered(Option<((Time, Kind), ConnectionId)>),
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            queues: Default::default(),
            fronts: [Time::MAX; Kind::ALL.len()],
            unordered: Grouped::default(),
            entries: 0,
            sweep_at: SweepAt::Queue(0, 0),
        }
    }
}

impl Timers {
    pub(super) fn push(&mut self, kind: Kind, at: Time, id: ConnectionId) {
        let queue = &mut self.queues[kind as usize];
        if queue.back().is_none_or(|&(last, _)| last <= at) {
            queue.push_back((at, id));
            self.entries += 1;
            self.note_front(kind);
        } else {
            // An entry that was left behind may stand for this one.
            self.entries += usize::from(self.unordered.insert((at, kind), id));
        }
    }

    /// Removes an entry if it is the first or the last of its queue, as it mostly is where
    /// connections arrive one after the other. Returns whether it was removed.
    pub(super) fn take_back(&mut self, kind: Kind, id: ConnectionId) -> bool {
        let queue = &mut self.queues[kind as usize];
        if queue.back().is_some_and(|&(_, last)| last == id) {
            queue.pop_back();
        } else if queue.front().is_some_and(|&(_, first)| first == id) {
            queue.pop_front();
        } else {
            return false;
        }
        self.note_front(kind);
        self.entries -= 1;
        true
    }

    /// Returns when the earliest entry is due.
    pub(super) fn next(&self) -> Option<Time> {
        let unordered = self.unordered.first().map(|((at, _), _)| at);
        let queues = self.fronts.iter().copied();
        queues
            .chain(unordered)
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
        let out_of_order = self.unordered.first();
        let entry = match (best, out_of_order) {
            (best, Some((due, id))) if best.is_none_or(|best| due < best) => {
                (due.0 <= now).then(|| self.unordered.pop_first())?;
                (due.0, due.1, id)
            }
            (best, _) => {
                let (at, kind) = best.filter(|&(at, _)| at <= now)?;
                let (_, id) = self.queues[kind as usize].pop_front()?;
                self.note_front(kind);
                (at, kind, id)
            }
        };
        self.entries -= 1;
        Some(entry)
    }

    /// Returns the next entries of a queue that are due.
    pub(super) fn ahead(&self, kind: Kind, now: Time) -> impl Iterator<Item = ConnectionId> {
        let queue = self.queues[kind as usize].iter();
        queue
            .take_while(move |&&(at, _)| at <= now)
            .map(|&(_, id)| id)
    }

    /// Returns the number of entries, including those of disarmed timers.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Removes the entries for which `keep` returns `false` from a part of them: all of few, about
    /// a hundred of many. Repeated calls come to all parts in turn.
    pub(super) fn sweep(&mut self, mut keep: impl FnMut(Kind, ConnectionId) -> bool) {
        let mut looks = 0;
        for _ in 0..=Kind::ALL.len() {
            looks += match self.sweep_at {
                SweepAt::Queue(kind, segment) => self.sweep_queue(kind, segment, &mut keep),
                SweepAt::Unordered(after) => self.sweep_unordered(after, &mut keep),
            };
            if looks >= SWEPT {
                break;
            }
        }
    }

    /// Sweeps a segment of a queue; returns the number of entries in it.
    fn sweep_queue(
        &mut self,
        number: usize,
        segment: usize,
        mut keep: impl FnMut(Kind, ConnectionId) -> bool,
    ) -> usize {
        let kind = Kind::ALL[number];
        let queue = &mut self.queues[number];
        let before = queue.len();
        let mut looks = 0;
        let next = queue.sweep(segment, |&(_, id)| {
            looks += 1;
            keep(kind, id)
        });
        self.entries -= before - queue.len();
        self.note_front(kind);
        self.sweep_at = match next {
            Some(segment) => SweepAt::Queue(number, segment),
            None if number + 1 < Kind::ALL.len() => SweepAt::Queue(number + 1, 0),
            None => SweepAt::Unordered(None),
        };
        looks
    }

    /// Sweeps entries out of order; returns their number.
    fn sweep_unordered(
        &mut self,
        after: Option<((Time, Kind), ConnectionId)>,
        mut keep: impl FnMut(Kind, ConnectionId) -> bool,
    ) -> usize {
        let part: Vec<_> = self.unordered.after(after).take(SWEPT).collect();
        for &(due, id) in &part {
            if !keep(due.1, id) {
                self.unordered.remove(due, id);
                self.entries -= 1;
            }
        }
        self.sweep_at = match part.last() {
            Some(&last) if part.len() == SWEPT => SweepAt::Unordered(Some(last)),
            _ => SweepAt::Queue(0, 0),
        };
        part.len()
    }

    fn note_front(&mut self, kind: Kind) {
        let front = self.queues[kind as usize].front();
        self.fronts[kind as usize] = front.map_or(Time::MAX, |&(at, _)| at);
    }
}

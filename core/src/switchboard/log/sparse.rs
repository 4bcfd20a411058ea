//! Logs with holes: of rooms whose members lose the newest messages, of those that keep the
//! [latest](super::latest) value of each key, and of those that have a volatile message.
//!
//! ```text
//!            full until 4       at the end
//!              ▼                    ▼
//!   ring [ 1   2   3   7   8   9 ]     4, 5 and 6 have gone: all others had passed them
//! ```
//! A member for which a message does not fit is *full*: it receives no later messages until it has
//! received all queued ones; then it moves to the end. There is therefore at most one hole per member,
//! not one per message, and the number of full members is known without visiting them.

mod full;

use std::collections::BTreeMap;

use super::history::Origin;
use super::ring::Ring;

/// Entries and bytes above which a log is compacted at the earliest: few in tests, so that short
/// runs compact.
const LEAST: (usize, u64) = if cfg!(test) {
    (4, 4 << 10)
} else {
    (64, 64 << 10)
};

/// What a log with holes knows of an entry.
#[derive(Debug)]
struct Place {
    position: u64,
    /// Messages before it that count for the lag of members.
    before: u64,
    /// Who published it, if it is kept by its key and that matters.
    origin: Option<Box<Origin>>,
    /// Where those are to stop that stood here when they became full.
    stop: u64,
    /// Full members that have come here since they became full.
    draining: u32,
    /// Full members that are to stop before this entry.
    stops: u32,
}

/// The positions of a log with holes, and its full members.
#[derive(Debug)]
pub(super) struct Sparse {
    places: Ring<Place>,
    end: u64,
    /// Messages so far that count for the lag of members.
    counted: u64,
    /// Entries that are for nobody any more.
    pub(super) dead: usize,
    full: u32,
    /// Of these, those that are to stop at the end.
    stop_at_end: u32,
    /// Where full members stop that have moved since they became full, by slot.
    draining: BTreeMap<u32, u64>,
    /// The number of entries and bytes above which the log is compacted.
    compact_above: (usize, u64),
}

impl Sparse {
    pub(super) fn new() -> Self {
        Self {
            places: Ring::default(),
            end: 0,
            counted: 0,
            dead: 0,
            full: 0,
            stop_at_end: 0,
            draining: BTreeMap::new(),
            compact_above: LEAST,
        }
    }

    pub(super) fn position(&self, index: usize) -> u64 {
        self.places.get(index).map_or(self.end, |at| at.position)
    }

    /// Returns the index of the first entry that is not before a position.
    pub(super) fn locate(&self, position: u64) -> usize {
        let (mut low, mut high) = (0, self.places.len());
        if position >= self.end {
            return high;
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.places[middle].position < position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns the number of messages from an index on that count for the lag of members.
    pub(super) fn counted_from(&self, index: usize) -> u64 {
        self.counted - self.places[index].before
    }

    pub(super) fn appended(&mut self, counts: bool) {
        self.places.push_back(Place {
            position: self.end,
            before: self.counted,
            origin: None,
            stop: 0,
            draining: 0,
            stops: std::mem::take(&mut self.stop_at_end),
        });
        self.end += 1;
        self.counted += u64::from(counts);
    }

    /// Returns who published the entry at an index, if that was noted.
    pub(super) fn origin(&self, index: usize) -> Option<&Origin> {
        self.places[index].origin.as_deref()
    }

    /// Notes who published the entry at an index.
    pub(super) fn note_origin(&mut self, index: usize, origin: Option<Box<Origin>>) {
        self.places[index].origin = origin;
    }

    /// Begins to look at all places, as the ring does.
    pub(super) fn begin_sweep(&mut self) {
        self.places.begin_sweep();
    }

    /// Goes on with that.
    pub(super) fn sweep(&mut self, stays: bool) {
        self.places.sweep(stays);
    }

    /// Notes that the front has gone; returns the position of the next.
    pub(super) fn popped(&mut self, dead: bool) -> u64 {
        self.dead -= usize::from(dead);
        self.places.pop_front();
        let most = 2 * self.places.len() + LEAST.0;
        self.compact_above.0 = self.compact_above.0.min(most);
        self.position(0)
    }

    fn stops_at(&mut self, position: u64) -> &mut u32 {
        let at = self.locate(position);
        match self.places.get_mut(at) {
            Some(place) => &mut place.stops,
            None => &mut self.stop_at_end,
        }
    }
}

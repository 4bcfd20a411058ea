//! Looking in a room's log for what a member that recovers gets.

use super::super::entry::Entry;
use super::super::history::Origin;
use super::super::room::Room;
use super::Recovery;

impl Room {
    /// Returns whether an entry before the place of joining is for a member that recovers.
    pub(in super::super) fn is_recovered(&self, index: usize, recovery: &Recovery) -> bool {
        let entry = &self.ring[index];
        let by_key = self.latest.is_some();
        let fresh = recovery.snapshot.is_some();
        if by_key && (!entry.stays() || (fresh && entry.is_removal())) {
            return false;
        }
        let Some(origin) = self.origin(index) else {
            return by_key;
        };
        let own = origin.is_own(&recovery.identity) && !fresh;
        entry.seq().is_some() && !own && !origin.excludes(&recovery.identity)
    }

    /// Returns who published an entry, where that is known.
    pub(super) fn origin(&self, index: usize) -> Option<&Origin> {
        match &self.history {
            Some(history) => Some(&history.note(index).origin),
            None => self.sparse.as_ref()?.origin(index),
        }
    }

    /// Returns the index after the entries from `first` on, which is not for a member that recovers,
    /// that are not for it either before the place at which it joined; and the numbers of these.
    pub(in super::super) fn skipped(
        &self,
        first: usize,
        recovery: &Recovery,
    ) -> (usize, Option<(u64, u64)>) {
        let mut at = first + 1;
        if self.position(first) >= recovery.until {
            return (at, None);
        }
        while self.position(at) < recovery.until && !self.is_recovered(at, recovery) {
            at += 1;
        }
        if self.latest.is_some() {
            // Numbers tell nothing about what is missing there.
            return (at, None);
        }
        let mut skipped = (first..at).filter_map(|at| self.ring[at].seq());
        let from = skipped.next();
        let numbers = from.map(|from| (from, skipped.next_back().unwrap_or(from)));
        (at, numbers)
    }

    /// Returns the index of the message with this number, which is kept.
    pub(in super::super) fn find(&self, number: u64) -> usize {
        if self.ring.len() as u64 > self.seq - number {
            // Where all are numbered, the index follows from the number.
            let guess = self.ring.len() - 1 - (self.seq - number) as usize;
            if guess >= self.first_kept() && self.ring[guess].seq() == Some(number) {
                return guess;
            }
        }
        self.search(number)
    }

    /// Returns the index before which nothing is kept: what is there may be of an epoch before.
    fn first_kept(&self) -> usize {
        let history = self.history.as_ref();
        history.map_or(0, |history| history.first().min(self.ring.len()))
    }

    /// Finds a number among entries of which some have none.
    fn search(&self, number: u64) -> usize {
        let (mut low, mut high) = (self.first_kept(), self.ring.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            // An entry without a number counts as the next one with a number.
            let next = (middle..high).find_map(|at| self.ring[at].seq().map(|seq| (at, seq)));
            match next {
                Some((at, seq)) if seq < number => low = at + 1,
                Some(_) | None => high = middle,
            }
        }
        (low..self.ring.len())
            .find(|&at| self.ring.get(at).and_then(Entry::seq).is_some())
            .unwrap_or(low)
    }
}

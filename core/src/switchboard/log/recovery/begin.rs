//! Where a new member begins, and what is read from the history without a member.

use super::super::Log;
use super::{Joined, Recovery, Resent, StartAt};
use crate::{ConnectionId, Frame};

impl Log {
    /// Returns the index at which a new member begins, and what it is told. Where it gets the present
    /// value of each key, it begins at the end.
    pub(in super::super) fn begin(&mut self, key: u32, from: StartAt) -> (usize, Joined) {
        let (first, seq) = self.range(key);
        let room = &self.rooms[key];
        let wanted = match from {
            StartAt::End => None,
            StartAt::Present(number) => Some(number.max(first)),
            StartAt::Last(most) => Some(first.max(seq.saturating_sub(most as u64) + 1)),
            StartAt::After(after) => {
                (first <= after.saturating_add(1) && after <= seq).then(|| after + 1)
            }
        };
        let recovered = match from {
            StartAt::After(_) => Some(wanted.is_some()),
            _ => None,
        };
        let index = wanted
            .filter(|&number| number <= seq && (room.latest.is_none() || recovered == Some(true)))
            .map_or(room.ring.len(), |number| room.find(number));
        (
            index,
            Joined {
                seq,
                first,
                recovered,
            },
        )
    }

    /// Decides about a message that was sent before, when the room had come to `again`.
    pub(in crate::switchboard) fn find_request(
        &mut self,
        key: u32,
        request: u64,
        again: u64,
    ) -> Resent {
        let (first, seq) = self.range(key);
        if first > again.saturating_add(1) || again > seq {
            return Resent::Unrecoverable;
        }
        let room = &self.rooms[key];
        if room.linger().is_none() {
            return Resent::Unrecoverable;
        }
        if again == seq {
            return Resent::New;
        }
        let found = (room.find(again + 1)..room.ring.len()).find_map(|index| {
            let same = room.origin(index).is_some_and(|it| it.request == request);
            room.ring[index].seq().filter(|_| same)
        });
        // What was overwritten since may have been it.
        let overwritten = room.latest.as_ref().map_or(0, |it| it.overwritten());
        match found {
            Some(seq) => Resent::Duplicate(seq),
            None if again < overwritten => Resent::Unrecoverable,
            None => Resent::New,
        }
    }

    /// Returns the kept messages of a room with numbers from `from` to `to`, at most `most`. Where the latest
    /// value of each key is kept, these are the present values, and the removals that are kept, whatever was
    /// published without a key since.
    pub(in crate::switchboard) fn history(
        &mut self,
        key: u32,
        from: u64,
        to: u64,
        most: usize,
    ) -> Vec<(u64, Frame)> {
        let (first, seq) = self.range(key);
        let room = &self.rooms[key];
        let oldest = if room.latest.is_some() { 1 } else { first };
        let (from, to) = (from.max(oldest), to.min(seq));
        if from > to {
            return Vec::new();
        }
        let entries = (room.find(from)..room.ring.len()).map(|index| &room.ring[index]);
        let entries = entries.filter(|it| !it.is_dead() && (room.latest.is_none() || it.stays()));
        entries
            .filter_map(|entry| Some((entry.seq()?, entry.frame.clone())))
            .take_while(|&(seq, _)| seq <= to)
            .take(most)
            .collect()
    }

    /// The same of the last ones that are kept, at most `most`.
    pub(in crate::switchboard) fn latest(&mut self, key: u32, most: usize) -> Vec<(u64, Frame)> {
        let (first, seq) = self.range(key);
        let room = &self.rooms[key];
        let oldest = if room.latest.is_some() { 1 } else { first };
        if oldest > seq {
            return Vec::new();
        }
        let entries = (room.find(oldest)..room.ring.len()).rev();
        let entries = entries.map(|index| &room.ring[index]);
        let entries = entries.filter(|it| !it.is_dead() && (room.latest.is_none() || it.stays()));
        let kept = entries.filter_map(|entry| Some((entry.seq()?, entry.frame.clone())));
        let mut latest: Vec<(u64, Frame)> = kept.take(most).collect();
        latest.reverse();
        latest
    }

    /// Returns the recovery of a member, if it has not come to its end.
    pub(in super::super) fn recovery(&self, slot: u32, room: u32) -> Option<Recovery> {
        self.recoveries.get(&(slot, room)).copied()
    }

    /// Returns the numbers that a member has lost whose cursor is before the front.
    pub(in super::super) fn lost_numbers(&self, key: u32, cursor: u64) -> Option<(u64, u64)> {
        let room = &self.rooms[key];
        let positions = room.base.saturating_sub(cursor);
        let unnumbered = room.lost.iter().flat_map(|lost| lost.iter());
        let unnumbered = unnumbered.map(|&(from, to)| to.saturating_sub(from.max(cursor)));
        let unnumbered: u64 = unnumbered.sum();
        let spent = room.spent.iter().filter(|&&(at, _)| at >= cursor);
        let spent: u64 = spent.map(|&(_, numbers)| numbers).sum();
        let numbers = positions.saturating_sub(unnumbered) + spent;
        let to = room.popped;
        // Positions of an epoch before count, too.
        (numbers > 0).then(|| ((to + 1).saturating_sub(numbers).max(1), to))
    }

    /// Returns whether a member has not come to the place at which it joined.
    pub(in crate::switchboard) fn recovers(&self, id: ConnectionId, room: u32) -> bool {
        self.connection(id).is_some() && self.recoveries.contains_key(&(id.slot, room))
    }
}

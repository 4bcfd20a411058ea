//! Those who come back, and those who want the last messages: their cursor begins in the history.
//!
//! Until such a member has reached the place at which it joined, it is looked at entry by entry: it
//! gets numbered messages only, and the numbers that were not for its session or user are told as
//! skipped.

use super::Log;
use super::entry::Entry;
use super::history::Origin;
use super::room::Room;
use crate::{ConnectionId, Frame};

/// Where a new member begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum From {
    /// It gets what is published from now on.
    End,
    /// It gets the present value of each key, where these are kept, with numbers from this one on; then
    /// what is published.
    Present(u64),
    /// It gets the last messages that are kept, at most so many, then the live ones.
    Last(usize),
    /// It gets exactly the messages after this number, if they are all kept; else it begins at the
    /// end.
    After(u64),
}

/// Who a member is in the eyes of the history: keyed hashes, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::switchboard) struct Identity {
    pub(in crate::switchboard) session: u64,
    pub(in crate::switchboard) user: u64,
}

/// What a new member is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) struct Joined {
    /// The last number used.
    pub(in crate::switchboard) seq: u64,
    /// The first number that is kept; `seq + 1` if none is.
    pub(in crate::switchboard) first: u64,
    /// Whether it gets all that it missed, where it said what that is.
    pub(in crate::switchboard) recovered: Option<bool>,
}

/// A member that has not reached the place at which it joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    pub(super) identity: Identity,
    /// The position at which it joined.
    pub(super) until: u64,
    /// The count of published messages at that time.
    pub(super) stamp: u64,
    /// The position of what it gets next of the present values. Its cursor stands where it joined.
    pub(super) snapshot: Option<u64>,
}

/// What the resend of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::switchboard) enum Resent {
    /// The room has it, under this number.
    Duplicate(u64),
    /// The room does not have it.
    New,
    /// What was published then is not kept any more.
    Unrecoverable,
}

/// Makes the frames that tell a client about numbers that it does not get.
pub(in crate::switchboard) trait Markers {
    /// These numbers were not for the client.
    fn skip(&mut self, room: u32, from: u64, to: u64) -> Option<Frame>;
    /// These numbers are not kept any more.
    fn gap(&mut self, room: u32, from: u64, to: u64) -> Option<Frame>;

    /// Returns the position after a message, where an event stream is told of it.
    fn position(&mut self, slot: u32, room: u32, seq: u64) -> Option<String> {
        let _ = (slot, room, seq);
        None
    }
}

/// Tells no numbers.
#[derive(Debug)]
pub(in crate::switchboard) struct NoMarkers;

impl Markers for NoMarkers {
    fn skip(&mut self, _: u32, _: u64, _: u64) -> Option<Frame> {
        None
    }

    fn gap(&mut self, _: u32, _: u64, _: u64) -> Option<Frame> {
        None
    }
}

/// Returns the place of a message among a connection's own frames: what a member recovers comes
/// after all that it was told when it joined.
pub(super) fn place(stamp: u64, recovery: Option<&Recovery>) -> u64 {
    recovery.map_or(stamp, |recovery| stamp.max(recovery.stamp + 1))
}

impl Recovery {
    /// Returns whether an entry before the place of joining is for the member.
    pub(super) fn is_for(&self, room: &Room, index: usize) -> bool {
        let entry = &room.ring[index];
        let by_key = room.latest.is_some();
        let fresh = self.snapshot.is_some();
        if by_key && (!entry.stays() || (fresh && entry.is_removal())) {
            return false;
        }
        let Some(origin) = room.origin(index) else {
            return by_key;
        };
        let Identity { session, user } = self.identity;
        let is_listed = |hash: u64| {
            hash != 0
                && origin
                    .not_for
                    .as_ref()
                    .is_some_and(|list| list.contains(&hash))
        };
        let own = session != 0 && origin.session == session && !fresh;
        let excluded = own || is_listed(session) || is_listed(user);
        entry.seq().is_some() && !excluded
    }
}

impl Log {
    /// Returns the index at which a new member begins, and what it is told. Where it gets the present
    /// value of each key, it begins at the end.
    pub(super) fn begin(&mut self, key: u32, from: From) -> (usize, Joined) {
        let (first, seq) = self.range(key);
        let room = &self.rooms[key];
        let wanted = match from {
            From::End => None,
            From::Present(number) => Some(number.max(first)),
            From::Last(most) => Some(first.max(seq.saturating_sub(most as u64) + 1)),
            From::After(after) => {
                (first <= after.saturating_add(1) && after <= seq).then(|| after + 1)
            }
        };
        let recovered = match from {
            From::After(_) => Some(wanted.is_some()),
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

    /// Returns the kept messages of a room with numbers from `from` to `to`, at most `most`.
    pub(in crate::switchboard) fn history(
        &mut self,
        key: u32,
        from: u64,
        to: u64,
        most: usize,
    ) -> Vec<(u64, Frame)> {
        let (first, seq) = self.range(key);
        let (from, to) = (from.max(first), to.min(seq));
        if from > to {
            return Vec::new();
        }
        let room = &self.rooms[key];
        let entries = (room.find(from)..room.ring.len()).map(|index| &room.ring[index]);
        let entries = entries.filter(|it| !it.is_dead() && (room.latest.is_none() || it.stays()));
        entries
            .filter_map(|entry| Some((entry.seq()?, entry.frame.clone())))
            .take_while(|&(seq, _)| seq <= to)
            .take(most)
            .collect()
    }

    /// Returns the recovery of a member, if it has not come to its end.
    pub(super) fn recovery(&self, slot: u32, room: u32) -> Option<Recovery> {
        self.recoveries.get(&(slot, room)).copied()
    }

    /// Returns the numbers that a member has lost whose cursor is before the front.
    pub(super) fn lost_numbers(&self, key: u32, cursor: u64) -> Option<(u64, u64)> {
        let room = &self.rooms[key];
        let positions = room.base.saturating_sub(cursor);
        let unnumbered = room.lost.iter();
        let unnumbered = unnumbered.map(|&(from, to)| to.saturating_sub(from.max(cursor)));
        let unnumbered: u64 = unnumbered.sum();
        let numbers = positions.saturating_sub(unnumbered);
        let to = room.popped;
        // Positions of an epoch before count, too.
        (numbers > 0).then(|| ((to + 1).saturating_sub(numbers).max(1), to))
    }

    /// Returns whether a member has not come to the place at which it joined.
    pub(in crate::switchboard) fn recovers(&self, id: ConnectionId, room: u32) -> bool {
        self.connection(id).is_some() && self.recoveries.contains_key(&(id.slot, room))
    }
}

impl Room {
    /// Returns who published an entry, where that is known.
    fn origin(&self, index: usize) -> Option<&Origin> {
        match &self.history {
            Some(history) => Some(&history.note(index).origin),
            None => self.sparse.as_ref()?.origin(index),
        }
    }

    /// Returns the index after the entries from `first` on, which is not for a member that recovers,
    /// that are not for it either before the place at which it joined; and the numbers of these.
    pub(super) fn skipped(&self, first: usize, recovery: &Recovery) -> (usize, Option<(u64, u64)>) {
        let mut at = first + 1;
        if self.position(first) >= recovery.until {
            return (at, None);
        }
        while self.position(at) < recovery.until && !recovery.is_for(self, at) {
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
    pub(super) fn find(&self, number: u64) -> usize {
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

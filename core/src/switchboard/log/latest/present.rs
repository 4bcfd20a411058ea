//! Members that receive the current values before new messages.

use super::super::recovery::{Joined, Recovery, StartAt};
use super::super::room::{Member, Room};

impl Room {
    /// Returns where the present values begin, for a new member that is to get them.
    pub(in super::super) fn snapshot(&self, from: StartAt, joined: &Joined) -> Option<u64> {
        let latest = self.latest.as_ref()?;
        let number = match from {
            StartAt::Present(number) => number,
            _ => 0,
        };
        let gets = from != StartAt::End
            && joined.recovered != Some(true)
            && latest.values > 0
            && number <= self.seq;
        let index = gets.then(|| self.find(number))?;
        (index < self.ring.len()).then(|| self.position(index))
    }

    /// Returns the index of the entry at which a member is to look next.
    pub(in super::super) fn next_of(&self, member: &Member, recovery: Option<&Recovery>) -> usize {
        let snapshot = recovery.and_then(|recovery| recovery.snapshot);
        self.locate(snapshot.unwrap_or(member.cursor))
    }

    /// Returns whether nothing is left of the present values that a member has not got, where it is to look
    /// next at the entry at an index.
    pub(in super::super) fn has_gone(&self, next: usize, recovery: &Recovery) -> bool {
        recovery.snapshot.is_some() && self.position(next) >= recovery.until
    }

    /// Returns whether a member has not got all present values.
    pub(in super::super) fn is_newcomer(&self, member: u32) -> bool {
        let slot = self.members[member as usize].slot;
        let latest = self.latest.as_ref();
        latest.is_some_and(|latest| latest.newcomers().contains(&slot))
    }
}

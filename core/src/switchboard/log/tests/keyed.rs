//! Random operations: values of keys, and their removals.

mod publish;

use std::collections::{BTreeMap, VecDeque};

use super::super::history::Origin;
use super::super::recovery::Identity;

/// Numbers, each with the time of its message.
type Waiting = VecDeque<(u64, Option<u64>)>;

/// What was published last for a key.
#[derive(Debug)]
pub(super) struct Latest {
    seq: u64,
    time: u64,
    removal: bool,
    origin: Origin,
}

/// A room that keeps the latest value of each key.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    latest: BTreeMap<String, Latest>,
    /// The last number that was published without a key.
    unkept: u64,
    /// The last number that was overwritten.
    overwritten: u64,
    /// The last number that was not kept when it was looked at.
    forgotten: u64,
    /// What was overwritten, but is saved for some members: numbers and times.
    saved: Vec<(u64, u64)>,
    /// The latest change of presence.
    presence: Option<u64>,
}

impl Keyed {
    fn values(&self) -> usize {
        self.latest.values().filter(|it| !it.removal).count()
    }

    /// The numbers after one, each with the time of its message, that are for who asks.
    pub(super) fn after(&self, after: Option<u64>, who: Identity) -> Waiting {
        let mut found: Vec<_> = self
            .latest
            .values()
            .filter(|it| match after {
                None => !it.removal,
                Some(after) => {
                    it.seq > after && !(who.session > 0 && it.origin.session == who.session)
                }
            })
            .filter(|it| {
                !it.origin
                    .not_for
                    .iter()
                    .flat_map(|list| list.iter())
                    .any(|&hash| hash == who.user)
            })
            .map(|it| (it.seq, it.time))
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .map(|(seq, time)| (seq, Some(time)))
            .collect()
    }

    /// Checks the first number from which on a room claims to have all that was not overwritten.
    pub(super) fn check_first(&mut self, first: u64, keys: usize) {
        let forgotten = first - 1;
        assert!(forgotten >= self.unkept, "K1: only what has a key is kept");
        if forgotten > self.forgotten.max(self.unkept) {
            let removals = self.latest.values().filter(|it| it.removal);
            let later = removals.filter(|it| it.seq > forgotten);
            assert!(
                later.count() >= keys,
                "K1: a removal was forgotten too soon"
            );
        }
        self.forgotten = forgotten;
    }
}

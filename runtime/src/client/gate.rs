//! A gate for tasks that wait for a condition on the client's state.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Waker};

use switchboard_core::Time;

#[derive(Default)]
pub(super) struct Gate {
    /// The condition may have changed.
    open: bool,
    next: u64,
    wakers: BTreeMap<u64, Waker>,
    /// Deadlines of the tasks that have one, with their keys.
    ends: BTreeSet<(Time, u64)>,
}

impl Gate {
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    /// Takes the wakers to wake if the gate is open, and closes it.
    pub(super) fn pass(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let waiting = if std::mem::take(&mut self.open) {
            self.ends.clear();
            std::mem::take(&mut self.wakers)
        } else {
            BTreeMap::new()
        };
        waiting.into_values()
    }

    /// Returns the earliest deadline of a waiting task.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.ends.first().map(|(at, _)| *at)
    }

    pub(super) fn register(
        &mut self,
        key: &mut Option<u64>,
        until: Time,
        context: &mut Context<'_>,
    ) {
        let key = *key.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(key, context.waker().clone());
        if until < Time::MAX {
            self.ends.insert((until, key));
        }
    }

    /// Removes a task. Returns its waker, to be dropped without the lock.
    pub(super) fn remove(&mut self, key: u64, until: Time) -> Option<Waker> {
        self.ends.remove(&(until, key));
        self.wakers.remove(&key)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty() && self.ends.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.wakers.len(), self.ends.len());
        self.wakers.len()
    }
}

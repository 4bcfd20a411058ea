//! A gate for tasks that wait for a condition on the client's state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use switchboard_core::Time;

use super::shared::{Locked, Shared};

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

    fn register(&mut self, key: &mut Option<u64>, until: Time, context: &mut Context<'_>) {
        let key = *key.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(key, context.waker().clone());
        if until < Time::MAX {
            self.ends.insert((until, key));
        }
    }
}

/// A task's place at the gate. Released when dropped.
pub(super) struct Place {
    shared: Arc<Shared>,
    key: Option<u64>,
    /// Time at which the condition is checked again in any case.
    until: Time,
}

impl Place {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self::until(shared, Time::MAX)
    }

    /// A place whose condition is checked once more at `until`.
    pub(super) fn until(shared: &Arc<Shared>, until: Time) -> Self {
        Self {
            shared: shared.clone(),
            key: None,
            until,
        }
    }

    /// Completes when `so` returns a value.
    pub(super) fn poll_until<T>(
        &mut self,
        context: &mut Context<'_>,
        so: impl FnOnce(&mut Locked, Time) -> Option<T>,
    ) -> Poll<T> {
        let Self { shared, key, until } = self;
        let (polled, sooner) = shared.by_driver(|locked, now| {
            if let Some(result) = so(locked, now) {
                return (Poll::Ready(result), false);
            }
            let before = locked.gate.next_deadline();
            locked.gate.register(key, *until, context);
            (Poll::Pending, locked.gate.next_deadline() != before)
        });
        // Only the driver has a timer.
        if sooner {
            shared.driver.wake();
        }
        polled
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        let waker = {
            let gate = &mut self.shared.lock().gate;
            gate.ends.remove(&(self.until, key));
            gate.wakers.remove(&key)
        };
        // Dropping the waker may drop a task, and with it a handle, which takes the lock.
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Options;

    #[test]
    fn who_waits_no_more_leaves_nothing_behind() {
        let shared = Arc::new(Shared::new(
            &Options::default(),
            1,
            String::new(),
            crate::machine::now,
        ));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let mut place = Place::until(&shared, Time::from_millis(60_000));
            for _ in 0..2 {
                let waits = place.poll_until(&mut context, |_, _| None::<()>);
                assert!(waits.is_pending());
                assert_eq!(shared.lock().gate.wakers.len(), 1);
                assert_eq!(shared.lock().gate.ends.len(), 1);
            }
        }
        assert!(shared.lock().gate.wakers.is_empty());
        assert!(shared.lock().gate.ends.is_empty());
    }
}

//! The place of a task that waits at the [gate](super::gate).

use std::sync::Arc;
use std::task::{Context, Poll};

use switchboard_core::Time;

use super::locked::Locked;
use super::shared::Shared;

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
        let waker = self.shared.lock().gate.remove(key, self.until);
        // Dropping the waker may drop a task, and with it a handle, which takes the lock.
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

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
                assert_eq!(shared.lock().gate.len(), 1);
            }
        }
        assert!(shared.lock().gate.is_empty());
    }
}

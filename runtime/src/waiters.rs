//! Tasks that wait for a condition of the whole hub.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::PoisonError;
use std::task::{Context, Waker};

use crate::shield::wake;
use crate::sync::{Mutex, MutexGuard};

/// The wakers of waiting tasks, each under its own number.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<Registered>);

#[derive(Default)]
struct Registered {
    last: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Creates a place for one waiter. Arming registers it, dropping deregisters it, so that a cancelled
    /// future leaves nothing behind.
    pub(crate) fn place<W: Deref<Target = Self>>(waiters: W) -> Place<W> {
        Place {
            waiters,
            number: None,
        }
    }

    /// Wakes all waiters.
    pub(crate) fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.lock().wakers);
        wakers.into_values().for_each(wake);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().wakers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiter's place.
pub(crate) struct Place<W: Deref<Target = Waiters>> {
    waiters: W,
    number: Option<u64>,
}

impl<W: Deref<Target = Waiters>> Place<W> {
    /// Registers the task's waker, in place of an earlier one.
    pub(crate) fn arm(&mut self, context: &Context<'_>) {
        let mut registered = self.waiters.lock();
        let number = *self.number.get_or_insert_with(|| {
            registered.last += 1;
            registered.last
        });
        let waker = registered.wakers.entry(number);
        waker
            .and_modify(|waker| waker.clone_from(context.waker()))
            .or_insert_with(|| context.waker().clone());
    }
}

impl<W: Deref<Target = Waiters>> Drop for Place<W> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            // Drop the waker outside the lock, since it is foreign code.
            let waker = self.waiters.lock().wakers.remove(&number);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::task::Wake;

    use super::*;
    use crate::schedules::explore::explore;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_waiter_is_woken_once_and_a_cancelled_one_leaves_nothing_behind() {
        explore("waiters", &[], || {
            let waiters = std::sync::Arc::new(Waiters::default());
            let count = std::sync::Arc::new(Count::default());
            let waker = Waker::from(count.clone());
            let context = Context::from_waker(&waker);
            let mut stays = Waiters::place(&*waiters);
            stays.arm(&context);
            stays.arm(&context);
            let others = waiters.clone();
            let cancelled = shuttle::thread::spawn(move || {
                let mut place = Waiters::place(&*others);
                for _ in 0..3 {
                    place.arm(&Context::from_waker(Waker::noop()));
                }
            });
            waiters.wake_all();
            cancelled.join().expect("it ran");
            assert_eq!((count.0.load(Relaxed), waiters.len()), (1, 0));
            stays.arm(&context);
            assert_eq!(waiters.len(), 1);
            drop(stays);
            assert_eq!(waiters.len(), 0);
        });
    }
}

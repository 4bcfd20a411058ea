//! What waits for busy hooks, over all connections.

use std::task::Context;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};
use crate::waiters::{Place, Waiters};

/// Counts the bytes that wait, and says when connections whose hooks are busy are not to be read.
///
/// It is full from its limit on until half of that is left, so that a message that is done does not
/// wake everybody for the room of one.
pub(crate) struct Backlog {
    limit: usize,
    bytes: Mutex<usize>,
    full: AtomicBool,
    waiters: Arc<Waiters>,
}

impl Backlog {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Mutex::new(0),
            full: AtomicBool::new(false),
            waiters: Arc::default(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Bytes wait from now on, until the guard is dropped.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        self.change(0, bytes);
        Held {
            backlog: self.clone(),
            bytes,
        }
    }

    /// Sees to it that the task is woken when it is not full any more; says whether it still is.
    pub(crate) fn await_room(
        &self,
        place: &mut Option<Place<Arc<Waiters>>>,
        context: &Context<'_>,
    ) -> bool {
        place
            .get_or_insert_with(|| Waiters::place(self.waiters.clone()))
            .arm(context);
        // It may have changed before the place was armed.
        self.is_full()
    }

    /// What took `from` bytes takes `to` now.
    pub(crate) fn change(&self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = bytes.saturating_add(to) - from;
        let was = self.full.load(Ordering::Relaxed);
        // Nobody else changes it: the lock is held.
        let full = *bytes >= self.limit || was && *bytes > self.limit / 2;
        if was != full {
            self.full.store(full, Ordering::Release);
        }
        drop(bytes);
        if was && !full {
            self.waiters.wake_all();
        }
    }
}

/// Bytes that wait.
pub(crate) struct Held {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.backlog.change(self.bytes, 0);
    }
}

//! Bounds the bytes that wait for busy hooks, over all connections.

use std::task::Context;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, PoisonError};
use crate::waiters::{Place, Waiters};

/// Counts the queued bytes, and decides when connections with busy hooks must not be read.
///
/// It becomes full at its limit and stays full until half of that is left, so that a single finished
/// message does not wake every waiting task.
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

    /// Adds bytes until the guard is dropped.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        self.change(0, bytes);
        Held {
            backlog: self.clone(),
            bytes,
        }
    }

    /// Registers the task to be woken when the backlog is no longer full. Returns whether it still is.
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

    /// Replaces `from` bytes by `to` bytes.
    pub(crate) fn change(&self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = bytes.saturating_add(to) - from;
        let was = self.full.load(Ordering::Relaxed);
        // Written only under the lock.
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

/// A guard for waiting bytes.
pub(crate) struct Held {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.backlog.change(self.bytes, 0);
    }
}

//! Whether the writers are so far behind that input and publishers wait.

use std::task::{Context, Waker};

use crate::shield::wake;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, PoisonError};
use crate::waiters::Waiters;

/// The core's verdict of its last call, and those that wait for a better one.
#[derive(Default)]
pub(crate) struct Congestion {
    congested: AtomicBool,
    /// Tasks that read again afterwards. They stay until the end: a task may register more than once.
    readers: Mutex<Vec<Waker>>,
    pub(crate) publishers: Waiters,
}

impl Congestion {
    /// Sets the verdict. To be called under the lock of the core. Returns whether the congestion has
    /// ended, so that [`wake_all`](Self::wake_all) must be called without it.
    pub(super) fn set(&self, congested: bool) -> bool {
        // Written only under the lock.
        let changed = self.congested.load(Ordering::Relaxed) != congested;
        if changed {
            self.congested.store(congested, Ordering::Release);
        }
        changed && !congested
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Acquire)
    }

    /// Whether reading must pause for backpressure. If so, the task is woken when it may go on.
    pub(crate) fn wait_to_read(&self, context: &Context<'_>) -> bool {
        if !self.is_congested() {
            return false;
        }
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.push(context.waker().clone());
        drop(readers);
        // The congestion may have ended before the waker was registered.
        if self.is_congested() {
            return true;
        }
        self.wake_all();
        false
    }

    pub(super) fn wake_all(&self) {
        let wakers = {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *readers)
        };
        wakers.into_iter().for_each(wake);
        self.publishers.wake_all();
    }
}

//! The orders that the adapter takes, outside the lock of the node.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use switchboard_core::cluster::Output;

use crate::shield::shielded;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Orders for the adapter, each with the number of the attempt to connect that it belongs to.
#[derive(Default)]
pub(crate) struct Port {
    orders: Mutex<VecDeque<(u64, Output)>>,
    waker: AtomicWaker,
}

impl Port {
    /// Takes the next order, or registers to be woken for one.
    #[cfg_attr(
        not(any(feature = "redis-tokio", feature = "redis-smol")),
        allow(dead_code, reason = "only an adapter calls it")
    )]
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<(u64, Output)> {
        self.waker.register(context.waker());
        let next = self.lock().pop_front();
        next.map_or(Poll::Pending, Poll::Ready)
    }

    pub(crate) fn wake(&self) {
        shielded(|| self.waker.wake());
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Output)>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Shields the driver from panics of foreign code outside the hooks: log subscribers, wakers, and
//! `on_notice`. Such a panic must not end an event loop or a drain.
//!
//! All logging goes through the macros of this module.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Calls `call` and discards a panic. It cannot be logged, since the log may be what panicked.
pub(crate) fn shielded(call: impl FnOnce()) {
    // The panic's payload may panic when dropped, so it is leaked.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        std::mem::forget(panic);
    }
}

/// Wakes a task of a foreign runtime.
pub(crate) fn wake(waker: Waker) {
    shielded(|| waker.wake());
}

macro_rules! error { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::error!($($line)*)) } }
macro_rules! warning { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::warn!($($line)*)) } }
macro_rules! info { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::info!($($line)*)) } }
macro_rules! debug { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::debug!($($line)*)) } }
macro_rules! trace { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::trace!($($line)*)) } }

pub(crate) use {debug, error, info, trace, warning as warn};

//! Calls of code that is not ours, outside the application's hooks: subscribers of the log, wakers,
//! `on_notice`. A panic in one of them ends nothing else, neither a loop nor a drain.
//!
//! The log is written through the macros of this module and no others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Calls it; a panic is dropped. It cannot be reported: what reports may be what panicked.
pub(crate) fn shielded(call: impl FnOnce()) {
    // What a panic carries may panic in turn when it is dropped.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        std::mem::forget(panic);
    }
}

/// Wakes a task of a runtime that is not ours.
pub(crate) fn wake(waker: Waker) {
    shielded(|| waker.wake());
}

macro_rules! error { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::error!($($line)*)) } }
macro_rules! warning { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::warn!($($line)*)) } }
macro_rules! info { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::info!($($line)*)) } }
macro_rules! debug { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::debug!($($line)*)) } }
macro_rules! trace { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::trace!($($line)*)) } }

pub(crate) use {debug, error, info, trace, warning as warn};

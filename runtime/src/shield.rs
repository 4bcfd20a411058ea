//! Shields the driver from panics of foreign code outside the hooks: log subscribers, wakers, and
//! `on_notice`. Such a panic must not end an event loop or a drain.
//!
//! All logging goes through the macros of this module.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use tracing::{Dispatch, Id, Span};

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

/// The span of a hook. Its subscriber may panic, as when it logs a line.
#[derive(Debug)]
pub(crate) struct HookSpan(Span);

/// Leaves the span when it is dropped, also by a panic of the hook.
struct Entered<'a>(&'a Span);

impl HookSpan {
    pub(crate) fn new(create: impl FnOnce() -> Span) -> Self {
        let mut span = Span::none();
        shielded(|| span = create());
        Self(span)
    }

    /// Calls `work` within the span.
    pub(crate) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        // In all but those programs whose log is that verbose.
        if self.0.is_disabled() {
            return work();
        }
        let enter = |(id, subscriber): (&Id, &Dispatch)| subscriber.enter(id);
        shielded(|| {
            self.0.with_subscriber(enter);
        });
        let _entered = Entered(&self.0);
        work()
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let exit = |(id, subscriber): (&Id, &Dispatch)| subscriber.exit(id);
        shielded(|| {
            self.0.with_subscriber(exit);
        });
    }
}

impl Drop for HookSpan {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.0, Span::none());
        shielded(|| drop(span));
    }
}

macro_rules! error { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::error!($($line)*)) } }
macro_rules! warning { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::warn!($($line)*)) } }
macro_rules! info { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::info!($($line)*)) } }
macro_rules! debug { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::debug!($($line)*)) } }
macro_rules! trace { ($($line:tt)*) => { $crate::shield::shielded(|| ::tracing::trace!($($line)*)) } }

pub(crate) use {debug, error, info, trace, warning as warn};

//! State that a task has only at times.

use super::calls::Hook;
use crate::node::{Arrival, Farewell, Held, Shared};

/// Bytes that were read and not used yet.
pub(super) struct Leftover {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
    _held: Held,
}

impl Leftover {
    pub(super) fn new(shared: &Shared, bytes: Vec<u8>) -> Self {
        let held = shared.backlog.hold(bytes.capacity());
        Self {
            bytes,
            at: 0,
            _held: held,
        }
    }
}

/// One pointer, and no heap memory while there is nothing. `T` is a timer.
pub(super) struct Cold<T>(Option<Box<Kept<T>>>);

struct Kept<T> {
    /// The part of the arrival that is still needed: the request, or the pages.
    arrival: Option<Arrival>,
    /// Bytes that were read and not used yet.
    leftover: Option<Leftover>,
    /// Present until the application has been notified of the end.
    farewell: Option<Farewell>,
    /// The hook that is pending.
    hook: Option<Hook<T>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            arrival: None,
            leftover: None,
            farewell: None,
            hook: None,
        }
    }
}

impl<T> Cold<T> {
    pub(super) fn new(arrival: Option<Arrival>, leftover: Option<Leftover>) -> Self {
        let some = arrival.is_some() || leftover.is_some();
        Self(some.then(|| {
            Box::new(Kept {
                arrival,
                leftover,
                ..Kept::default()
            })
        }))
    }

    /// Takes the arrival if `which` holds for it.
    pub(super) fn take_arrival(&mut self, which: impl FnOnce(&Arrival) -> bool) -> Option<Arrival> {
        let kept = self.0.as_mut()?;
        let taken = kept.arrival.take_if(|arrival| which(arrival));
        self.shrink();
        taken
    }

    pub(super) fn take_leftover(&mut self) -> Option<Leftover> {
        let taken = self.0.as_mut()?.leftover.take();
        self.shrink();
        taken
    }

    pub(super) fn set_leftover(&mut self, leftover: Leftover) {
        self.0.get_or_insert_default().leftover = Some(leftover);
    }

    pub(super) fn has_farewell(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.farewell.is_some())
    }

    pub(super) fn set_farewell(&mut self, farewell: Farewell) {
        self.0.get_or_insert_default().farewell = Some(farewell);
    }

    pub(super) fn take_farewell(&mut self) -> Option<Farewell> {
        let taken = self.0.as_mut()?.farewell.take();
        self.shrink();
        taken
    }

    pub(super) fn has_hook(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.hook.is_some())
    }

    pub(super) fn set_hook(&mut self, hook: Hook<T>) {
        self.0.get_or_insert_default().hook = Some(hook);
    }

    pub(super) fn hook(&mut self) -> Option<&mut Hook<T>> {
        self.0.as_mut()?.hook.as_mut()
    }

    pub(super) fn take_hook(&mut self) -> Option<Hook<T>> {
        let taken = self.0.as_mut()?.hook.take();
        self.shrink();
        taken
    }

    /// Frees the memory when nothing is left.
    fn shrink(&mut self) {
        let empty = self.0.as_ref().is_some_and(|kept| {
            kept.arrival.is_none()
                && kept.leftover.is_none()
                && kept.farewell.is_none()
                && kept.hook.is_none()
        });
        if empty {
            self.0 = None;
        }
    }
}

//! State that a task has only at times.

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

/// One pointer, and no heap memory while there is nothing.
#[derive(Default)]
pub(super) struct Cold(Option<Box<Kept>>);

#[derive(Default)]
struct Kept {
    /// The part of the arrival that is still needed: the request, or the pages.
    arrival: Option<Arrival>,
    /// Bytes that were read and not used yet.
    leftover: Option<Leftover>,
    /// Present until the application has been notified of the end.
    farewell: Option<Farewell>,
}

impl Cold {
    pub(super) fn new(arrival: Option<Arrival>, leftover: Option<Leftover>) -> Self {
        let some = arrival.is_some() || leftover.is_some();
        Self(some.then(|| {
            Box::new(Kept {
                arrival,
                leftover,
                farewell: None,
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

    /// Frees the memory when nothing is left.
    fn shrink(&mut self) {
        let empty = self.0.as_ref().is_some_and(|kept| {
            kept.arrival.is_none() && kept.leftover.is_none() && kept.farewell.is_none()
        });
        if empty {
            self.0 = None;
        }
    }
}

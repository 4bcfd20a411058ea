//! The inbox of an event loop: arrived connections and woken tasks.

use std::task::{Wake, Waker};

use crate::net::SocketToken;
use crate::shield::shielded;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};
use atomic_waker::AtomicWaker;

/// Capacity that an empty inbox keeps.
const KEPT: usize = 1_024;

/// The contents of an inbox.
pub(crate) struct Posted<A> {
    pub(crate) arrived: Vec<A>,
    pub(crate) woken: Vec<SocketToken>,
}

impl<A> Default for Posted<A> {
    fn default() -> Self {
        Self {
            arrived: Vec::new(),
            woken: Vec::new(),
        }
    }
}

impl<A> Posted<A> {
    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.woken.is_empty()
    }

    /// Empties it and releases excess capacity.
    pub(crate) fn clear(&mut self) {
        self.arrived.clear();
        self.arrived.shrink_to(KEPT);
        self.woken.clear();
        self.woken.shrink_to(KEPT);
    }
}

/// The inbox of an event loop, shared with other threads.
pub(crate) struct Inbox<A> {
    waker: AtomicWaker,
    /// The event loop needs no wake-up to write: it checks for writes at the end of its turn, or it is not
    /// running.
    at_turn: AtomicBool,
    /// The event loop has been spawned and not dropped.
    runs: AtomicBool,
    posted: Mutex<Posted<A>>,
}

impl<A> Default for Inbox<A> {
    fn default() -> Self {
        Self {
            waker: AtomicWaker::new(),
            at_turn: AtomicBool::new(true),
            runs: AtomicBool::new(false),
            posted: Mutex::new(Posted::default()),
        }
    }
}

impl<A> Inbox<A> {
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(crate) fn set_at_turn(&self, at_turn: bool) {
        self.at_turn.store(at_turn, Ordering::SeqCst);
    }

    pub(crate) fn is_at_turn(&self) -> bool {
        self.at_turn.load(Ordering::SeqCst)
    }

    pub(crate) fn runs(&self) -> bool {
        self.runs.load(Ordering::SeqCst)
    }

    /// Returns whether the value has changed.
    pub(crate) fn set_runs(&self, runs: bool) -> bool {
        self.runs.swap(runs, Ordering::SeqCst) != runs
    }

    /// Wakes the event loop.
    pub(crate) fn ring(&self) {
        shielded(|| self.waker.wake());
    }

    pub(crate) fn arrive(&self, arrived: A) {
        self.posted().arrived.push(arrived);
        self.ring();
    }

    /// Takes the connections that the event loop has not taken yet.
    pub(crate) fn take_arrived(&self) -> Vec<A> {
        std::mem::take(&mut self.posted().arrived)
    }

    pub(crate) fn wake(&self, token: SocketToken) {
        self.posted().woken.push(token);
        self.ring();
    }

    /// Takes the contents and leaves `empty` in their place.
    pub(crate) fn swap(&self, empty: &mut Posted<A>) {
        std::mem::swap(&mut *self.posted(), empty);
    }

    fn posted(&self) -> MutexGuard<'_, Posted<A>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one task of an event loop.
///
/// Separate from the connection, so that a leaked waker cannot keep the socket open.
pub(crate) struct TaskWaker<A> {
    inbox: Arc<Inbox<A>>,
    token: AtomicU64,
    /// The event loop has already been woken.
    rung: AtomicBool,
    /// What the task is to see when it is polled.
    pub(super) flags: AtomicU8,
}

impl<A> TaskWaker<A> {
    /// Creates a waker for a task without a place. The task is polled when it gets one.
    pub(crate) fn new(inbox: Arc<Inbox<A>>) -> Self {
        Self {
            inbox,
            token: AtomicU64::new(SocketToken::NOWHERE.to_bits()),
            rung: AtomicBool::new(false),
            flags: AtomicU8::new(0),
        }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox<A>> {
        &self.inbox
    }

    /// Assigns the waker to a task.
    pub(crate) fn assign(&self, token: SocketToken) {
        self.token.store(token.to_bits(), Ordering::Release);
    }

    /// Called before the task is polled: later wake-ups cause another poll.
    pub(crate) fn begin_poll(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let token = SocketToken::from_bits(self.token.load(Ordering::Acquire));
        if token != SocketToken::NOWHERE {
            self.inbox.wake(token);
        }
    }
}

impl<A: Send + 'static> Wake for TaskWaker<A> {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

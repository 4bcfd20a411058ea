//! What others leave for an event loop: connections that have come, tasks that have been woken.

use std::task::{Wake, Waker};

use crate::net::SocketToken;
use crate::shield::shielded;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};
use atomic_waker::AtomicWaker;

/// Entries for which room is kept when there are none.
const KEPT: usize = 1_024;

/// What waits for an event loop.
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

    /// Gives back what was needed at its longest.
    pub(crate) fn clear(&mut self) {
        self.arrived.clear();
        self.arrived.shrink_to(KEPT);
        self.woken.clear();
        self.woken.shrink_to(KEPT);
    }
}

/// Where everybody else leaves it.
pub(crate) struct Inbox<A> {
    waker: AtomicWaker,
    /// It need not be rung for something to write: the event loop looks for that at the end of its
    /// turn, or does not run.
    at_turn: AtomicBool,
    /// Its event loop has been spawned, and not dropped.
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

    /// Says whether this changes anything.
    pub(crate) fn set_runs(&self, runs: bool) -> bool {
        self.runs.swap(runs, Ordering::SeqCst) != runs
    }

    /// Makes the event loop take a turn.
    pub(crate) fn ring(&self) {
        shielded(|| self.waker.wake());
    }

    pub(crate) fn arrive(&self, arrived: A) {
        self.posted().arrived.push(arrived);
        self.ring();
    }

    /// Those whom no event loop has seen yet.
    pub(crate) fn take_arrived(&self) -> Vec<A> {
        std::mem::take(&mut self.posted().arrived)
    }

    pub(crate) fn wake(&self, token: SocketToken) {
        self.posted().woken.push(token);
        self.ring();
    }

    /// Takes all; `empty` is left in its place.
    pub(crate) fn swap(&self, empty: &mut Posted<A>) {
        std::mem::swap(&mut *self.posted(), empty);
    }

    fn posted(&self) -> MutexGuard<'_, Posted<A>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one task of an event loop.
///
/// It is no part of the connection: who keeps a waker for longer than he needs it keeps nothing
/// open.
pub(crate) struct TaskWaker<A> {
    inbox: Arc<Inbox<A>>,
    token: AtomicU64,
    /// The event loop has been told already.
    rung: AtomicBool,
}

impl<A> TaskWaker<A> {
    /// A bell of a task that has no place yet: it is polled when it gets one.
    pub(crate) fn new(inbox: Arc<Inbox<A>>) -> Self {
        Self {
            inbox,
            token: AtomicU64::new(SocketToken::NOWHERE.to_bits()),
            rung: AtomicBool::new(false),
        }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox<A>> {
        &self.inbox
    }

    /// Whose bell it is from now on.
    pub(crate) fn assign(&self, token: SocketToken) {
        self.token.store(token.to_bits(), Ordering::Release);
    }

    /// The task is about to be polled: who rings from now on is heard after that.
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

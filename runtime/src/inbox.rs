//! What others leave for an event loop: connections that have come, tasks that have been woken.

use std::net::IpAddr;
use std::task::{Wake, Waker};

use atomic_waker::AtomicWaker;
use switchboard_core::ConnectionId;

use crate::shield::shielded;
use crate::socket::Link;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::task::Arrival;

/// Entries for which room is kept when there are none.
const KEPT: usize = 1_024;

/// The place of a task in its event loop, and which of its inhabitants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketToken {
    pub(crate) place: u32,
    pub(crate) generation: u32,
}

impl SocketToken {
    /// No place yet.
    pub(crate) const NOWHERE: Self = Self {
        place: u32::MAX,
        generation: u32::MAX,
    };

    pub(crate) const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.place as u64
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self {
            place: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// A connection that its event loop has not seen yet.
pub(crate) struct Arrived {
    pub(crate) link: Arc<Link>,
    pub(crate) id: ConnectionId,
    pub(crate) peer: IpAddr,
    pub(crate) arrival: Arrival,
    /// Bytes that were read from it before.
    pub(crate) early: Vec<u8>,
}

/// What waits for an event loop.
#[derive(Default)]
pub(crate) struct Posted {
    pub(crate) arrived: Vec<Arrived>,
    pub(crate) woken: Vec<SocketToken>,
}

impl Posted {
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
pub(crate) struct Inbox {
    waker: AtomicWaker,
    /// It need not be rung for something to write: the event loop looks for that at the end of its
    /// turn, or does not run.
    at_turn: AtomicBool,
    /// Its event loop has been spawned, and not dropped.
    runs: AtomicBool,
    posted: Mutex<Posted>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            waker: AtomicWaker::new(),
            at_turn: AtomicBool::new(true),
            runs: AtomicBool::new(false),
            posted: Mutex::default(),
        }
    }
}

impl Inbox {
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

    pub(crate) fn arrive(&self, arrived: Arrived) {
        self.posted().arrived.push(arrived);
        self.ring();
    }

    /// Those whom no event loop has seen yet.
    pub(crate) fn take_arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.posted().arrived)
    }

    pub(crate) fn wake(&self, token: SocketToken) {
        self.posted().woken.push(token);
        self.ring();
    }

    /// Takes all; `empty` is left in its place.
    pub(crate) fn swap(&self, empty: &mut Posted) {
        std::mem::swap(&mut *self.posted(), empty);
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one task of an event loop.
///
/// It is no part of the connection: who keeps a waker for longer than he needs it keeps nothing
/// open.
pub(crate) struct TaskWaker {
    inbox: Arc<Inbox>,
    token: AtomicU64,
    /// The event loop has been told already.
    rung: AtomicBool,
}

impl TaskWaker {
    /// A bell of a task that has no place yet: it is polled when it gets one.
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            inbox,
            token: AtomicU64::new(SocketToken::NOWHERE.to_bits()),
            rung: AtomicBool::new(false),
        }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
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

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

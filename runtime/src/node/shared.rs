//! The core behind its lock, and the effects of each call.

use std::cell::Cell;
use std::task::Context;
use std::time::Instant;

use atomic_waker::AtomicWaker;
use switchboard_core::{
    Config, ConnectionId, DrainReport, Event, HandshakeConfig, Notice, Switchboard, Time, Wire,
};

use super::backlog::Backlog;
use super::clock::Clock;
use super::congestion::Congestion;
use super::link::{Farewells, Inbox, Posted};
use super::locked::Locked;
use super::port::Port;
use crate::shield::shielded;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, thread_local};
use crate::waiters::Waiters;

/// State shared by the handles, tasks and event loops of one hub.
pub(crate) struct Shared {
    this: Weak<Self>,
    locked: Mutex<Locked>,
    pub(crate) config: Config,
    /// Tells the application what happened on the node.
    pub(super) on_notice: Box<dyn Fn(&Notice) + Send + Sync>,
    /// The handshake configuration, without and with pages.
    handshakes: [Arc<HandshakeConfig>; 2],
    pub(crate) clock: Clock,
    /// The ticker's next deadline, in nanoseconds.
    alarm: AtomicU64,
    pub(crate) ticker: AtomicWaker,
    /// The ticker is running.
    ticks: AtomicBool,
    /// One per event loop.
    inboxes: OnceLock<Box<[Arc<Inbox>]>>,
    /// Number of connections assigned to event loops so far.
    assigned: AtomicUsize,
    /// There may be something to write.
    to_write: AtomicBool,
    /// Whether a connection can inflate messages, as of the last call of the core.
    inflating: AtomicBool,
    pub(crate) congestion: Congestion,
    /// Bytes that wait for busy hooks.
    pub(crate) backlog: Arc<Backlog>,
    drained: OnceLock<DrainReport>,
    pub(crate) drain_waiters: Waiters,
    closed: AtomicBool,
    /// Orders for the adapter of a cluster.
    pub(crate) port: Port,
}

thread_local! {
    /// Address of the hub whose event loop takes a turn on this thread, or 0.
    static TURN: Cell<usize> = const { Cell::new(0) };
}

/// A guard for a spawned task. Dropped when it ends or its runtime drops it.
pub(crate) struct Running {
    shared: Arc<Shared>,
    /// `None` for the ticker.
    inbox: Option<Arc<Inbox>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(inbox) = &self.inbox {
            inbox.set_runs(false);
            self.shared.discard_inbox(inbox);
        } else {
            self.shared.ticks.store(false, Ordering::SeqCst);
        }
    }
}

/// A turn of an event loop; see [`Shared::begin_turn`].
pub(crate) struct TurnGuard(usize);

impl Drop for TurnGuard {
    fn drop(&mut self) {
        TURN.with(|turn| turn.set(self.0));
    }
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        switchboard: Switchboard,
        on_notice: Box<dyn Fn(&Notice) + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            locked: Mutex::new(Locked::new(switchboard)),
            handshakes: [false, true].map(|pages| {
                Arc::new(HandshakeConfig {
                    endpoint: config.endpoint.clone(),
                    pages,
                    json: config.wire == Wire::Json,
                    compression: config.compression.is_some(),
                    room_contexts: config.compression.is_some_and(|it| it.room_contexts > 0),
                    sse: config.sse.clone(),
                    name_bytes: config.limits.name_bytes,
                    tokens: config.tokens.clone(),
                })
            }),
            backlog: Arc::new(Backlog::new(config.limits.unfinished_bytes)),
            config,
            on_notice,
            clock: Clock::default(),
            alarm: AtomicU64::new(u64::MAX),
            ticker: AtomicWaker::new(),
            ticks: AtomicBool::new(false),
            inboxes: OnceLock::new(),
            assigned: AtomicUsize::new(0),
            to_write: AtomicBool::new(false),
            inflating: AtomicBool::new(false),
            congestion: Congestion::default(),
            drained: OnceLock::new(),
            drain_waiters: Waiters::default(),
            closed: AtomicBool::new(false),
            port: Port::default(),
        })
    }

    /// Returns the handshake configuration.
    pub(crate) fn handshake(&self, pages: bool) -> Arc<HandshakeConfig> {
        self.handshakes[usize::from(pages)].clone()
    }

    /// Shuts the node down, when the last handle has been dropped.
    pub(crate) fn shut_down(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            while self.with(|locked, now| locked.switchboard.shut_down_part(now)) {}
            self.wake_ticker();
            self.port.wake();
            for inbox in self.inboxes.get().into_iter().flatten() {
                // Its event loop may have ended; arrivals left there would form a reference cycle.
                drop(inbox.take_arrived());
                inbox.ring();
            }
        }
    }

    fn wake_ticker(&self) {
        shielded(|| self.ticker.wake());
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.clock.instant(time)
    }

    /// Calls the core under the lock, then carries out the effects without it.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Locked, Time) -> T) -> T {
        let mut effects = Vec::new();
        let (result, waits, alarm, relieved, orders) = {
            let mut locked = self.lock();
            let now = self.now();
            let result = call(&mut locked, now);
            locked.exchange(now);
            locked.collect(now, &self.this, &mut effects);
            let orders = locked.take_orders(&self.port, &mut effects);
            let waits = locked.switchboard.wants_write();
            let relieved = self.congestion.set(locked.switchboard.is_congested());
            let inflating = locked.switchboard.has_inflating();
            if self.has_inflating() != inflating {
                self.inflating.store(inflating, Ordering::Relaxed);
            }
            let alarm = self.earlier_alarm(&locked);
            (result, waits, alarm, relieved, orders)
        };
        let notices = self.perform(effects);
        if alarm {
            self.wake_ticker();
        }
        if orders {
            self.port.wake();
        }
        if waits {
            // The loop that clears this flag locks the core afterwards, and so finds the data.
            if !self.to_write.load(Ordering::SeqCst) {
                self.to_write.store(true, Ordering::SeqCst);
            }
            if !self.is_at_own_turn() {
                self.ring_for_writing(None);
            }
        }
        if relieved {
            self.congestion.wake_all();
        }
        self.report(&notices);
        result
    }

    /// Reads what the lock protects without changing it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Locked) -> T) -> T {
        look(&self.lock())
    }

    /// Reads the core without changing it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Switchboard) -> T) -> T {
        look(&self.lock().switchboard)
    }

    /// Records the next deadline. Returns whether it is earlier than the ticker's alarm.
    fn earlier_alarm(&self, locked: &Locked) -> bool {
        let next = locked.next_deadline().map_or(u64::MAX, Time::as_nanos);
        next < self.alarm.load(Ordering::Relaxed) && {
            self.alarm.store(next, Ordering::Relaxed);
            true
        }
    }

    /// Records and returns the next deadline, for the ticker to sleep until.
    pub(crate) fn set_alarm(&self) -> Option<Time> {
        let locked = self.lock();
        let next = locked.next_deadline();
        self.alarm
            .store(next.map_or(u64::MAX, Time::as_nanos), Ordering::Relaxed);
        next
    }

    pub(crate) fn alarm(&self) -> Option<Time> {
        match self.alarm.load(Ordering::Relaxed) {
            u64::MAX => None,
            nanos => Some(Time::from_nanos(nanos)),
        }
    }

    /// Whether the ticker and all event loops are running.
    pub(crate) fn runs(&self) -> bool {
        let all = |inboxes: &[Arc<Inbox>]| inboxes.iter().all(|inbox| inbox.runs());
        self.ticks.load(Ordering::SeqCst) && self.inboxes.get().is_some_and(|found| all(found))
    }

    /// Returns guards for what must be spawned: the ticker and the event loops that are not running. There
    /// are `count` event loops if these are the first. All count as running until their guards are dropped.
    pub(crate) fn start(
        self: &Arc<Self>,
        count: usize,
    ) -> (Option<Running>, Vec<(usize, Running)>) {
        let running = |inbox| Running {
            shared: self.clone(),
            inbox,
        };
        let ticker = (!self.ticks.swap(true, Ordering::SeqCst)).then(|| running(None));
        let inboxes = self
            .inboxes
            .get_or_init(|| (0..count).map(|_| Arc::default()).collect());
        let loops = inboxes.iter().enumerate();
        let loops = loops
            .filter(|(_, inbox)| inbox.set_runs(true))
            .map(|(index, inbox)| (index, running(Some(inbox.clone()))))
            .collect();
        (ticker, loops)
    }

    pub(crate) fn inbox(&self, index: usize) -> Option<&Arc<Inbox>> {
        self.inboxes.get()?.get(index)
    }

    /// Picks the event loop of the next connection, round-robin among those that are running.
    pub(crate) fn next_event_loop(&self) -> Option<&Arc<Inbox>> {
        let inboxes = self.inboxes.get()?;
        let next = self.assigned.fetch_add(1, Ordering::Relaxed) % inboxes.len();
        let (before, from) = inboxes.split_at(next);
        from.iter().chain(before).find(|inbox| inbox.runs())
    }

    /// Resets the connections in the inbox of an event loop that has ended.
    pub(crate) fn discard_inbox(&self, inbox: &Inbox) {
        let mut posted = Posted::default();
        inbox.swap(&mut posted);
        for arrived in posted.arrived {
            self.reset(arrived.id);
        }
    }

    /// Wakes an event loop to write. Picks one that is not at its turn, so that a slow hook does not delay
    /// the write; if all are at their turns, each checks for writes at the end of it.
    pub(crate) fn ring_for_writing(&self, except: Option<usize>) {
        let inboxes = self.inboxes.get().into_iter().flatten().enumerate();
        let mut free =
            inboxes.filter(|(index, inbox)| Some(*index) != except && !inbox.is_at_turn());
        if let Some((_, inbox)) = free.next() {
            inbox.ring();
        }
    }

    /// Marks an event loop of this hub as taking its turn on this thread, until the guard is dropped.
    /// Writes that become due during the turn need no wake-up, since the turn ends with writing.
    pub(crate) fn begin_turn(&self) -> TurnGuard {
        TurnGuard(TURN.with(|turn| turn.replace(self.address())))
    }

    fn is_at_own_turn(&self) -> bool {
        TURN.with(|turn| turn.get() == self.address())
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Clears and returns the flag that there may be something to write.
    pub(crate) fn take_to_write(&self) -> bool {
        self.to_write.swap(false, Ordering::SeqCst)
    }

    /// Passes an event of a connection's stream to the core.
    pub(crate) fn event(&self, id: ConnectionId, event: Event<'_>) {
        // A stale id means that the connection is gone; its task is about to be notified.
        let _ = self.with(|locked, now| locked.switchboard.handle(now, id, event));
    }

    /// Resets a connection that cannot be served.
    pub(crate) fn reset(&self, id: ConnectionId) {
        self.event(id, Event::Reset);
    }

    /// Whether reading must pause for backpressure. If so, the task is woken when it may go on.
    pub(crate) fn wait_while_congested(&self, context: &Context<'_>) -> bool {
        self.congestion.wait_to_read(context)
    }

    /// Returns whether it is of use to compress messages.
    pub(crate) fn has_inflating(&self) -> bool {
        self.inflating.load(Ordering::Relaxed)
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.congestion.is_congested()
    }

    /// Returns the report of the drain, once it has ended.
    pub(crate) fn drained(&self) -> Option<DrainReport> {
        self.drained.get().copied()
    }

    pub(crate) fn set_drained(&self, report: DrainReport) {
        let _ = self.drained.set(report);
        self.drain_waiters.wake_all();
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        // The core is not expected to panic. If it does, keep serving the other connections.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Farewells for Shared {
    fn farewell_said(&self) {
        self.with(|locked, now| locked.switchboard.disconnect_hook_done(now));
    }
}

//! The task of one connection: reads input, calls the application, waits for writability.
//!
//! An idle task owns no buffer: all tasks of a thread share a read buffer, and only bytes that cannot be
//! used at once are copied.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use switchboard_core::session::{Reply, Session, Step, Turn};
use switchboard_core::{ConnectionId, Event, ReadMode};

use super::Host;
use super::calls::{Begun, Hook, begin, panic_message};
use super::locking::Locking;
use super::writer::flush_now;
use crate::net::{AnySocket, NoSocket, Socket};
use crate::node::{Arrival, Arrived, BLOCKED, CHANGED, End, Farewell, Held, Link, Shared};
use crate::runtime::Runtime;
use crate::shield::{error, shielded};
use crate::sync::Arc;

/// Size of a read.
const SCRATCH: usize = 64 << 10;
/// Size of a read while the backlog of hooks is full: the first message may make a hook busy, and the
/// rest of the buffer must then be kept.
const SMALL: usize = 4 << 10;
/// Number of reads before other tasks get a turn.
const READS: usize = 8;

thread_local! {
    /// The read buffer shared by all connections of a thread.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that were read and not used yet.
struct Leftover {
    bytes: Vec<u8>,
    at: usize,
    _held: Held,
}

impl Leftover {
    fn new(shared: &Shared, bytes: Vec<u8>) -> Self {
        let held = shared.backlog.hold(bytes.capacity());
        Self {
            bytes,
            at: 0,
            _held: held,
        }
    }
}

/// The task of one connection.
pub(crate) struct Task<R: Runtime> {
    host: Arc<Host>,
    link: Arc<Link>,
    session: Session,
    hook: Option<Box<Hook<R::Timer>>>,
    /// The part of the arrival that is still needed: the request, or the pages.
    arrival: Option<Box<Arrival>>,
    leftover: Option<Box<Leftover>>,
    /// Present until the application has been told of the end.
    farewell: Option<Farewell>,
    blocked: bool,
    /// The socket has been dropped.
    hung_up: bool,
    /// The read side has ended, and the session has been told.
    ended: bool,
}

impl<R: Runtime> Task<R> {
    pub(crate) fn new(host: Arc<Host>, arrived: Arrived) -> Self {
        let shared = host.shared();
        // There is one per connection.
        const { assert!(size_of::<Self>() <= 160) };
        let Arrived {
            link,
            id,
            peer,
            arrival,
            early,
        } = arrived;
        let leftover = (!early.is_empty()).then(|| Box::new(Leftover::new(shared, early)));
        let (session, arrival) = match arrival {
            Arrival::Fresh(None) => (Session::new(id, peer, shared.handshake(false)), None),
            Arrival::Fresh(pages) => {
                let session = Session::new(id, peer, shared.handshake(true));
                (session, Some(Box::new(Arrival::Fresh(pages))))
            }
            upgraded @ Arrival::Upgraded(_) => {
                (Session::upgraded(id, peer), Some(Box::new(upgraded)))
            }
        };
        Self {
            host,
            link,
            session,
            hook: None,
            arrival,
            leftover,
            farewell: None,
            blocked: false,
            hung_up: false,
            ended: false,
        }
    }

    /// Makes progress. Completes when the connection is gone and `on_disconnect` has returned.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.apply_signals();
        self.link.socket.drive_writes(context);
        self.ask_writable(context);
        let first = self.begin_upgraded();
        self.run(context, first);
        if !self.session.is_gone() {
            self.read(context);
            let paused = self.session.is_paused();
            self.run(context, None);
            // A hook that has begun since has its own place among those that wait.
            if paused && !self.must_wait(context) {
                // There is room again, and nothing else would wake this task.
                context.waker().wake_by_ref();
            }
        }
        if !self.session.is_gone() {
            return Poll::Pending;
        }
        if self.session.is_idle() {
            return Poll::Ready(());
        }
        self.hang_up();
        Poll::Pending
    }

    fn ask_writable(&mut self, context: &mut Context<'_>) {
        if !self.blocked {
            return;
        }
        let event = match self.link.socket.poll_writable(context) {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => Event::Writable,
            Poll::Ready(Err(_)) => Event::Reset,
        };
        self.blocked = false;
        self.event(event);
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.session.id()
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Whether the task waits for its socket to become writable.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn event(&self, event: Event<'_>) {
        self.host.shared().event(self.id(), event);
    }

    /// Handles the signals of other threads.
    fn apply_signals(&mut self) {
        let flags = self.link.take_flags();
        if flags == 0 {
            return;
        }
        self.blocked |= flags & BLOCKED != 0;
        if flags & CHANGED != 0 {
            self.update();
        }
        self.drop_abandoned_hook();
    }

    /// Passes the connection's state in the core to the session.
    fn update(&mut self) {
        let shared = self.host.shared();
        // The end is stored under the lock, so it cannot come between the two.
        let (mode, end) = shared.read(|switchboard| {
            let mode = switchboard.read_mode(self.session.id()).ok();
            (mode, self.link.take_end())
        });
        let ended = end.map(|end| {
            let End { ended, farewell } = *end;
            self.farewell = Some(farewell);
            ended
        });
        let has_ended = ended.is_some();
        let mut node = Locking::new(shared, &self.link);
        self.session.update(&mut node, mode, ended);
        if has_ended && self.hook.is_some() && !self.session.is_calling() {
            error!(conn = %self.id(), peer = %self.link.peer(), "a hook timed out");
        }
    }

    /// Carries out a step and those that follow from it, until a hook is pending.
    fn run(&mut self, context: &mut Context<'_>, mut step: Option<Step>) {
        loop {
            if let Some(now) = step.take() {
                step = self.carry_out(context, now);
            } else if self.hook.is_some() {
                match self.poll_hook(context) {
                    Poll::Ready(next) => step = next,
                    Poll::Pending => return,
                }
            } else {
                let mut node = Locking::new(self.host.shared(), &self.link);
                step = self.session.next(&mut node);
                if step.is_none() {
                    if self.farewell.is_some() && self.session.is_idle() {
                        self.farewell = None;
                    }
                    return;
                }
            }
            self.apply_signals();
        }
    }

    /// Hands in the request that the application has already answered, once.
    fn begin_upgraded(&mut self) -> Option<Step> {
        let upgraded = |arrival: &mut Box<Arrival>| matches!(**arrival, Arrival::Upgraded(_));
        let Arrival::Upgraded(request) = *self.arrival.take_if(upgraded)? else {
            return None;
        };
        let mut node = Locking::new(self.host.shared(), &self.link);
        self.session.begin(&mut node, *request)
    }

    /// Carries out one step. Returns the one that follows from it.
    fn carry_out(&mut self, context: &mut Context<'_>, step: Step) -> Option<Step> {
        let reply = self.begin(context, step)?;
        let mut node = Locking::new(self.host.shared(), &self.link);
        self.session.reply(&mut node, reply)
    }

    /// Begins a step. Returns the application's reply if that is ready at once.
    fn begin(&mut self, context: &mut Context<'_>, step: Step) -> Option<Reply> {
        let call = match step {
            Step::Call(call) => call,
            Step::Flush => {
                flush_now(self.host.shared());
                return None;
            }
        };
        let pages = match self.arrival.take().map(|arrival| *arrival) {
            Some(Arrival::Fresh(pages)) => pages,
            _ => None,
        };
        match begin(&self.host, &self.session, pages, context, call) {
            Begun::Ready(reply) => return Some(reply),
            Begun::Pending(future) => self.hook = Some(Box::new(Hook::new(future))),
            Begun::Panicked(panic) => {
                let mut node = Locking::new(self.host.shared(), &self.link);
                self.session.failed(&mut node);
                self.log_panic(&*panic);
            }
        }
        None
    }

    /// Polls the running hook. Completes with the following step when the hook is over.
    fn poll_hook(&mut self, context: &mut Context<'_>) -> Poll<Option<Step>> {
        let Some(hook) = &mut self.hook else {
            return Poll::Ready(None);
        };
        let polled = catch_unwind(AssertUnwindSafe(|| hook.future.as_mut().poll(context)));
        let mut node = Locking::new(self.host.shared(), &self.link);
        match polled {
            Ok(Poll::Ready(reply)) => {
                self.hook = None;
                Poll::Ready(self.session.reply(&mut node, reply))
            }
            Ok(Poll::Pending) => {
                let Some(at) = self.session.pending(&mut node) else {
                    return Poll::Pending;
                };
                if hook
                    .poll_until(self.host.shared().instant(at), context)
                    .is_pending()
                {
                    return Poll::Pending;
                }
                self.session.time_out(&mut node);
                if !self.session.is_calling() {
                    self.drop_hook();
                    error!(conn = %self.id(), peer = %self.link.peer(), "a hook timed out");
                }
                Poll::Ready(None)
            }
            Err(panic) => {
                self.hook = None;
                self.session.failed(&mut node);
                self.log_panic(&*panic);
                Poll::Ready(None)
            }
        }
    }

    /// Drops a hook whose result is no longer needed.
    fn drop_abandoned_hook(&mut self) {
        if self.hook.is_some() && !self.session.is_calling() {
            self.drop_hook();
        }
    }

    /// Drops the hook. A panic of its destructor counts as the hook's, and must not be the task's.
    fn drop_hook(&mut self) {
        let hook = self.hook.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(hook))) {
            self.log_panic(&*panic);
        }
    }

    fn log_panic(&self, panic: &(dyn Any + Send)) {
        error!(
            conn = %self.id(),
            peer = %self.link.peer(),
            panic = panic_message(panic),
            "a hook panicked"
        );
    }

    /// Drops the socket while `on_disconnect` is still to be called: a connection that no longer counts
    /// against a limit must not keep a socket open.
    fn hang_up(&mut self) {
        if !std::mem::replace(&mut self.hung_up, true) {
            self.blocked = false;
            self.leftover = None;
            let inbox = self.link.task_waker.inbox().clone();
            let none = Arc::new(Link::new(AnySocket::new(NoSocket), self.link.peer(), inbox));
            let link = std::mem::replace(&mut self.link, none);
            // The stream may be foreign code, and its panic must not prevent the hook.
            shielded(|| drop(link));
        }
    }

    /// Reads what is available, up to the limits of a turn.
    fn read(&mut self, context: &mut Context<'_>) {
        let mut turn = Turn::default();
        for _ in 0..READS {
            if !self.may_read(context) {
                return;
            }
            if let Some(mut leftover) = self.leftover.take() {
                let used = self.receive(context, &mut leftover.bytes[leftover.at..], &mut turn);
                leftover.at += used;
                if leftover.at < leftover.bytes.len() && !self.session.is_gone() {
                    self.leftover = Some(leftover);
                }
            } else if !self.read_once(context, &mut turn) {
                return;
            }
            self.apply_signals();
            if turn.is_over() {
                break;
            }
        }
        context.waker().wake_by_ref();
    }

    fn may_read(&mut self, context: &Context<'_>) -> bool {
        if self.host.shared().config.limits.pause_reading.is_some() {
            self.update();
        }
        if self.session.is_gone() || self.ended {
            return false;
        }
        match self.session.mode() {
            ReadMode::Wait => false,
            ReadMode::Frames => {
                !self.must_wait(context) && !self.host.shared().wait_while_congested(context)
            }
            ReadMode::Head | ReadMode::Discard => true,
        }
    }

    /// Whether too much waits for hooks. If so, the task is woken when it may read again.
    fn must_wait(&mut self, context: &Context<'_>) -> bool {
        let mut node = Locking::new(self.host.shared(), &self.link);
        if !self.session.is_full(&mut node) {
            return false;
        }
        // If it waits for its own hook, that wakes it.
        if !self.session.backlog_is_full()
            && let Some(hook) = &mut self.hook
            && !self
                .host
                .shared()
                .backlog
                .await_room(&mut hook.place, context)
        {
            return self.session.is_full(&mut node);
        }
        true
    }

    /// Reads once. Returns whether to read again.
    fn read_once(&mut self, context: &mut Context<'_>, turn: &mut Turn) -> bool {
        let mut buffer = BUFFER.take();
        buffer.resize(SCRATCH, 0);
        let most = if self.host.shared().backlog.is_full() {
            SMALL
        } else {
            SCRATCH
        };
        let polled = self.link.socket.poll_read(context, &mut buffer[..most]);
        let more = match polled {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) => {
                self.ended = true;
                let mut node = Locking::new(self.host.shared(), &self.link);
                let step = self.session.end_of_input(&mut node);
                self.run(context, step);
                false
            }
            Poll::Ready(Ok(bytes)) => {
                let used = self.receive(context, &mut buffer[..bytes], turn);
                if used < bytes && !self.session.is_gone() {
                    let bytes = buffer[used..bytes].to_vec();
                    self.leftover = Some(Box::new(Leftover::new(self.host.shared(), bytes)));
                }
                true
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => true,
            Poll::Ready(Err(_)) => {
                self.ended = true;
                self.event(Event::Reset);
                false
            }
        };
        BUFFER.set(buffer);
        if !more {
            self.apply_signals();
        }
        more
    }

    /// Passes bytes to the session and carries out the steps. Returns the number of bytes used.
    fn receive(&mut self, context: &mut Context<'_>, bytes: &mut [u8], turn: &mut Turn) -> usize {
        let (mut used, mut reply) = (0, None);
        loop {
            let mut node = Locking::new(self.host.shared(), &self.link);
            let rest = &mut bytes[used..];
            let received = match reply.take() {
                Some(reply) => self.session.reply_and_receive(&mut node, reply, rest, turn),
                None => self.session.receive(&mut node, rest, turn),
            };
            used += received.used;
            let Some(step) = received.step else {
                return used;
            };
            if used == bytes.len() {
                self.run(context, Some(step));
                return used;
            }
            reply = self.begin(context, step);
            if reply.is_none() {
                self.apply_signals();
                self.run(context, None);
                if self.session.is_gone() {
                    return used;
                }
            }
        }
    }
}

impl<R: Runtime> Drop for Task<R> {
    fn drop(&mut self) {
        self.host
            .shared()
            .backlog
            .change(self.session.backlog_bytes(), 0);
    }
}

//! An event loop: owns one thread's share of the connections, reads their input, then writes output.
//!
//! ```text
//!   turn:  inbox ─▶ tasks ──▶ sockets with input ──▶ tasks ──▶ write to some ──▶ next turn
//!            ▲                      ▲                              │
//!     accept, signals,        the reactor, where               nothing was
//!     wakers of hooks        there was nothing ◀──────────────── to do
//! ```
//! All available input is read before anything is written, so that messages that arrive together leave
//! together. At most one batch is written between two polls of the sockets, so that a large room does
//! not starve reading.

use std::future::poll_fn;
use std::hint::black_box;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;

use super::Host;
use super::task::Task;
use super::writer::{Writer, Written};
use crate::listen::Listen;
use crate::net::{Readiness, SocketToken, Sockets};
use crate::node::{Arrived, Inbox, Posted, Shared, TaskWaker};
use crate::runtime::Timer;
use crate::shield::{error, warn};
use crate::sync::Arc;

/// Turns after which the loop yields to everything else in the runtime.
const TURNS: u32 = 32;
/// The number of tasks whose first words are read together before each is polled, so that their cache
/// misses overlap.
const PREFETCH: usize = 16;
/// Pause before retrying to create the set of sockets.
const REST: Duration = Duration::from_millis(50);

/// A task and its state in the loop.
struct Hosted<R: Listen> {
    task: Task<R>,
    /// Its waker, as long as a clone of it exists.
    task_waker: Option<Arc<TaskWaker>>,
}

/// The outcome of a turn.
enum Turn {
    /// There was something to do, and there may be more.
    Busy,
    /// The loop has ended.
    Over,
}

struct EventLoop<R: Listen> {
    host: Arc<Host>,
    inbox: Arc<Inbox>,
    sockets: R::Sockets,
    hosted: Slab<Hosted<R>>,
    /// The latest generation, which distinguishes successive tasks in the same place.
    generation: u32,
    posted: Posted,
    ready: Vec<(SocketToken, Readiness)>,
    writer: Writer,
    /// A waker for the next task that is polled. Most tasks do not keep theirs.
    spare: Option<Arc<TaskWaker>>,
    /// The last turn left something to read or to write.
    busy: bool,
    /// Turns since the last yield to the runtime.
    turns: u32,
}

/// Runs until the hub has shut down and the last connection has gone.
pub(crate) async fn run<R: Listen>(host: Arc<Host>, index: usize) {
    let shared = host.shared().clone();
    let Some(inbox) = shared.inbox(index).cloned() else {
        return;
    };
    let Some(sockets) = open::<R>(&shared, &inbox).await else {
        return;
    };
    let mut event_loop = EventLoop::<R> {
        inbox,
        spare: None,
        sockets,
        hosted: Slab::new(),
        generation: 0,
        posted: Posted::default(),
        ready: Vec::new(),
        writer: Writer::new(Some(index)),
        busy: false,
        turns: 0,
        host,
    };
    while let Turn::Busy = poll_fn(|context| event_loop.poll_turn(context)).await {
        event_loop.turns += 1;
        if event_loop.turns == TURNS {
            event_loop.turns = 0;
            R::yield_now().await;
        } else {
            pass_on().await;
        }
    }
}

/// Creates the set of sockets, and retries while file descriptors are exhausted. Returns `None` when the
/// hub has shut down.
async fn open<R: Listen>(shared: &Shared, inbox: &Inbox) -> Option<R::Sockets> {
    while !shared.is_closed() {
        let error = match R::sockets() {
            Ok(sockets) => return Some(sockets),
            Err(error) => error,
        };
        // No loop can serve these; reset them, which may also free descriptors.
        for arrived in inbox.take_arrived() {
            shared.reset(arrived.id);
        }
        warn!(%error, "failed to watch sockets");
        let mut rest = R::Timer::new(R::Timer::now() + REST);
        poll_fn(|context| rest.poll(context)).await;
    }
    None
}

/// Yields to the other tasks of this thread.
async fn pass_on() {
    let mut passed = false;
    poll_fn(|context| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<R: Listen> EventLoop<R> {
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        let shared = self.host.shared().clone();
        let _turn = shared.begin_turn();
        self.inbox.set_at_turn(true);
        self.inbox.register(context.waker());
        let posted = self.take_posted();
        // A busy loop looks at its sockets without registering for a wake-up, so it takes another turn.
        let unheard = self.busy;
        let input = self.look(context);
        // Writes that come up from here on need a wake-up.
        self.inbox.set_at_turn(false);
        let output = self.writer.write_batch(&shared);
        self.busy = input == Look::Partial || output == Written::Partly;
        if posted || unheard || input != Look::Nothing || output != Written::Nothing {
            return Poll::Ready(Turn::Busy);
        }
        if shared.is_closed() && self.hosted.is_empty() {
            return Poll::Ready(Turn::Over);
        }
        self.turns = 0;
        Poll::Pending
    }

    /// Handles the inbox. Returns whether there was anything.
    fn take_posted(&mut self) -> bool {
        let mut posted = std::mem::take(&mut self.posted);
        self.inbox.swap(&mut posted);
        let found = !posted.is_empty();
        for arrived in posted.arrived.drain(..) {
            self.host(arrived);
        }
        for token in posted.woken.drain(..) {
            self.poll_task(token);
        }
        posted.clear();
        self.posted = posted;
        found
    }

    fn host(&mut self, arrived: Arrived) {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.hosted.vacant_entry();
        let token = SocketToken {
            place: entry.key() as u32,
            generation: self.generation,
        };
        let (id, link) = (arrived.id, arrived.link.clone());
        entry.insert(Hosted {
            task: Task::new(self.host.clone(), arrived, self.generation),
            task_waker: None,
        });
        if let Err(error) = self.sockets.add(&link.socket, token) {
            self.host.shared().reset(id);
            let peer = link.peer();
            warn!(conn = %id, %peer, %error, "failed to watch a socket");
        }
        link.task_waker.assign(token);
        self.poll_task(token);
    }

    /// Polls the sockets for input and runs their tasks. Registers for a wake-up unless the last turn left
    /// something to do.
    fn look(&mut self, context: &mut Context<'_>) -> Look {
        let mut ready = std::mem::take(&mut self.ready);
        let looked = if self.busy {
            self.sockets.look(&mut ready)
        } else {
            self.wait(context, &mut ready)
        };
        let looked = match looked {
            Ok(true) => Look::Partial,
            Ok(false) if ready.is_empty() => Look::Nothing,
            Ok(false) => Look::Whole,
            Err(error) => {
                error!(%error, "failed to poll sockets");
                Look::Nothing
            }
        };
        for next in ready.chunks(PREFETCH) {
            let found = next
                .iter()
                .filter_map(|(token, _)| self.hosted.get(token.place as usize));
            black_box(found.fold(0, |words, hosted| words ^ hosted.task.fetch()));
            for &(token, readiness) in next {
                if let Some(hosted) = self.hosted.get(token.place as usize)
                    && hosted.task.generation == token.generation
                {
                    hosted.task.link().socket.note(readiness);
                    self.poll_task(token);
                }
            }
        }
        ready.clear();
        self.ready = ready;
        looked
    }

    fn wait(
        &mut self,
        context: &mut Context<'_>,
        ready: &mut Vec<(SocketToken, Readiness)>,
    ) -> io::Result<bool> {
        loop {
            match self.sockets.poll_look(context, ready) {
                Poll::Pending => return Ok(false),
                // A wake-up for readiness that was seen already.
                Poll::Ready(Ok(false)) if ready.is_empty() => {}
                Poll::Ready(looked) => return looked,
            }
        }
    }

    fn poll_task(&mut self, token: SocketToken) {
        let Some(hosted) = self.hosted.get_mut(token.place as usize) else {
            return;
        };
        if hosted.task.generation != token.generation {
            return;
        }
        let task_waker = hosted.task_waker.take().or_else(|| self.spare.take());
        let task_waker = task_waker.unwrap_or_else(|| Arc::new(TaskWaker::new(self.inbox.clone())));
        task_waker.assign(token);
        task_waker.begin_poll();
        hosted.task.link().task_waker.begin_poll();
        let waker = Waker::from(task_waker.clone());
        let mut context = Context::from_waker(&waker);
        // Panics of hooks are caught where they are called. Any other panic must end this connection only.
        let polled = catch_unwind(AssertUnwindSafe(|| hosted.task.poll(&mut context)));
        drop(waker);
        if Arc::strong_count(&task_waker) > 1 {
            hosted.task_waker = Some(task_waker);
        } else {
            self.spare = Some(task_waker);
        }
        match polled {
            Ok(Poll::Pending) if hosted.task.is_blocked() => self.watch_writes(token),
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => self.remove_task(token),
            Err(_) => {
                let (id, who) = (hosted.task.id(), hosted.task.log_fields());
                self.host.shared().reset(id);
                self.remove_task(token);
                error!(conn = %id, peer = %who.peer, user = who.user(), "a task panicked");
            }
        }
    }

    fn watch_writes(&mut self, token: SocketToken) {
        let Some(hosted) = self.hosted.get_mut(token.place as usize) else {
            return;
        };
        if std::mem::replace(&mut hosted.task.watches_writes, true) {
            return;
        }
        let link = hosted.task.link();
        if let Err(error) = self.sockets.watch_writes(&link.socket, token) {
            let (id, who) = (hosted.task.id(), hosted.task.log_fields());
            self.host.shared().reset(id);
            let (peer, user) = (who.peer, who.user());
            warn!(conn = %id, %peer, user, %error, "failed to watch a socket");
        }
    }

    fn remove_task(&mut self, token: SocketToken) {
        let hosted = self.hosted.remove(token.place as usize);
        if catch_unwind(AssertUnwindSafe(|| drop(hosted))).is_err() {
            error!("a task panicked while being dropped");
        }
        if self.hosted.is_empty() {
            self.hosted.shrink_to_fit();
        }
    }
}

impl<R: Listen> Drop for EventLoop<R> {
    /// The runtime may end before the hub. Tasks are dropped one by one, so that a panic of one hook does
    /// not affect the others, and their connections are reset.
    fn drop(&mut self) {
        self.inbox.set_at_turn(true);
        for hosted in self.hosted.drain() {
            let id = hosted.task.id();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(hosted)));
            self.host.shared().reset(id);
        }
    }
}

/// The outcome of polling the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Nothing,
    /// All ready sockets were seen.
    Whole,
    /// There may be more.
    Partial,
}

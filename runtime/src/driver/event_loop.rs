//! One thread's share of the connections: reads what has come, then writes what waits.
//!
//! ```text
//!   turn:  mail ──▶ tasks ──▶ sockets with input ──▶ tasks ──▶ write to some ──▶ next turn
//!            ▲                      ▲                              │
//!     accept, signals,        the reactor, where               nothing was
//!     wakers of hooks        there was nothing ◀──────────────── to do
//! ```
//! All that is there is read before anything is written, so that what comes at the same time goes
//! out together; and no more than a turn of writing lies between two looks at the sockets, so that
//! reading is not starved by a large room.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;

use super::Host;
use super::task::Task;
use super::writer::{Writer, Written};
use crate::net::{Readiness, SocketToken, Sockets};
use crate::node::{Arrived, Inbox, Posted, Shared, TaskWaker};
use crate::runtime::{Runtime, Timer};
use crate::shield::{error, warn};
use crate::sync::Arc;

/// Turns after which the runtime is let look at everything that is not a connection of ours.
const TURNS: u32 = 32;
/// How long to wait before sockets can be watched after all.
const REST: Duration = Duration::from_millis(50);

/// A task at its place.
struct Hosted<R: Runtime> {
    task: Task<R>,
    generation: u32,
    /// Its socket is watched for taking bytes again.
    watches_writes: bool,
    /// Its waker, while somebody keeps it.
    task_waker: Option<Arc<TaskWaker>>,
}

/// What a turn has shown.
enum Turn {
    /// There was something to do, and there may be more.
    Busy,
    /// There is nothing left, and nothing will come.
    Over,
}

struct EventLoop<R: Runtime> {
    host: Arc<Host>,
    inbox: Arc<Inbox>,
    sockets: R::Sockets,
    hosted: Slab<Hosted<R>>,
    /// The latest of the names that are given to those who have had the same place.
    generation: u32,
    posted: Posted,
    ready: Vec<(SocketToken, Readiness)>,
    writer: Writer,
    /// For the next task that is polled: most keep no waker.
    spare: Option<Arc<TaskWaker>>,
    /// The last turn has left something to read or to write.
    busy: bool,
    /// Turns since the runtime has looked at everything else.
    turns: u32,
}

/// Runs until the hub is no more and its last connection has gone.
pub(crate) async fn run<R: Runtime>(host: Arc<Host>, index: usize) {
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

/// What sockets are watched with; it takes a file descriptor, which there may not be just now.
/// `None`: the hub is no more.
async fn open<R: Runtime>(shared: &Shared, inbox: &Inbox) -> Option<R::Sockets> {
    while !shared.is_closed() {
        let error = match R::sockets() {
            Ok(sockets) => return Some(sockets),
            Err(error) => error,
        };
        // Nobody serves those who have come; and theirs may be the descriptors that are missing.
        for arrived in inbox.take_arrived() {
            shared.reset(arrived.id);
        }
        warn!(%error, "cannot watch sockets");
        let mut rest = R::Timer::new(R::Timer::now() + REST);
        poll_fn(|context| rest.poll(context)).await;
    }
    None
}

/// Lets the other tasks of this thread run.
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

impl<R: Runtime> EventLoop<R> {
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        let shared = self.host.shared().clone();
        let _turn = shared.begin_turn();
        self.inbox.set_at_turn(true);
        self.inbox.register(context.waker());
        let posted = self.take_posted();
        // Who does not wait for the sockets is not told of them: not before the last turn.
        let unheard = self.busy;
        let input = self.look(context);
        // Who has something to write from now on has to say so.
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

    /// Does what others have left to do; says whether there was anything.
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
            task: Task::new(self.host.clone(), arrived),
            generation: self.generation,
            watches_writes: false,
            task_waker: None,
        });
        if let Err(error) = self.sockets.add(&link.socket, token) {
            self.host.shared().reset(id);
            warn!(conn = %id, peer = %link.peer(), %error, "cannot watch a socket");
        }
        link.task_waker.assign(token);
        self.poll_task(token);
    }

    /// Looks at the sockets, and lets their tasks read. Where the last turn has left nothing open,
    /// it waits to be told that there is something to see.
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
                error!(%error, "cannot look at sockets");
                Look::Nothing
            }
        };
        for (token, readiness) in ready.drain(..) {
            if let Some(hosted) = self.hosted.get(token.place as usize)
                && hosted.generation == token.generation
            {
                hosted.task.link().socket.note(readiness);
                self.poll_task(token);
            }
        }
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
                // It was about what has been seen already.
                Poll::Ready(Ok(false)) if ready.is_empty() => {}
                Poll::Ready(looked) => return looked,
            }
        }
    }

    fn poll_task(&mut self, token: SocketToken) {
        let Some(hosted) = self.hosted.get_mut(token.place as usize) else {
            return;
        };
        if hosted.generation != token.generation {
            return;
        }
        let task_waker = hosted.task_waker.take().or_else(|| self.spare.take());
        let task_waker = task_waker.unwrap_or_else(|| Arc::new(TaskWaker::new(self.inbox.clone())));
        task_waker.assign(token);
        task_waker.begin_poll();
        hosted.task.link().task_waker.begin_poll();
        let waker = Waker::from(task_waker.clone());
        let mut context = Context::from_waker(&waker);
        // The panics of the application are caught where it is called. Should there be another, it
        // costs this connection, and not everybody in this loop.
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
                let (id, peer) = (hosted.task.id(), hosted.task.link().peer());
                self.host.shared().reset(id);
                self.remove_task(token);
                error!(conn = %id, %peer, "a task panicked");
            }
        }
    }

    fn watch_writes(&mut self, token: SocketToken) {
        let Some(hosted) = self.hosted.get_mut(token.place as usize) else {
            return;
        };
        if std::mem::replace(&mut hosted.watches_writes, true) {
            return;
        }
        let link = hosted.task.link();
        if let Err(error) = self.sockets.watch_writes(&link.socket, token) {
            let (id, peer) = (hosted.task.id(), link.peer());
            self.host.shared().reset(id);
            warn!(conn = %id, %peer, %error, "cannot watch a socket");
        }
    }

    fn remove_task(&mut self, token: SocketToken) {
        let hosted = self.hosted.remove(token.place as usize);
        if catch_unwind(AssertUnwindSafe(|| drop(hosted))).is_err() {
            error!("a task panicked when it was dropped");
        }
        if self.hosted.is_empty() {
            self.hosted.shrink_to_fit();
        }
    }
}

impl<R: Runtime> Drop for EventLoop<R> {
    /// The runtime may end before the hub. What the hooks hold is dropped one by one, so that a panic
    /// of one is not that of all; and nobody reads these connections any more.
    fn drop(&mut self) {
        self.inbox.set_at_turn(true);
        for hosted in self.hosted.drain() {
            let id = hosted.task.id();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(hosted)));
            self.host.shared().reset(id);
        }
    }
}

/// What a look at the sockets has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Nothing,
    /// All that there was.
    Whole,
    /// There may be more.
    Partial,
}

//! An in-memory connection. The direction to the client buffers a limited number of bytes, and a write
//! may be partial. Detects concurrent writers, and counts how often the server drops its end.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Mutex as Unseen;
use std::task::{Context, Poll, Waker};

use shuttle::current::{self, TaskId};
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::sync::{Condvar, Mutex};

use super::explore::probe;
use super::machine::draw;
use crate::net::Socket;

pub(super) struct Pipe {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    writing: AtomicBool,
    /// The server task that reads it.
    home: Unseen<Option<TaskId>>,
    /// Violations, recorded where a panic would be caught.
    wrong: Unseen<Vec<&'static str>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) to_server: VecDeque<u8>,
    pub(super) to_client: VecDeque<u8>,
    pub(super) window: usize,
    /// The client has ended its sending side.
    pub(super) client_ended: bool,
    /// The client has dropped its end.
    pub(super) client_gone: bool,
    pub(super) reset: bool,
    /// The server has ended its sending side.
    pub(super) server_ended: bool,
    /// How often the server has dropped its end.
    pub(super) server_drops: usize,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl State {
    /// Takes the wakers of the server's tasks, to be woken without the lock.
    pub(super) fn wakers(&mut self) -> Vec<Waker> {
        self.reader
            .take()
            .into_iter()
            .chain(self.writer.take())
            .collect()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let there = self.to_server.len().min(buffer.len());
        if there == 0 {
            return if self.client_ended {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        let taken = part_of(there);
        for (to, byte) in buffer.iter_mut().zip(self.to_server.drain(..taken)) {
            *to = byte;
        }
        Ok(taken)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reset || self.client_gone {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.server_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let fits = (self.window - self.to_client.len()).min(bytes.len());
        if fits == 0 {
            probe("a socket was full");
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = part_of(fits);
        if taken < bytes.len() {
            probe("a write took a part");
        }
        self.to_client.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn is_writable(&self) -> bool {
        self.to_client.len() < self.window || self.reset || self.client_gone
    }
}

/// Returns all of `bytes` most of the time, otherwise a random part.
fn part_of(bytes: usize) -> usize {
    if draw(4) == 0 { 1 + draw(bytes) } else { bytes }
}

impl Pipe {
    pub(super) fn new(window: usize) -> Arc<Self> {
        let state = State {
            window,
            ..State::default()
        };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            writing: AtomicBool::new(false),
            home: Unseen::new(None),
            wrong: Unseen::new(Vec::new()),
        })
    }

    /// Checks that the server has dropped its end once, without a violation.
    pub(super) fn check(&self) {
        let wrong = self.wrong.lock().expect("unseen");
        assert!(wrong.is_empty(), "{wrong:?}");
        let drops = self.state.lock().expect("no panic").server_drops;
        assert_eq!(drops, 1, "the socket is dropped once");
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.state.lock().expect("no panic").server_drops > 0
    }

    /// Calls `act` as the only writer, and records a violation if there is another.
    pub(super) fn as_writer<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        if self.writing.swap(true, Ordering::SeqCst) {
            self.wrong
                .lock()
                .expect("unseen")
                .push("two writers at once");
        }
        let mut state = self.state.lock().expect("no panic");
        let result = act(&mut state);
        drop(state);
        self.changed.notify_all();
        self.writing.store(false, Ordering::SeqCst);
        result
    }

    fn remove_task(&self) {
        let home = *self.home.lock().expect("unseen");
        if home.is_some_and(|home| home != current::me()) {
            probe("a writer let go last");
        }
        let mut state = self.state.lock().expect("no panic");
        state.server_drops += 1;
        state.server_ended = true;
        drop(state);
        self.changed.notify_all();
    }
}

/// The server's end.
pub(super) struct ServerEnd(Arc<Pipe>);

impl ServerEnd {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self(pipe)
    }

    pub(super) fn try_read(
        &self,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        *self.0.home.lock().expect("unseen") = Some(current::me());
        let mut state = self.0.state.lock().expect("no panic");
        match state.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    pub(super) fn end(&self) {
        // This may cut off a concurrent write to a connection that is gone.
        self.0.state.lock().expect("no panic").server_ended = true;
        self.0.changed.notify_all();
    }

    /// Writes. If the buffer is full, registers the waker in the same step.
    pub(super) fn write_or_wait(
        &self,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_writer(|state| match state.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.writer = Some(context.waker().clone());
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
    }
}

impl Socket for ServerEnd {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.try_read(context, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_writer(|state| state.write(bytes))
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state.lock().expect("no panic");
        if state.is_writable() {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.end();
        Ok(())
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.remove_task();
    }
}

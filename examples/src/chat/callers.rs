//! The callers of the API at one time. Once there are as many as may be, the one that has taken longest to
//! say what it wants makes room for the next: clients that say nothing keep nobody else out.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Connections at the same time, each of which has a thread.
const MOST: usize = 64;

#[derive(Default)]
pub(super) struct Callers {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    count: usize,
    /// The number of the next one.
    next: u64,
    /// Those that may be cut off, the one that has waited longest first.
    idle: VecDeque<(u64, TcpStream)>,
}

/// The place of one connection, which is free when this is dropped.
pub(super) struct Seat {
    callers: Arc<Callers>,
    number: u64,
    /// The connection, while it must not be cut off.
    kept: Option<TcpStream>,
}

impl Callers {
    /// Takes a seat for a connection, of which this is a copy. Waits until one is free.
    pub(super) fn enter(self: &Arc<Self>, stream: TcpStream) -> Seat {
        let mut state = self.lock();
        while state.count >= MOST {
            if let Some((_, longest)) = state.idle.pop_front() {
                // Its thread reads the end of it.
                let _ = longest.shutdown(Shutdown::Both);
            }
            let woken = self.ended.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        state.count += 1;
        state.next += 1;
        let number = state.next;
        state.idle.push_back((number, stream));
        Seat {
            callers: self.clone(),
            number,
            kept: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Keeps the connection from being cut off.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted` if it was cut off already.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let stream = self.take().ok_or(ErrorKind::ConnectionAborted)?;
        self.kept = Some(stream);
        Ok(())
    }

    /// Lets the connection be cut off again.
    pub(super) fn release(&mut self) {
        if let Some(stream) = self.kept.take() {
            self.callers.lock().idle.push_back((self.number, stream));
        }
    }

    fn take(&self) -> Option<TcpStream> {
        let mut state = self.callers.lock();
        let at = state.idle.iter().position(|it| it.0 == self.number)?;
        state.idle.remove(at).map(|it| it.1)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.take());
        self.callers.lock().count -= 1;
        self.callers.ended.notify_one();
    }
}

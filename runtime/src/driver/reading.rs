//! Reads the input of a connection into its session.

use std::cell::Cell;
use std::io;
use std::task::{Context, Poll};

use switchboard_core::session::Turn;
use switchboard_core::{Event, ReadMode};

use super::cold::Leftover;
use super::locking::Locking;
use super::task::Task;
use crate::listen::Listen;
use crate::net::Socket;

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

impl<R: Listen> Task<R> {
    /// Reads what is available, up to the limits of a turn.
    pub(super) fn read(&mut self, context: &mut Context<'_>) {
        let mut turn = Turn::default();
        for _ in 0..READS {
            if !self.may_read(context) {
                return;
            }
            if let Some(mut leftover) = self.cold.take_leftover() {
                let used = self.receive(context, &mut leftover.bytes[leftover.at..], &mut turn);
                leftover.at += used;
                if leftover.at < leftover.bytes.len() && !self.session.is_gone() {
                    self.cold.set_leftover(leftover);
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
    pub(super) fn must_wait(&mut self, context: &Context<'_>) -> bool {
        let mut node = Locking::new(self.host.shared(), &self.link);
        if !self.session.is_full(&mut node) {
            return false;
        }
        // If it waits for its own hook, that wakes it.
        if !self.session.backlog_is_full()
            && let Some(hook) = self.cold.hook()
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
                    let leftover = Leftover::new(self.host.shared(), bytes);
                    self.cold.set_leftover(leftover);
                }
                true
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => true,
            Poll::Ready(Err(error)) => {
                self.ended = true;
                let timed_out = error.kind() == io::ErrorKind::TimedOut;
                self.event(if timed_out {
                    Event::TimedOut
                } else {
                    Event::Reset
                });
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

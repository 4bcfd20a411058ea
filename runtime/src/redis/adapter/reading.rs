//! The second connection, for commands with long answers.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use switchboard_core::cluster::{Command, Done};

use super::connection::Connection;
use super::dial::Dialer;
use super::problem::Problem;
use super::reach::Reach;
use super::value::{to_done, to_request};
use crate::runtime::{BoxFuture, Timer};
use crate::sync::Arc;

/// Opened when it is needed, and kept for a while after.
pub(super) struct Reading<R: Reach> {
    dialer: Arc<Dialer>,
    /// What is to be read; the first is being read where there is a connection.
    waiting: VecDeque<(u64, Command)>,
    state: State,
    /// Ends a state that lasts too long.
    timer: Option<R::Timer>,
}

enum State {
    Closed,
    Dialing(BoxFuture<Result<Connection, Problem>>),
    Asking(Connection, BoxFuture<Option<Done>>),
    Idle(Connection),
}

impl<R: Reach> Reading<R> {
    pub(super) fn new(dialer: Arc<Dialer>) -> Self {
        Self {
            dialer,
            waiting: VecDeque::new(),
            state: State::Closed,
            timer: None,
        }
    }

    pub(super) fn read(&mut self, number: u64, command: Command) {
        self.waiting.push_back((number, command));
    }

    /// Drops the connection, and pending reads.
    pub(super) fn close(&mut self) {
        self.waiting.clear();
        self.enter(State::Closed);
    }

    /// Reads and writes. Returns what a command came to.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Option<(u64, Option<Done>)> {
        loop {
            let next = match std::mem::replace(&mut self.state, State::Closed) {
                State::Closed if self.waiting.is_empty() => return None,
                State::Closed => State::Dialing(self.dial()),
                State::Dialing(mut dialing) => match dialing.as_mut().poll(context) {
                    Poll::Ready(Ok(connection)) => State::Idle(connection),
                    // The state machine's own connection meets the same problem and logs it.
                    Poll::Ready(Err(_)) => return self.give_up(),
                    Poll::Pending => return self.wait(context, State::Dialing(dialing)),
                },
                State::Idle(connection) if !self.waiting.is_empty() => self.ask(connection),
                State::Idle(mut connection) => {
                    if !connection.poll(context) {
                        return None;
                    }
                    return self.wait(context, State::Idle(connection));
                }
                State::Asking(mut connection, mut answer) => {
                    let mut polled = answer.as_mut().poll(context);
                    if polled.is_pending() {
                        connection.poll(context);
                        polled = answer.as_mut().poll(context);
                    }
                    match polled {
                        Poll::Pending => {
                            return self.wait(context, State::Asking(connection, answer));
                        }
                        Poll::Ready(None) => return self.give_up(),
                        Poll::Ready(done) => {
                            connection.inbound.meter.understood();
                            self.enter(State::Idle(connection));
                            return self.waiting.pop_front().map(|(number, _)| (number, done));
                        }
                    }
                }
            };
            self.enter(next);
        }
    }

    fn dial(&self) -> BoxFuture<Result<Connection, Problem>> {
        let dialing = self.dialer.clone().dial::<R>();
        Box::pin(async move { dialing.await.map(|(connection, _)| connection) })
    }

    fn ask(&self, connection: Connection) -> State {
        let Some((_, command)) = self.waiting.front().cloned() else {
            return State::Idle(connection);
        };
        let mut request = redis::pipe();
        request.add_command(to_request(&self.dialer.names, &command));
        let answer = connection.send(request, 1);
        let answer = Box::pin(async move {
            let value = answer.await.ok()?.into_iter().next()?;
            Some(to_done(&command, value).0)
        });
        State::Asking(connection, answer)
    }

    fn enter(&mut self, state: State) {
        let config = &self.dialer.config;
        let most = match &state {
            State::Closed => None,
            State::Dialing(_) | State::Asking(..) => Some(config.read_timeout),
            State::Idle(_) => Some(config.read_idle),
        };
        self.timer = most.map(|most| R::Timer::new(R::Timer::now() + most));
        self.state = state;
    }

    /// Stays in a state, unless it has lasted too long.
    fn wait(&mut self, context: &mut Context<'_>, state: State) -> Option<(u64, Option<Done>)> {
        let timer = self.timer.as_mut();
        if timer.is_some_and(|timer| timer.poll(context).is_ready()) {
            return self.give_up();
        }
        self.state = state;
        None
    }

    /// Drops the connection. What it was asked last is not answered.
    fn give_up(&mut self) -> Option<(u64, Option<Done>)> {
        self.enter(State::Closed);
        self.waiting.pop_front().map(|(number, _)| (number, None))
    }
}

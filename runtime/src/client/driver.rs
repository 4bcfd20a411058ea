//! The task of one client: carries out what the state machine decides.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use futures_sink::Sink;
use switchboard_core::client::{Input, status_code};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use super::dial::{Dial, Dialed, target};
use super::farewell;
use super::locked::Todo;
use super::options::Options;
use super::shared::{EndGuard, Shared};
use super::tokens::Tokens;
use crate::runtime::{BoxFuture, Timer};
use crate::shield::debug;

/// Rounds, each of at most one message in and out, before yielding.
const ROUNDS: usize = 32;
/// Sleep time without a deadline.
const IDLE: Duration = Duration::from_secs(3_600);

struct Driver<R: Dial> {
    shared: Arc<Shared>,
    executor: R::Executor,
    url: String,
    options: Options,
    tokens: Tokens<R::Timer>,
    link: Link<R>,
    timer: R::Timer,
    set: Instant,
}

enum Link<R: Dial> {
    None,
    Dialing {
        generation: u64,
        socket: BoxFuture<Result<R::WebSocket, Error>>,
    },
    Open {
        generation: u64,
        socket: R::WebSocket,
        flushed: bool,
        /// The socket accepts no more writes. Reading continues, for a Close frame that may have arrived
        /// before the end.
        broken: bool,
    },
}

/// Runs until the last handle is dropped.
pub(super) async fn drive<R: Dial>(
    end: EndGuard,
    executor: R::Executor,
    url: String,
    options: Options,
) {
    let set = R::Timer::now() + IDLE;
    let tokens = Tokens::new(&options);
    let mut driver = Driver::<R> {
        shared: end.0.clone(),
        executor,
        url,
        options,
        tokens,
        link: Link::None,
        timer: R::Timer::new(set),
        set,
    };
    poll_fn(|context| driver.poll(context)).await;
}

impl<R: Dial> Driver<R> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.driver.register(context.waker());
        for _ in 0..ROUNDS {
            let worked = self.work()
                | self.poll_token(context)
                | self.poll_link(context)
                | self.poll_timer(context);
            if worked {
                continue;
            }
            return if self.shared.lock().closed {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Carries out the next queued decision. Returns whether there was one.
    fn work(&mut self) -> bool {
        let (todo, generation, states) = {
            let mut locked = self.shared.lock();
            let todo = locked.todo.pop_front();
            locked.working = todo.is_some();
            (todo, locked.generation, locked.states)
        };
        match todo {
            None => return false,
            Some(Todo::Dial(session, since)) => self.dial(generation, &session, since.as_deref()),
            Some(Todo::Close(reason, rest)) => {
                let close = CloseFrame {
                    code: 1000.into(),
                    reason: reason.into(),
                };
                self.close(rest, Some(close));
            }
            Some(Todo::GetToken(reason)) => self.tokens.ask(reason, states),
            Some(Todo::ForgetToken) => self.tokens.forget(),
        }
        // `Closing` waits for this work, and there may be no socket whose end would open the gate.
        self.shared.by_driver(|locked, _| {
            locked.working = false;
            if locked.is_quiet() {
                locked.gate.open();
            }
        });
        true
    }

    fn dial(&mut self, generation: u64, session: &str, since: Option<&str>) {
        let token = self.shared.lock().token.clone();
        let dialed = Dialed {
            token: token.as_deref(),
            session,
            since,
        };
        self.link = match target(&self.url, dialed, &self.options) {
            Ok(target) => Link::Dialing {
                generation,
                socket: Box::pin(R::dial(target)),
            },
            Err(bad) => {
                let reason = &bad.to_string();
                let closed = Input::Closed { code: 1006, reason };
                self.shared.handle_of(generation, closed);
                return;
            }
        };
    }

    fn poll_token(&mut self, context: &mut Context<'_>) -> bool {
        let Some((states, answer)) = self.tokens.poll(context) else {
            return false;
        };
        self.shared.handle_token(states, answer);
        true
    }

    fn poll_link(&mut self, context: &mut Context<'_>) -> bool {
        match &mut self.link {
            Link::None => false,
            Link::Dialing { generation, socket } => {
                let generation = *generation;
                let Poll::Ready(dialled) = socket.as_mut().poll(context) else {
                    return false;
                };
                self.dialled(generation, dialled);
                true
            }
            Link::Open { .. } => self.write(context) | self.read(context),
        }
    }

    fn dialled(&mut self, generation: u64, dialled: Result<R::WebSocket, Error>) {
        match dialled {
            Ok(socket) => {
                self.shared.handle_of(generation, Input::Opened);
                self.link = Link::Open {
                    generation,
                    socket,
                    flushed: true,
                    broken: false,
                };
            }
            Err(error) => {
                self.link = Link::None;
                let (code, reason) = match &error {
                    Error::Http(answer) => status_code(answer.status().as_u16()),
                    _ => (1006, ""),
                };
                let words = error.to_string();
                debug!(error = words, "connection attempt failed");
                let reason = if code == 1006 { &words } else { reason };
                self.shared
                    .handle_of(generation, Input::Closed { code, reason });
            }
        }
    }

    /// Writes as much as the socket accepts.
    fn write(&mut self, context: &mut Context<'_>) -> bool {
        let Link::Open {
            generation,
            socket,
            flushed,
            broken,
        } = &mut self.link
        else {
            return false;
        };
        let generation = *generation;
        if *broken {
            // Discard the outbox, so that no publisher waits for it.
            self.shared
                .by_driver(|locked, _| while locked.next_to_write(generation).is_some() {});
            return false;
        }
        let mut socket = Pin::new(socket);
        let mut worked = false;
        let written = loop {
            match socket.as_mut().poll_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Err(error),
                Poll::Pending => break Ok(()),
            }
            let next = self
                .shared
                .by_driver(|locked, _| locked.next_to_write(generation));
            let Some(text) = next else {
                break Ok(());
            };
            (worked, *flushed) = (true, false);
            if let Err(error) = socket.as_mut().start_send(Message::text(text)) {
                break Err(error);
            }
        };
        let written = written.and_then(|()| {
            if !*flushed && let Poll::Ready(done) = socket.poll_flush(context) {
                done?;
                *flushed = true;
            }
            Ok(())
        });
        if let Err(error) = written {
            debug!(%error, "write failed");
            *broken = true;
            return true;
        }
        worked
    }

    /// Reads one message.
    fn read(&mut self, context: &mut Context<'_>) -> bool {
        let Link::Open {
            generation, socket, ..
        } = &mut self.link
        else {
            return false;
        };
        let generation = *generation;
        // Replies need room in the outbox.
        if self.shared.lock().is_clogged() {
            return false;
        }
        let Poll::Ready(message) = Pin::new(socket).poll_next(context) else {
            return false;
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                let text = text.as_str();
                self.shared.handle_of(generation, Input::Message { text });
            }
            Some(Ok(Message::Binary(_))) => {
                self.shared
                    .handle_of(generation, Input::Message { text: "" });
            }
            Some(Ok(Message::Close(frame))) => {
                let frame = frame.as_ref();
                let code = frame.map_or(1005, |frame| frame.code.into());
                let reason = frame.map_or("", |frame| frame.reason.as_str());
                self.shared
                    .handle_of(generation, Input::Closed { code, reason });
                // tungstenite answers the Close frame by itself.
                self.close(VecDeque::new(), None);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => self.failed(&error),
            None => self.failed(&Error::ConnectionClosed),
        }
        true
    }

    /// Drops the socket after a read error. On a protocol violation the server gets a Close frame with the
    /// code.
    fn failed(&mut self, error: &Error) {
        let (code, reason) = match error {
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                (None, "")
            }
            Error::Protocol(_) | Error::AttackAttempt => (Some(1002), "protocol_error"),
            Error::Utf8(_) => (Some(1007), "invalid_utf8"),
            Error::Capacity(_) => (Some(1009), "too_big"),
            _ => (None, ""),
        };
        debug!(%error, "connection lost");
        if let Link::Open { generation, .. } = self.link {
            let closed = Input::Closed { code: 1006, reason };
            self.shared.handle_of(generation, closed);
        }
        match code {
            None => self.link = Link::None,
            Some(code) => {
                let close = CloseFrame {
                    code: u16::into(code),
                    reason: reason.into(),
                };
                self.close(VecDeque::new(), Some(close));
            }
        }
    }

    /// Hands the socket to a background task that sends `rest` and the Close frame.
    fn close(&mut self, rest: VecDeque<String>, close: Option<CloseFrame>) {
        let link = std::mem::replace(&mut self.link, Link::None);
        let Link::Open { socket, .. } = link else {
            return;
        };
        farewell::close::<R>(&self.shared, &self.executor, socket, rest, close);
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> bool {
        let (ticked, due) = self.shared.tick();
        let wanted = due.unwrap_or_else(|| R::Timer::now() + IDLE);
        if due.is_some_and(|due| due != self.set) || due.is_none() && self.set < R::Timer::now() {
            self.set = wanted;
            self.timer.set(wanted);
        }
        // A timer may fire early by its granularity, so compare with the clock.
        if self.timer.poll(context).is_ready() {
            self.set = R::Timer::now();
            return true;
        }
        ticked
    }
}

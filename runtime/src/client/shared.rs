//! The lock of a client, its clock, and what wakes its driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;
use switchboard_core::Time;
use switchboard_core::client::Input;

use super::locked::{Effects, Locked};
use super::options::{NoToken, Options, Token};

/// State shared by the handles, the event stream and the driver of one client.
pub(super) struct Shared {
    locked: Mutex<Locked>,
    pub(super) driver: AtomicWaker,
    origin: Instant,
    /// The clock of the runtime.
    clock: fn() -> Instant,
    /// How long a publisher waits while too many messages are unacknowledged.
    request_timeout: Duration,
}

impl Shared {
    pub(super) fn new(
        options: &Options,
        seed: u32,
        session: String,
        clock: fn() -> Instant,
    ) -> Self {
        Self {
            locked: Mutex::new(Locked::new(options, seed, session)),
            driver: AtomicWaker::new(),
            origin: clock(),
            clock,
            request_timeout: options.request_timeout,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Locked> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the deadline of a publisher that starts to wait now.
    pub(super) fn request_deadline(&self) -> Time {
        self.now() + self.request_timeout
    }

    /// Returns the time. To be called under the lock, so that time never goes back.
    fn now(&self) -> Time {
        Time::ZERO + (self.clock)().saturating_duration_since(self.origin)
    }

    pub(super) fn instant(&self, time: Time) -> Option<Instant> {
        self.origin.checked_add(time.since(Time::ZERO))
    }

    /// Calls `work` under the lock, carries out the effects without it, and wakes the driver.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Locked, Time) -> T) -> T {
        let result = self.by_driver(work);
        self.driver.wake();
        result
    }

    /// Like [`with`](Self::with), for the driver itself, which needs no wake-up.
    pub(super) fn by_driver<T>(&self, work: impl FnOnce(&mut Locked, Time) -> T) -> T {
        let mut effects = Effects::default();
        let result = {
            let mut locked = self.lock();
            let result = work(&mut locked, self.now());
            locked.collect(&mut effects);
            result
        };
        effects.run();
        result
    }

    pub(super) fn handle(&self, event: Input<'_>) {
        self.with(|locked, now| locked.handle(now, event));
    }

    /// Like [`handle`](Self::handle), but ignores the event if the socket is not of the current generation.
    pub(super) fn handle_of(&self, generation: u64, event: Input<'_>) -> bool {
        self.by_driver(|locked, now| {
            let current = locked.generation == generation;
            if current {
                if matches!(event, Input::Closed { .. }) {
                    locked.generation += 1;
                    locked.take_outbox();
                }
                locked.handle(now, event);
            }
            current
        })
    }

    /// Handles the answer to a token request, unless it is no longer needed.
    pub(super) fn handle_token(&self, states: u64, answer: Result<Token, NoToken>) {
        self.by_driver(|locked, now| {
            if locked.states != states {
                return;
            }
            match answer {
                Ok(token) => locked.set_token(now, token),
                Err(none) => {
                    let last = none == NoToken::Never;
                    locked.handle(now, Input::TokenFailed { last });
                }
            }
        });
    }

    /// Handles a tick if one is due. Returns whether it was, and the next deadline.
    pub(super) fn tick(&self) -> (bool, Option<Instant>) {
        let (machine, gate) = {
            let (locked, now) = (self.lock(), self.now());
            locked.due(now)
        };
        if machine || gate {
            self.by_driver(|locked, now| {
                if machine {
                    locked.handle(now, Input::Tick);
                }
                if gate {
                    locked.gate.open();
                }
            });
        }
        let due = self.lock().next_deadline();
        (machine || gate, due.and_then(|at| self.instant(at)))
    }

    /// Ends the client: the driver is gone, so every waiting task is woken or gets an error.
    pub(super) fn end(&self) {
        self.with(|locked, now| {
            locked.handle(now, Input::Stop);
            locked.ended = true;
            locked.gate.open();
        });
        // Those that the machine had an answer for have received it by now.
        let unanswered = self.lock().take_unanswered();
        drop(unanswered);
        let wakers = self.lock().streams.take_wakers();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Ends the client when the driver ends, in whatever way.
pub(super) struct EndGuard(pub(super) Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use futures_channel::oneshot;
    use switchboard_core::client::Failure;
    use switchboard_core::protocol::Content;

    use super::*;

    #[test]
    fn what_was_sent_before_the_driver_ended_is_unconfirmed() {
        let shared = Shared::new(&Options::default(), 1, String::new(), crate::machine::now);
        shared.handle(Input::Start);
        shared.handle_of(0, Input::Opened);
        let text = r#"{"type":"welcome"}"#;
        shared.handle_of(0, Input::Message { text });
        let (waiter, mut answer) = oneshot::channel();
        let content = Content::parse("1").unwrap();
        shared.with(|locked, now| locked.post(now, Input::publish("a", content), waiter));
        shared.end();
        assert_eq!(answer.try_recv(), Ok(Some(Err(Failure::Unconfirmed))));
    }
}

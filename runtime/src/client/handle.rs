//! The client's handle.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use futures_channel::oneshot;
use switchboard_core::Time;
use switchboard_core::client::{Failure, Input, Presence, ServerText, State};

use super::dial::{BadUrl, Dial, Dialed, target};
use super::driver::drive;
use super::futures::{Closing, Subscribing};
use super::locked::Locked;
use super::options::{Options, SubscribeOptions, Token};
use super::place::Place;
use super::shared::{EndGuard, Shared};
use super::stream::Events;
use super::streams::ALL;
use crate::runtime::Timer;

/// A connection to a Switchboard server that reconnects and resubscribes by itself, and stops when a
/// close code forbids reconnecting. Cheap to clone, usable from any task or thread.
///
/// Dropping the last handle closes the connection.
pub struct Client<R> {
    handle: Arc<Handle>,
    runtime: PhantomData<fn() -> R>,
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.with(|locked, now| {
            locked.handle(now, Input::Stop);
            locked.closed = true;
        });
    }
}

impl<R> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            runtime: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<R: Dial> Client<R> {
    /// Connects in the current runtime, and stays connected; the first attempt is retried like any other.
    /// If a host has several addresses, they are tried 250 ms apart until one answers.
    ///
    /// # Errors
    ///
    /// Fails only for a URL that can never work.
    ///
    /// # Panics
    ///
    /// Panics outside of a runtime.
    pub fn connect(url: impl Into<String>, options: Options) -> Result<(Self, Events), BadUrl> {
        let executor = R::executor().expect("a runtime to connect in");
        Self::connect_on(&executor, url, options)
    }

    /// Like [`connect`](Self::connect), in the given runtime.
    ///
    /// # Errors
    ///
    /// Fails only for a URL that can never work.
    pub fn connect_on(
        executor: &R::Executor,
        url: impl Into<String>,
        options: Options,
    ) -> Result<(Self, Events), BadUrl> {
        let url = url.into();
        target(&url, Dialed::default(), &options)?;
        let seed = crate::machine::seed() as u32;
        let session = [crate::machine::seed(), crate::machine::seed()];
        let session = session.map(|half| format!("{half:016x}")).concat();
        let shared = Arc::new(Shared::new(&options, seed, session, R::Timer::now));
        let end = EndGuard(shared.clone());
        R::spawn(executor, drive::<R>(end, executor.clone(), url, options));
        let client = Self {
            handle: Arc::new(Handle {
                shared: shared.clone(),
            }),
            runtime: PhantomData,
        };
        client.start();
        Ok((client, Events { shared, key: ALL }))
    }

    /// Connects again after the client has stopped.
    pub fn start(&self) {
        self.shared().handle(Input::Start);
    }

    /// Drops the connection, if any, and connects at once, in any state.
    pub fn reconnect(&self) {
        self.shared().handle(Input::Reconnect);
    }

    /// Closes the connection and stays disconnected until [`start`](Self::start). Subscriptions are
    /// kept. Await the result to wait, at most 1 s, until the Close frame was sent.
    pub fn close(&self) -> Closing {
        self.shared().handle(Input::Stop);
        Closing {
            place: Place::new(self.shared()),
        }
    }

    /// Returns the state of the connection.
    pub fn state(&self) -> State {
        self.shared().lock().state.clone()
    }

    /// Converts the time in `State::Waiting`.
    pub fn instant(&self, time: Time) -> Option<Instant> {
        self.shared().instant(time)
    }

    /// Waits until the connection is admitted and returns the server's `welcome`.
    ///
    /// # Errors
    ///
    /// [`Failure::Stopped`] if the client has stopped.
    pub async fn connected(&self) -> Result<ServerText, Failure> {
        let so = |locked: &mut Locked| match &locked.state {
            _ if locked.ended => Some(Err(Failure::Stopped)),
            State::Stopped { .. } => Some(Err(Failure::Stopped)),
            _ => locked.welcome().cloned().map(Ok),
        };
        let mut place = Place::new(self.shared());
        std::future::poll_fn(|context| place.poll_until(context, |locked, _| so(locked))).await
    }

    /// Subscribes to a channel, on this and every later connection. Where the server keeps the history of
    /// the channel, messages that were missed between two connections follow by themselves
    /// (`Event::Subscribed`).
    ///
    /// Await the result to wait for the server's first answer. A refused or unanswered subscription is
    /// tried again on the next connection; a refused one also by the next call.
    ///
    /// # Errors
    ///
    /// The result is an error if the server refuses, or does not answer within
    /// [`Options::request_timeout`]. While the client is stopped it is [`Failure::Stopped`] at once, and
    /// the channel is entered after the next [`start`](Self::start).
    pub fn subscribe(&self, channel: &str) -> Subscribing {
        self.subscribe_with(channel, &SubscribeOptions::default())
    }

    /// Like [`subscribe`](Self::subscribe), with options.
    ///
    /// # Errors
    ///
    /// As for [`subscribe`](Self::subscribe).
    pub fn subscribe_with(&self, channel: &str, options: &SubscribeOptions<'_>) -> Subscribing {
        let event = Input::Subscribe {
            channel,
            since: options.since.as_ref(),
            last: options.last,
        };
        let (entrant, entered) = oneshot::channel();
        let done = self.shared().with(|locked, now| {
            if locked.ended {
                return Some(Err(Failure::Stopped));
            }
            if locked.is_active(channel) {
                return Some(Ok(()));
            }
            if matches!(locked.state, State::Stopped { .. }) {
                locked.handle(now, event);
                return Some(Err(Failure::Stopped));
            }
            locked.enter(now, channel, event, entrant);
            None
        });
        Subscribing { done, entered }
    }

    /// Returns a stream of the events of one channel, from now on, for a task that handles only this
    /// channel. It does not subscribe: to miss nothing, call this before
    /// [`subscribe`](Self::subscribe). The client's own [`Events`] contain these events, too; drop them
    /// if you do not read them. Each stream is bounded separately by [`Options::max_events`] and
    /// [`Options::max_event_bytes`], and ends with the client.
    pub fn events_of(&self, channel: &str) -> Events {
        let shared = self.shared().clone();
        let key = shared.lock().streams.open(channel);
        Events { shared, key }
    }

    /// Unsubscribes from a channel, and forgets the position in it.
    pub fn unsubscribe(&self, channel: &str) {
        let entrants = self.shared().with(|locked, now| locked.leave(now, channel));
        for entrant in entrants {
            let _ = entrant.send(Err(Failure::Unsubscribed));
        }
    }

    /// Uses this token from now on, also on the open connection, where it must name the same user. For another
    /// user: [`close`](Self::close), `set_token`, [`start`](Self::start).
    pub fn set_token(&self, token: impl Into<Token>) {
        let token = token.into();
        self.shared()
            .with(|locked, now| locked.set_token(now, token));
    }

    /// Returns the users in a channel, if the client is in it and the server has reported them. An
    /// [`Event::Presence`](super::Event::Presence) says that they have changed; this is the latest state, also when
    /// older events have not been read yet. Clones the list.
    pub fn presence(&self, channel: &str) -> Option<Presence> {
        self.shared().lock().presence(channel)
    }

    /// Checks the connection, if there is one, and measures its round-trip time (`Event::RoundTrip`).
    pub fn ping(&self) {
        self.shared().handle(Input::Ping);
    }

    /// Tells the client whether the network is up. While it is down, the client retries less often.
    pub fn set_online(&self, online: bool) {
        self.shared().handle(if online {
            Input::Online
        } else {
            Input::Offline
        });
    }

    /// Checks the connection, or reconnects at once. Call this when the machine has resumed from sleep, or
    /// when the user returns to the program.
    pub fn wake(&self) {
        self.shared().handle(Input::Resume);
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

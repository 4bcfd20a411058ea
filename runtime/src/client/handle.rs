//! The handle.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_channel::oneshot;
use serde::Serialize;
use switchboard_core::Time;
use switchboard_core::client::{Event as Input, Failure, ServerText, State};
use switchboard_core::protocol::Content;

use super::dial::{BadUrl, Dial, target};
use super::driver::drive;
use super::events::Events;
use super::gate::Place;
use super::options::Options;
use super::shared::{EndGuard, Locked, Shared};

/// A connection to a Switchboard server that comes back by itself, and knows when to stay away: cheap
/// to clone, usable from any task or thread.
///
/// When the last handle is dropped, the connection is closed.
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

/// Why a message did not arrive, as far as one knows.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The content cannot be written as JSON; with the reason.
    Content(String),
    /// It was not sent, or not taken, or nobody knows.
    Failed(Failure),
}

impl SendError {
    /// The word for it: the server's error code, or one of ours.
    pub fn code(&self) -> &str {
        match self {
            Self::Content(_) => "bad_content",
            Self::Failed(failure) => failure.code(),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(words) => f.write_str(words),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// Whether we want our own message too.
    pub echo: bool,
    /// Whether it waits for a connection; `None`: as in the client's options.
    pub queue: Option<bool>,
}

impl<R: Dial> Client<R> {
    /// Connects, in the runtime that this is called in, and stays connected: the first attempt may as
    /// well fail, and be followed by others. Only an address that can never work is an error. A host
    /// that has several addresses is tried at all of them, 250 ms apart, until one answers.
    ///
    /// # Panics
    ///
    /// Where it is called outside of any runtime.
    pub fn connect(url: impl Into<String>, options: Options) -> Result<(Self, Events), BadUrl> {
        let executor = R::executor().expect("a runtime to connect in");
        Self::connect_on(&executor, url, options)
    }

    /// The same, in another runtime.
    pub fn connect_on(
        executor: &R::Executor,
        url: impl Into<String>,
        options: Options,
    ) -> Result<(Self, Events), BadUrl> {
        let url = url.into();
        target(&url, None, &options)?;
        let seed = crate::machine::seed() as u32;
        let shared = Arc::new(Shared::new(&options, seed));
        let end = EndGuard(shared.clone());
        R::spawn(executor, drive::<R>(end, executor.clone(), url, options));
        let client = Self {
            handle: Arc::new(Handle {
                shared: shared.clone(),
            }),
            runtime: PhantomData,
        };
        client.start();
        Ok((client, Events { shared }))
    }

    /// Connects again, after it has stopped.
    pub fn start(&self) {
        self.shared().handle(Input::Start);
    }

    /// Starts over at once, whatever the state.
    pub fn reconnect(&self) {
        self.shared().handle(Input::Reconnect);
    }

    /// Closes the connection and stays away until [`start`](Self::start). Subscriptions are kept.
    /// Whoever awaits the result knows that the server was told, as far as it listens: at most 1 s.
    pub fn close(&self) -> Closing {
        self.shared().handle(Input::Stop);
        Closing {
            place: Place::new(self.shared()),
        }
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        self.shared().lock().state.clone()
    }

    /// When that is, for `State::Waiting`.
    pub fn instant(&self, time: Time) -> Option<Instant> {
        self.shared().instant(time)
    }

    /// Waits until it is in, and gives the server's `welcome`; fails when it has stopped instead.
    pub async fn connected(&self) -> Result<ServerText, Failure> {
        let so = |locked: &mut Locked| match &locked.state {
            _ if locked.ended => Some(Err(Failure::Stopped)),
            State::Stopped { .. } => Some(Err(Failure::Stopped)),
            _ => locked.welcome().cloned().map(Ok),
        };
        let mut place = Place::new(self.shared());
        std::future::poll_fn(|context| place.poll_until(context, |locked, _| so(locked))).await
    }

    /// Is in a channel from now on, on every connection. Whoever awaits the result knows when it is in
    /// for the first time, or was not let in, or that the server has not answered within
    /// [`Options::request_timeout`]; it is asked again on the next connection, and where it was refused
    /// by the next call. While the client has stopped, the result is [`Failure::Stopped`] at once, and
    /// the channel is entered after the next [`start`](Self::start).
    pub fn subscribe(&self, channel: &str) -> Subscribing {
        let (entrant, entered) = oneshot::channel();
        let done = self.shared().with(|locked, now| {
            if locked.ended {
                return Some(Err(Failure::Stopped));
            }
            if locked.is_active(channel) {
                return Some(Ok(()));
            }
            if matches!(locked.state, State::Stopped { .. }) {
                locked.handle(now, Input::Subscribe { channel });
                return Some(Err(Failure::Stopped));
            }
            locked.enter(now, channel, entrant);
            None
        });
        Subscribing { done, entered }
    }

    /// Is in a channel no more.
    pub fn unsubscribe(&self, channel: &str) {
        let entrants = self.shared().with(|locked, now| locked.leave(now, channel));
        for entrant in entrants {
            let _ = entrant.send(Err(Failure::Unsubscribed));
        }
    }

    /// Sends to a channel, and waits until the server has it: gives the message's number. Waits before
    /// it sends while too much has no answer yet. A message that waits for a connection is not sent
    /// when the future is dropped.
    ///
    /// Fails with [`Failure::TimedOut`] when the server has not answered within
    /// [`Options::request_timeout`] of the sending, or when it could not be sent for as long because too
    /// much had no answer. In a queue it waits for [`Queue::age`](super::Queue::age) at most.
    pub async fn publish<T: Serialize + ?Sized>(
        &self,
        channel: &str,
        content: &T,
    ) -> Result<u64, SendError> {
        self.publish_with(channel, content, SendOptions::default())
            .await
    }

    /// [`publish`](Self::publish), by these options.
    pub async fn publish_with<T: Serialize + ?Sized>(
        &self,
        channel: &str,
        content: &T,
        options: SendOptions,
    ) -> Result<u64, SendError> {
        let content = write(content)?;
        let content = check(&content)?;
        let mut event = Input::publish(channel, content);
        if let Input::Publish { echo, queue, .. } = &mut event {
            *echo = options.echo.then_some(true);
            *queue = options.queue;
        }
        self.post(event).await
    }

    /// Sends to all connections of a user, and waits until the server has it: gives the number of
    /// them. Otherwise like [`publish`](Self::publish).
    pub async fn direct<T: Serialize + ?Sized>(
        &self,
        to: &str,
        content: &T,
    ) -> Result<u64, SendError> {
        self.direct_with(to, content, SendOptions::default()).await
    }

    /// [`direct`](Self::direct), by these options; `echo` has no meaning here.
    pub async fn direct_with<T: Serialize + ?Sized>(
        &self,
        to: &str,
        content: &T,
        options: SendOptions,
    ) -> Result<u64, SendError> {
        let content = write(content)?;
        let content = check(&content)?;
        let mut event = Input::direct(to, content);
        if let Input::Direct { queue, .. } = &mut event {
            *queue = options.queue;
        }
        self.post(event).await
    }

    /// Measures the round trip (`Event::RoundTrip`), if there is a connection, and checks that it lives.
    pub fn ping(&self) {
        self.shared().handle(Input::Ping);
    }

    /// The network is said to be up, or down: by whoever knows. Down, it tries less often.
    pub fn set_online(&self, online: bool) {
        self.shared().handle(if online {
            Input::Online
        } else {
            Input::Offline
        });
    }

    /// Somebody is looking, or the machine has slept: it checks the connection, or tries at once.
    pub fn wake(&self) {
        self.shared().handle(Input::Resume);
    }

    async fn post(&self, event: Input<'_>) -> Result<u64, SendError> {
        let shared = self.shared();
        let until = shared.patience();
        let mut place = Place::until(shared, until);
        let posted = std::future::poll_fn(|context| {
            place.poll_until(context, |locked, now| {
                if locked.ended {
                    return Some(Err(Failure::Stopped));
                }
                if locked.is_congested() {
                    return (now >= until).then_some(Err(Failure::TimedOut));
                }
                let (waiter, answer) = oneshot::channel();
                Some(Ok((locked.post(now, event, waiter), answer)))
            })
        });
        let (id, answer) = posted.await?;
        drop(place);
        shared.driver.wake();
        let waiting = Waiting {
            shared,
            id: Some(id),
        };
        let answer = answer.await;
        waiting.answered();
        Ok(answer.unwrap_or(Err(Failure::Stopped))?)
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

fn write<T: Serialize + ?Sized>(content: &T) -> Result<String, SendError> {
    serde_json::to_string(content).map_err(|error| SendError::Content(error.to_string()))
}

fn check(content: &str) -> Result<Content<'_>, SendError> {
    Content::parse(content).map_err(|bad| SendError::Content(bad.to_string()))
}

/// A message whose answer somebody waits for; if not, it need not be sent.
struct Waiting<'a> {
    shared: &'a Shared,
    id: Option<u64>,
}

impl Waiting<'_> {
    fn answered(mut self) {
        self.id = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.handle(Input::Cancel { id });
        }
    }
}

/// Waits until a channel is entered. It is whether or not anybody waits.
#[derive(Debug)]
pub struct Subscribing {
    done: Option<Result<(), Failure>>,
    entered: oneshot::Receiver<Result<(), Failure>>,
}

impl Future for Subscribing {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(done) = self.done.take() {
            return Poll::Ready(done);
        }
        let entered = Pin::new(&mut self.entered).poll(context);
        entered.map(|entered| entered.unwrap_or(Err(Failure::Stopped)))
    }
}

/// Waits until the server was told that we have gone. It is told whether or not anybody waits.
pub struct Closing {
    place: Place,
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}

impl Future for Closing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.place.poll_until(context, |locked, _| {
            (locked.is_quiet() || locked.ended).then_some(())
        })
    }
}

//! The requests of a client: messages, and what waits for their answers.

use futures_channel::oneshot;
use serde::Serialize;
use switchboard_core::client::{Failure, Input, ServerText};
use switchboard_core::protocol::Content;

use super::dial::Dial;
use super::handle::Client;
use super::locked::Answer;
use super::place::Place;
use super::send::{RequestError, SendOptions};
use super::shared::Shared;

impl<R: Dial> Client<R> {
    /// Publishes to a channel, waits for the server's acknowledgement and returns the message's number.
    /// Waits before sending while too many messages are unacknowledged. If the future is dropped, a
    /// message that still waits for a connection is not sent.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`] if the server does not answer within
    /// [`Options::request_timeout`](super::Options::request_timeout) of the sending, or if too many messages are
    /// unacknowledged for as long. A message waits in the queue for [`Queue::age`](super::Queue::age) at most.
    pub async fn publish<T: Serialize + ?Sized>(
        &self,
        channel: &str,
        content: &T,
    ) -> Result<u64, RequestError> {
        self.publish_with(channel, content, SendOptions::default())
            .await
    }

    /// Like [`publish`](Self::publish), with options.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn publish_with<T: Serialize + ?Sized>(
        &self,
        channel: &str,
        content: &T,
        options: SendOptions,
    ) -> Result<u64, RequestError> {
        let content = write(content)?;
        let content = check(&content)?;
        let mut event = Input::publish(channel, content);
        if let Input::Publish {
            echo,
            volatile,
            queue,
            ..
        } = &mut event
        {
            *echo = options.echo.then_some(true);
            *volatile = options.volatile;
            *queue = options.queue;
        }
        self.post_message(event).await
    }

    /// Publishes the latest value of a key, to a channel that keeps these. The content `null` removes it.
    /// Otherwise like [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn publish_key<T: Serialize + ?Sized>(
        &self,
        channel: &str,
        key: &str,
        content: &T,
    ) -> Result<u64, RequestError> {
        let content = write(content)?;
        let content = check(&content)?;
        self.post_message(Input::publish_key(channel, key, content))
            .await
    }

    /// Sends to all connections of a user, waits for the server's acknowledgement and returns the number
    /// of these connections. Otherwise like [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn direct<T: Serialize + ?Sized>(
        &self,
        to: &str,
        content: &T,
    ) -> Result<u64, RequestError> {
        self.direct_with(to, content, SendOptions::default()).await
    }

    /// Like [`direct`](Self::direct), with options. `echo` and `volatile` are ignored.
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish).
    pub async fn direct_with<T: Serialize + ?Sized>(
        &self,
        to: &str,
        content: &T,
        options: SendOptions,
    ) -> Result<u64, RequestError> {
        let content = write(content)?;
        let content = check(&content)?;
        let mut event = Input::direct(to, content);
        if let Input::Direct { queue, .. } = &mut event {
            *queue = options.queue;
        }
        self.post_message(event).await
    }

    /// Calls a method of the server's application and waits for its result, which
    /// [`ServerText::content`] reads. Otherwise like [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As for [`publish`](Self::publish). A call is never sent twice: if the connection ends before the
    /// result, it is [`Failure::Unconfirmed`]. [`Failure::Refused`] has the code of the application.
    pub async fn call<T: Serialize + ?Sized>(
        &self,
        method: &str,
        params: &T,
    ) -> Result<ServerText, RequestError> {
        self.call_with(method, params, SendOptions::default()).await
    }

    /// Like [`call`](Self::call), with options. `echo` and `volatile` are ignored.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    pub async fn call_with<T: Serialize + ?Sized>(
        &self,
        method: &str,
        params: &T,
        options: SendOptions,
    ) -> Result<ServerText, RequestError> {
        let params = write(params)?;
        let params = check(&params)?;
        let mut event = Input::call(method, params);
        if let Input::Call { queue, .. } = &mut event {
            *queue = options.queue;
        }
        let Answer::Result(result) = self.post(event).await? else {
            unreachable!("a call has no other answer");
        };
        Ok(result)
    }

    /// Posts a message and waits for the number that acknowledges it.
    async fn post_message(&self, event: Input<'_>) -> Result<u64, RequestError> {
        let Answer::Number(number) = self.post(event).await? else {
            unreachable!("a message has no other answer");
        };
        Ok(number)
    }

    async fn post(&self, event: Input<'_>) -> Result<Answer, RequestError> {
        let shared = self.shared();
        let until = shared.request_deadline();
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
}

fn write<T: Serialize + ?Sized>(content: &T) -> Result<String, RequestError> {
    serde_json::to_string(content).map_err(|error| RequestError::Content(error.to_string()))
}

fn check(content: &str) -> Result<Content<'_>, RequestError> {
    Content::parse(content).map_err(|bad| RequestError::Content(bad.to_string()))
}

/// Cancels a message when the future that waits for its answer is dropped.
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

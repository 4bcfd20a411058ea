//! Closes a socket in the background.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use super::dial::Dial;
use super::shared::Shared;
use crate::runtime::Timer;

/// Time limit for closing an abandoned socket.
const GOOD_BYE: Duration = Duration::from_secs(1);

/// Starts a task that sends `rest` and the Close frame, and waits for the server's end.
pub(super) fn close<R: Dial>(
    shared: &Arc<Shared>,
    executor: &R::Executor,
    socket: R::WebSocket,
    rest: VecDeque<String>,
    close: Option<CloseFrame>,
) {
    shared.lock().lingering += 1;
    let lingering = Lingering(shared.clone());
    R::spawn(executor, async move {
        let _lingering = lingering;
        let mut work = pin!(good_bye(socket, rest, close));
        let mut timer = R::Timer::new(R::Timer::now() + GOOD_BYE);
        poll_fn(|context| match timer.poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => work.as_mut().poll(context),
        })
        .await;
    });
}

/// A guard for a socket that is being closed.
struct Lingering(Arc<Shared>);

impl Drop for Lingering {
    fn drop(&mut self) {
        self.0.with(|locked, _| {
            locked.lingering -= 1;
            locked.gate.open();
        });
    }
}

async fn good_bye<S>(mut socket: S, rest: VecDeque<String>, close: Option<CloseFrame>)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let last = close.map(|close| Message::Close(Some(close)));
    for message in rest.into_iter().map(Message::text).chain(last) {
        let ready = poll_fn(|context| Pin::new(&mut socket).poll_ready(context)).await;
        if ready.is_err() || Pin::new(&mut socket).start_send(message).is_err() {
            return;
        }
    }
    if poll_fn(|context| Pin::new(&mut socket).poll_flush(context))
        .await
        .is_err()
    {
        return;
    }
    // Wait until the server has closed its side, too.
    while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut socket).poll_next(context)).await {}
}

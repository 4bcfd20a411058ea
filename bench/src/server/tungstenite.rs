//! A hand-written server on tokio-tungstenite: a task and a bounded channel per connection, a small
//! read buffer, and one flush for all messages waiting in the channel. With Redis it is one of
//! several nodes.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval_at};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::upstream::{self, Sender, Upstream};
use super::{BATCH, QUEUE_MESSAGES, READ_BUFFER};
use crate::wire;

type Room = Arc<Mutex<Vec<Member>>>;

#[derive(Clone)]
struct Member {
    sender: Sender,
    task: AbortHandle,
}

#[derive(Default)]
struct Hall {
    rooms: Mutex<HashMap<String, Room>>,
    users: Mutex<HashMap<String, Sender>>,
    upstream: OnceLock<Upstream>,
}

/// Serves until an error, alone or together with the other servers at a Redis.
pub(crate) async fn serve(
    listener: TcpListener,
    ping: Duration,
    redis: Option<&str>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let hall = Arc::new(Hall::default());
    if let Some(url) = redis {
        let here = hall.clone();
        let joined = upstream::join(url, move |room, text| here.deliver(room, text)).await;
        let upstream = joined.map_err(io::Error::other)?;
        hall.upstream.get_or_init(|| upstream);
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (sender, receiver) = oneshot::channel();
        let hall = hall.clone();
        let task = tokio::spawn(async move {
            if let Ok(task) = receiver.await {
                Box::pin(connection(hall, stream, task, ping)).await;
            }
        });
        // The task is waiting for it.
        let _ = sender.send(task.abort_handle());
    }
}

async fn connection(hall: Arc<Hall>, stream: TcpStream, task: AbortHandle, ping: Duration) {
    let mut target = String::new();
    // The size of the error is the library's choice.
    #[allow(clippy::result_large_err)]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        target = request.uri().to_string();
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let upgraded = accept_hdr_async_with_config(stream, note, Some(config)).await;
    let (Ok(stream), Some((name, user))) = (upgraded, wire::target(&target)) else {
        return;
    };
    let (sender, receiver) = mpsc::channel(QUEUE_MESSAGES);
    lock(&hall.users).insert(user, sender.clone());
    let room = lock(&hall.rooms).entry(name.clone()).or_default().clone();
    lock(&room).push(Member {
        sender: sender.clone(),
        task,
    });
    let place = Place {
        hall: &hall,
        name,
        room: &room,
        own: &sender,
    };
    talk(&place, stream, receiver, ping).await;
    lock(&room).retain(|member| !member.sender.same_channel(&sender));
}

/// Where a connection is.
struct Place<'a> {
    hall: &'a Hall,
    name: String,
    room: &'a Room,
    own: &'a Sender,
}

async fn talk(
    place: &Place<'_>,
    mut stream: WebSocketStream<TcpStream>,
    mut receiver: mpsc::Receiver<Utf8Bytes>,
    ping: Duration,
) {
    let mut batch = Vec::new();
    let mut beat = interval_at(Instant::now() + ping, ping);
    loop {
        let done = tokio::select! {
            count = receiver.recv_many(&mut batch, BATCH) => {
                let done = write(&mut stream, &mut batch).await;
                if batch.capacity() > 4 {
                    batch = Vec::new();
                }
                done.map(|()| count > 0)
            }
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    place.publish(text).await;
                    Ok(true)
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => Ok(false),
                // The library answers pings.
                Some(Ok(_)) => Ok(true),
            },
            _ = beat.tick() => stream.send(Message::Ping(Bytes::new())).await.map(|()| true),
        };
        if !done.unwrap_or(false) {
            return;
        }
    }
}

async fn write(
    stream: &mut WebSocketStream<TcpStream>,
    batch: &mut Vec<Utf8Bytes>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    for text in batch.drain(..) {
        stream.feed(Message::Text(text)).await?;
    }
    stream.flush().await
}

impl Place<'_> {
    async fn publish(&self, text: Utf8Bytes) {
        if text.as_bytes().starts_with(wire::DIRECT) {
            let to = wire::addressee(text.as_bytes());
            let sender = to.and_then(|user| lock(&self.hall.users).get(user).cloned());
            if let Some(sender) = sender {
                let _ = sender.try_send(text);
            }
        } else if let Some(upstream) = self.hall.upstream.get() {
            upstream.publish(&self.name, text, self.own).await;
        } else {
            deliver(self.room, &text);
        }
    }
}

impl Hall {
    /// Gives a message to the members of a room on this node.
    fn deliver(&self, room: &str, text: &Utf8Bytes) {
        let room = lock(&self.rooms).get(room).cloned();
        if let Some(room) = room {
            deliver(&room, text);
        }
    }
}

fn deliver(room: &Room, text: &Utf8Bytes) {
    lock(room).retain(|member| {
        let kept = member.sender.try_send(text.clone()).is_ok();
        if !kept {
            // The member lags.
            member.task.abort();
        }
        kept
    });
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

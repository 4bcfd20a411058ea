//! axum with a broadcast channel per room, like its chat example, but with a small read buffer, and
//! one flush for all messages waiting in the channel.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, interval_at};

use super::{BATCH, QUEUE_MESSAGES, READ_BUFFER};
use crate::wire;

type Out = SplitSink<WebSocket, Message>;

struct Hall {
    rooms: Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>,
    users: Mutex<HashMap<String, Arc<Post>>>,
    ping: Duration,
}

/// The queue of one user. A channel per user would cost more memory.
#[derive(Default)]
struct Post {
    waiting: Mutex<VecDeque<Utf8Bytes>>,
    come: Notify,
}

/// Serves until an error.
pub(crate) async fn serve(listener: TcpListener, ping: Duration) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
        // As on all compared servers.
        let _ = stream.set_nodelay(true);
    });
    let hall = Hall {
        rooms: Mutex::default(),
        users: Mutex::default(),
        ping,
    };
    let router = Router::new()
        .route("/ws/{room}", get(upgrade))
        .with_state(Arc::new(hall));
    axum::serve(listener, router).await
}

async fn upgrade(
    State(hall): State<Arc<Hall>>,
    Path(room): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let user = query.get("token").cloned().unwrap_or_default();
    let upgrade = upgrade.read_buffer_size(READ_BUFFER);
    upgrade.on_upgrade(move |socket| talk(hall, room, user, socket))
}

async fn talk(hall: Arc<Hall>, room: String, user: String, socket: WebSocket) {
    let (sink, mut stream) = socket.split();
    let room = {
        let mut rooms = lock(&hall.rooms);
        let room = rooms
            .entry(room)
            .or_insert_with(|| broadcast::channel(QUEUE_MESSAGES).0);
        room.clone()
    };
    let post = Arc::new(Post::default());
    lock(&hall.users).insert(user, post.clone());
    let mut writer = tokio::spawn(write_all(sink, room.subscribe(), post, hall.ping));
    let reader = async {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Text(text) => publish(&hall, &room, text),
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    tokio::select! {
        () = reader => writer.abort(),
        _ = &mut writer => {}
    }
}

fn publish(hall: &Hall, room: &broadcast::Sender<Utf8Bytes>, text: Utf8Bytes) {
    if text.as_bytes().starts_with(wire::DIRECT) {
        let to = wire::addressee(text.as_bytes());
        let post = to.and_then(|user| lock(&hall.users).get(user).cloned());
        if let Some(post) = post {
            lock(&post.waiting).push_back(text);
            post.come.notify_one();
        }
    } else {
        // The room may be empty.
        let _ = room.send(text);
    }
}

async fn write_all(
    mut out: Out,
    mut room: broadcast::Receiver<Utf8Bytes>,
    post: Arc<Post>,
    ping: Duration,
) -> Result<(), axum::Error> {
    let mut beat = interval_at(Instant::now() + ping, ping);
    loop {
        tokio::select! {
            first = room.recv() => match first {
                Ok(first) => write_batch(&mut out, &mut room, first).await?,
                // The member lags, or the server ends.
                Err(_) => return Ok(()),
            },
            () = post.come.notified() => {
                let waiting = std::mem::take(&mut *lock(&post.waiting));
                for text in waiting {
                    out.feed(Message::Text(text)).await?;
                }
                out.flush().await?;
            }
            _ = beat.tick() => out.send(Message::Ping(Bytes::new())).await?,
        }
    }
}

async fn write_batch(
    out: &mut Out,
    room: &mut broadcast::Receiver<Utf8Bytes>,
    first: Utf8Bytes,
) -> Result<(), axum::Error> {
    out.feed(Message::Text(first)).await?;
    for _ in 1..BATCH {
        let Ok(next) = room.try_recv() else { break };
        out.feed(Message::Text(next)).await?;
    }
    out.flush().await
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

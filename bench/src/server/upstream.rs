//! Redis between the nodes of the hand-written server: a message goes to a channel of its room, and
//! from there to the members on all nodes, those on its own included.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{Client, RedisResult};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{BATCH, QUEUE_MESSAGES};
use crate::wire;

/// The start of the names of the rooms' channels.
const PREFIX: &str = "hub:";
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(50);

pub(super) type Sender = mpsc::Sender<Utf8Bytes>;

/// The way to the other nodes.
pub(super) struct Upstream {
    queue: mpsc::Sender<Published>,
}

struct Published {
    channel: String,
    text: Utf8Bytes,
    sender: Sender,
}

/// Joins the nodes at a Redis. What is published there is handed to `deliver`, with its room.
pub(super) async fn join(
    url: &str,
    deliver: impl Fn(&str, &Utf8Bytes) + Send + Sync + 'static,
) -> RedisResult<Upstream> {
    let client = Client::open(url)?;
    let pushes = subscribe(&client).await?;
    let (queue, waiting) = mpsc::channel(QUEUE_MESSAGES);
    tokio::spawn(publish(client.clone(), waiting));
    tokio::spawn(receive(deliver, client, pushes));
    Ok(Upstream { queue })
}

async fn subscribe(client: &Client) -> RedisResult<PubSub> {
    let mut pushes = client.get_async_pubsub().await?;
    pushes.psubscribe(format!("{PREFIX}*")).await?;
    Ok(pushes)
}

/// Delivers what Redis pushes, and subscribes again whenever the connection has ended.
async fn receive(deliver: impl Fn(&str, &Utf8Bytes), client: Client, pushes: PubSub) {
    let mut next = Some(pushes);
    loop {
        let Some(pushes) = next else {
            sleep(RETRY).await;
            next = subscribe(&client).await.ok();
            continue;
        };
        let mut pushes = pushes.into_on_message();
        while let Some(push) = pushes.next().await {
            let room = push.get_channel_name().strip_prefix(PREFIX);
            if let (Some(room), Ok(text)) = (room, push.get_payload::<String>()) {
                deliver(room, &text.into());
            }
        }
        next = None;
    }
}

/// Publishes one pipeline at a time: what gathers meanwhile goes with the next one.
async fn publish(client: Client, mut waiting: mpsc::Receiver<Published>) {
    let mut batch = Vec::new();
    let mut connection = None;
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut pipe = redis::pipe();
        for one in &batch {
            pipe.publish(&one.channel, one.text.as_str()).ignore();
        }
        let mut link = match connection.take() {
            Some(link) => link,
            None => connect(&client).await,
        };
        let done: RedisResult<()> = pipe.query_async(&mut link).await;
        if done.is_ok() {
            connection = Some(link);
        }
        for one in batch.drain(..) {
            one.answer(done.is_ok());
        }
    }
}

async fn connect(client: &Client) -> MultiplexedConnection {
    loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => return connection,
            Err(_) => sleep(RETRY).await,
        }
    }
}

impl Upstream {
    /// Queues a message, and waits while the queue is full, so that its client is not read either.
    pub(super) async fn publish(&self, room: &str, text: Utf8Bytes, sender: &Sender) {
        let published = Published {
            channel: format!("{PREFIX}{room}"),
            text,
            sender: sender.clone(),
        };
        // The queue ends with the process.
        let _ = self.queue.send(published).await;
    }
}

impl Published {
    /// Tells the client what became of its message, if it has an `id`. A message that failed may have
    /// been published nevertheless, so it is not published again.
    fn answer(&self, done: bool) {
        if let Some(id) = wire::number(self.text.as_bytes(), r#""id":"#) {
            let kind = if done { "ack" } else { "error" };
            let answer = format!(r#"{{"type":"{kind}","id":{id}}}"#);
            let _ = self.sender.try_send(answer.into());
        }
    }
}

//! A client that stays in the room: when its connection ends, it comes back.

use std::io;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::judge::{Event, Log};
use super::lock;
use super::voice::{Heard, Voice, What};

/// Between two messages of a publisher.
const PACE: Duration = Duration::from_millis(10);
/// Between two attempts to connect, and how long one may take.
const RETRY: Duration = Duration::from_millis(100);
const CONNECT: Duration = Duration::from_secs(3);
/// How long one stays away whose connection was lost on purpose.
const AWAY: Duration = Duration::from_secs(2);

/// What members are told to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    pub(super) publish: bool,
    pub(super) stop: bool,
    /// Those who leave lose their connection.
    pub(super) leave: bool,
}

pub(super) struct Member {
    pub(super) publishes: bool,
    pub(super) leaves: bool,
    /// Its own node first.
    pub(super) nodes: Vec<SocketAddrV4>,
    pub(super) voice: Box<dyn Voice>,
    pub(super) orders: watch::Receiver<Orders>,
    pub(super) log: Arc<Mutex<Log>>,
}

/// Why it is not connected any more.
enum End {
    Lost,
    Left,
    Stopped,
}

type Stream = WebSocketStream<TcpStream>;

impl Member {
    pub(super) async fn run(mut self) {
        let mut attempts = 0;
        while !self.orders.borrow().stop {
            let node = self.nodes[attempts % self.nodes.len()];
            attempts += 1;
            let mut end = End::Lost;
            if let Ok(stream) = self.connect(node).await {
                end = self.stay(stream).await.unwrap_or(End::Lost);
                if std::mem::take(&mut lock(&self.log).is_in) {
                    attempts = 0;
                }
            }
            match end {
                End::Lost => sleep(RETRY).await,
                End::Left => sleep(AWAY).await,
                End::Stopped => return,
            }
        }
    }

    async fn connect(&self, node: SocketAddrV4) -> io::Result<Stream> {
        let connect = async {
            let stream = TcpStream::connect(node).await?;
            stream.set_nodelay(true)?;
            let url = format!("ws://{node}{}", self.voice.target());
            let (stream, _) = client_async(url, stream).await.map_err(io::Error::other)?;
            Ok(stream)
        };
        timeout(CONNECT, connect).await?
    }

    /// Uses a connection until it ends.
    async fn stay(&mut self, mut stream: Stream) -> Result<End, Error> {
        let mut beat = interval(PACE);
        let entered = self.voice.connected();
        self.heard(entered, &mut stream).await?;
        loop {
            let orders = *self.orders.borrow_and_update();
            if orders.stop {
                return Ok(End::Stopped);
            }
            if orders.leave && self.leaves {
                self.leaves = false;
                return Ok(End::Left);
            }
            let publishes = self.publishes && orders.publish && lock(&self.log).is_in;
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let heard = self.voice.hear(&text);
                        self.heard(heard, &mut stream).await?;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(End::Lost),
                    // The library answers pings.
                    Some(Ok(_)) => {}
                },
                _ = beat.tick(), if publishes => self.publish(&mut stream).await?,
                // The sender outlives the members.
                _ = self.orders.changed() => {}
            }
        }
    }

    async fn publish(&mut self, stream: &mut Stream) -> Result<(), Error> {
        let number = lock(&self.log).publishes();
        let text = self.voice.say(number);
        stream.send(Message::text(text)).await
    }

    async fn heard(&mut self, heard: Heard, stream: &mut Stream) -> Result<(), Error> {
        if heard.is_told {
            lock(&self.log).events.push(Event::Told);
        }
        match heard.what {
            What::Nothing => Ok(()),
            What::Reply(text) => stream.send(Message::text(text)).await,
            What::Message { publisher, number } => {
                lock(&self.log).received(publisher, number, Instant::now());
                Ok(())
            }
            What::Fate(number, fate) => {
                lock(&self.log).learns(number, fate);
                Ok(())
            }
            What::In => {
                let open = lock(&self.log).enters();
                for number in open {
                    if let Some(text) = self.voice.say_again(number) {
                        stream.send(Message::text(text)).await?;
                    }
                }
                Ok(())
            }
        }
    }
}

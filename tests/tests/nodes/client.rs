//! A client that waits for what it expects, and remembers all that it has received.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use switchboard_kit::{Reader, Received, TEXT, frame};

/// How long a client waits for anything: a busy machine allows much less.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connected client.
pub(crate) struct Client {
    stream: TcpStream,
    reader: Reader,
    /// What it received, with the reason of a Close as the last one.
    pub(crate) log: Vec<Value>,
    pub(crate) closed: Option<(u16, String)>,
}

impl Client {
    /// Logs in as a user, in a lobby.
    pub(crate) fn enter(node: SocketAddr, user: &str, room: &str) -> Self {
        Self::enter_with(node, user, room, "")
    }

    /// Logs in with more parameters in the URL, which begin with `&`.
    pub(crate) fn enter_with(node: SocketAddr, user: &str, room: &str, query: &str) -> Self {
        let target = format!("/ws/{room}?token={user}{query}");
        Self::upgrade(node, &target, "", Reader::new(true))
    }

    /// Logs in as a client that inflates messages, and waits to be in the lobby.
    pub(crate) fn entered_inflating(node: SocketAddr, user: &str, room: &str) -> Self {
        let target = format!("/ws/{room}?token={user}");
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let mut client = Self::upgrade(node, &target, offer, Reader::inflating());
        client.until_type("subscribed");
        client
    }

    fn upgrade(node: SocketAddr, target: &str, headers: &str, reader: Reader) -> Self {
        let mut stream = TcpStream::connect(node).expect("the node listens");
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {node}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a live node");
        let timeout = Some(Duration::from_millis(50));
        stream.set_read_timeout(timeout).expect("a timeout");
        Self {
            stream,
            reader,
            log: Vec::new(),
            closed: None,
        }
    }

    /// Logs in, and waits to be in the lobby. Returns its epoch and number, too.
    pub(crate) fn entered(node: SocketAddr, user: &str, room: &str) -> (Self, String, u64) {
        let mut client = Self::enter(node, user, room);
        let at = client.until_type("subscribed");
        let epoch = at["epoch"].as_str().expect("an epoch").to_owned();
        (client, epoch, at["seq"].as_u64().expect("a number"))
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let bytes = frame(TEXT, message.to_string()).bytes();
        self.stream.write_all(&bytes).expect("a live node");
    }

    /// Sends messages that arrive together.
    pub(crate) fn send_at_once(&mut self, messages: &[Value]) {
        let frames = messages.iter().map(|it| frame(TEXT, it.to_string()));
        let bytes: Vec<u8> = frames.flat_map(|it| it.bytes()).collect();
        self.stream.write_all(&bytes).expect("a live node");
    }

    /// Sends a message to a room, with a request that is acknowledged.
    pub(crate) fn say(&mut self, room: &str, content: &str, request: u64) {
        self.send(&serde_json::json!({
            "type": "message", "channel": room, "content": content, "id": request,
        }));
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self) {
        let mut bytes = [0; 16 << 10];
        let read = match self.stream.read(&mut bytes) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return;
            }
            Err(_) => 0,
        };
        if read == 0 {
            self.closed.get_or_insert_with(|| (0, "gone".into()));
        }
        for received in self.reader.read(&bytes[..read]).expect("a valid stream") {
            match received {
                Received::Text(text) => self.log.push(serde_json::from_str(&text).expect("JSON")),
                Received::Close(close) => self.closed = close,
                Received::Http(status) => assert_eq!(status, 101),
                _ => {}
            }
        }
    }

    /// Waits until this holds of what was received.
    pub(crate) fn until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "no {what}: {:#?} {:?}",
                self.log,
                self.closed
            );
            self.read();
        }
    }

    /// Waits for the first message of a type.
    pub(crate) fn until_type(&mut self, kind: &str) -> Value {
        self.until(kind, |it| it.of_type(kind).next().cloned())
    }

    /// What was received of a type.
    pub(crate) fn of_type(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.log
            .iter()
            .filter(move |message| message["type"] == kind)
    }

    /// How many messages were compressed.
    pub(crate) fn inflated(&self) -> usize {
        self.reader.inflated()
    }

    /// The contents of the messages that were received, with their numbers.
    pub(crate) fn contents(&self) -> Vec<(u64, String)> {
        self.of_type("message")
            .map(|message| {
                let content = message["content"].as_str().unwrap_or_default();
                (message["seq"].as_u64().unwrap_or(0), content.to_owned())
            })
            .collect()
    }

    /// Waits for a message with this content. Returns its number.
    pub(crate) fn until_said(&mut self, content: &str) -> u64 {
        self.until(content, |it| {
            let mut found = it.contents().into_iter();
            found.find(|(_, said)| said == content).map(|(seq, _)| seq)
        })
    }

    /// Waits for the answer to a request.
    pub(crate) fn until_answered(&mut self, request: u64) -> Value {
        self.until("an answer", |it| {
            let mut answers = it.log.iter();
            answers.find(|answer| answer["id"] == request).cloned()
        })
    }

    /// Waits until the last list of users in the room is this.
    pub(crate) fn until_present(&mut self, users: &[&str]) {
        self.until("presence", |it| {
            let last = it.of_type("presence").last()?;
            let mut names: Vec<&str> = last["users"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .collect();
            names.sort_unstable();
            (names == users).then_some(())
        });
    }

    /// Waits for the end of the connection.
    pub(crate) fn until_closed(&mut self) -> (u16, String) {
        self.until("a close", |it| it.closed.clone())
    }
}

//! A client that stays in a room whatever happens: it publishes, and comes back to where it was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchboard_kit::{PONG, Reader, Received, TEXT, frame};

/// The room of those who publish.
pub(crate) const ROOM: &str = "lobby";

/// Between two messages of a member.
const PAUSE: Duration = Duration::from_millis(40);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(100);
/// A connection on which nothing arrives for so long is given up, as a client with timers does.
const SILENCE: Duration = Duration::from_secs(6);

/// What happened to a member.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Connected,
    Received(Value),
    Ended,
}

/// What others may know of a member.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) log: Vec<Event>,
    /// The last message of each member that it received.
    pub(crate) last: BTreeMap<String, u64>,
    /// Users in the room.
    pub(crate) present: BTreeSet<String>,
    /// Messages that it has sent.
    pub(crate) sent: u64,
    /// Messages whose outcome it does not know.
    pub(crate) open: usize,
    /// It is in its room.
    pub(crate) is_in: bool,
    /// Its connection has ended, and it does not come back.
    pub(crate) is_gone: bool,
    publishes: bool,
    stops: bool,
}

/// A running member.
pub(crate) struct Member {
    pub(crate) name: String,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Starts a member of the room that is where any node is, beginning with the first one.
    pub(crate) fn start(name: &str, nodes: &Arc<Mutex<Vec<SocketAddr>>>, first: usize) -> Self {
        Self::start_in(ROOM, name, nodes, first)
    }

    /// Starts a member of another room.
    pub(crate) fn start_in(
        room: &'static str,
        name: &str,
        nodes: &Arc<Mutex<Vec<SocketAddr>>>,
        first: usize,
    ) -> Self {
        Self::run(Running::new(room, name, nodes.clone(), first))
    }

    /// Starts one that is on one node, and does not come back when it is sent away.
    pub(crate) fn visit(name: &str, node: SocketAddr) -> Self {
        let nodes = Arc::new(Mutex::new(vec![node]));
        let runs = Running::new(ROOM, name, nodes, 0);
        Self::run(Running {
            returns: false,
            ..runs
        })
    }

    fn run(runs: Running) -> Self {
        Self {
            name: runs.name.clone(),
            seen: runs.seen.clone(),
            thread: Some(thread::spawn(|| runs.run())),
        }
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    pub(crate) fn publishes(&self, publishes: bool) {
        self.look().publishes = publishes;
    }

    /// Ends it. Returns all that happened.
    pub(crate) fn stop(mut self) -> (String, Vec<Event>) {
        self.look().stops = true;
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("a member that found no error");
        let log = std::mem::take(&mut self.look().log);
        (self.name, log)
    }
}

/// No two clients have one session.
fn unique() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Running {
    room: &'static str,
    name: String,
    session: String,
    /// Whether it comes back when its connection has ended.
    returns: bool,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
    at: usize,
    seen: Arc<Mutex<Seen>>,
    /// Epoch and number up to which it has everything.
    position: Option<(String, u64)>,
    /// Messages that were not answered, and where it was when it sent them.
    pending: VecDeque<(u64, String, u64)>,
    /// It has come back, and sends them again.
    resends: bool,
}

impl Running {
    fn new(
        room: &'static str,
        name: &str,
        nodes: Arc<Mutex<Vec<SocketAddr>>>,
        first: usize,
    ) -> Self {
        Self {
            room,
            returns: true,
            session: format!("{name}-{}", unique()),
            name: name.to_owned(),
            nodes,
            at: first,
            seen: Arc::default(),
            position: None,
            pending: VecDeque::new(),
            resends: false,
        }
    }

    fn run(mut self) {
        while !lock(&self.seen).stops {
            let nodes = lock(&self.nodes).clone();
            let node = nodes[self.at % nodes.len()];
            self.at += 1;
            if let Ok(stream) = TcpStream::connect(node) {
                self.tell(Event::Connected);
                self.stays(stream);
                self.tell(Event::Ended);
                let mut seen = lock(&self.seen);
                seen.is_in = false;
                seen.is_gone = !self.returns;
                if !self.returns {
                    return;
                }
            }
            thread::sleep(RETRY);
        }
    }

    fn tell(&self, event: Event) {
        lock(&self.seen).log.push(event);
    }

    /// Uses a connection until it ends.
    fn stays(&mut self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(PAUSE / 2)).expect("a timeout");
        stream.set_write_timeout(Some(SILENCE)).expect("a timeout");
        if stream.write_all(self.upgrade().as_bytes()).is_err() {
            return;
        }
        let mut reader = Reader::new(true);
        let (mut heard, mut sends_at) = (Instant::now(), Instant::now());
        let mut bytes = [0; 16 << 10];
        while !lock(&self.seen).stops && heard.elapsed() < SILENCE {
            let read = match stream.read(&mut bytes) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if is_none_yet(error.kind()) => 0,
                Err(_) => return,
            };
            if read > 0 {
                heard = Instant::now();
            }
            for received in reader.read(&bytes[..read]).expect("a valid stream") {
                match received {
                    Received::Text(text) => {
                        let message: Value = serde_json::from_str(&text).expect("JSON");
                        self.received(message);
                    }
                    Received::Ping(payload) => {
                        let _ = stream.write_all(&frame(PONG, payload).bytes());
                    }
                    Received::Close(_) => return,
                    Received::Http(101) | Received::Pong(_) => {}
                    other => panic!("{}: {other:?}", self.name),
                }
            }
            if lock(&self.seen).is_in && sends_at <= Instant::now() {
                sends_at = Instant::now() + PAUSE;
                if !self.sends(&mut stream) {
                    return;
                }
            }
        }
    }

    fn upgrade(&self) -> String {
        let since = match &self.position {
            Some((epoch, seq)) => format!("&since={epoch}.{seq}"),
            None => String::new(),
        };
        let (room, name, session) = (self.room, &self.name, &self.session);
        format!(
            "GET /ws/{room}?token={name}&session={session}{since} HTTP/1.1\r\nHost: localhost\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }

    fn received(&mut self, message: Value) {
        match message["type"].as_str().expect("a type") {
            "subscribed" => {
                let epoch = text(&message["epoch"]);
                let seq = number(&message["seq"]);
                let is_recovered = message["recovered"] == true;
                let was_in = std::mem::replace(&mut lock(&self.seen).is_in, true);
                if !was_in {
                    self.resends = is_recovered;
                    let may = self.resends;
                    self.pending.retain(|(_, its, _)| may && *its == epoch);
                }
                if !is_recovered {
                    self.position = Some((epoch, seq));
                }
            }
            "message" => {
                let seq = number(&message["seq"]);
                if let Some((_, at)) = &mut self.position {
                    *at = seq;
                }
                let content = text(&message["content"]);
                let (sender, count) = content.split_once('-').expect("a member's message");
                let count = count.parse().expect("a number");
                let mut seen = lock(&self.seen);
                seen.last.insert(sender.to_owned(), count);
            }
            "skip" | "gap" => {
                if let Some((_, at)) = &mut self.position {
                    *at = number(&message["to"]);
                }
            }
            "ack" | "error" if !message["id"].is_null() => {
                let id = number(&message["id"]);
                self.pending.retain(|(count, ..)| *count != id);
            }
            "presence" => self.is_present(&message),
            _ => {}
        }
        let mut seen = lock(&self.seen);
        seen.open = self.pending.len();
        seen.log.push(Event::Received(message));
    }

    fn is_present(&self, message: &Value) {
        let names = |field: &str| {
            let all = message[field].as_array().into_iter().flatten();
            all.map(text).collect::<BTreeSet<_>>()
        };
        let mut seen = lock(&self.seen);
        if message["users"].is_array() {
            seen.present = names("users");
        }
        for user in names("left") {
            seen.present.remove(&user);
        }
        seen.present.extend(names("joined"));
    }

    /// Sends the next message, and again what was not answered. Returns whether the connection works.
    fn sends(&mut self, stream: &mut TcpStream) -> bool {
        if std::mem::take(&mut self.resends) {
            for (count, _, first) in self.pending.clone() {
                if !self.send(stream, count, Some(first)) {
                    return false;
                }
            }
        }
        let count = {
            let mut seen = lock(&self.seen);
            if !seen.publishes {
                return true;
            }
            seen.sent += 1;
            seen.sent
        };
        let (epoch, at) = self.position.clone().expect("it is in the room");
        self.pending.push_back((count, epoch, at));
        lock(&self.seen).open = self.pending.len();
        self.send(stream, count, None)
    }

    fn send(&self, stream: &mut TcpStream, count: u64, again: Option<u64>) -> bool {
        let content = format!("{}-{count}", self.name);
        let mut message = json!({
            "type": "message", "channel": self.room, "content": content, "id": count, "echo": true,
        });
        if let Some(first) = again {
            message["again"] = first.into();
        }
        let bytes = frame(TEXT, message.to_string()).bytes();
        stream.write_all(&bytes).is_ok()
    }
}

fn is_none_yet(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

//! The switchboard behind a socket that takes as many bytes as the test says.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use switchboard_core::protocol::{Content, parse};
use switchboard_core::{
    Action, Config, ConnectionId, Event, Exclude, Handshake, HandshakeConfig, Identity, Question,
    Rates, RequestOutcome, Rooms, SlowPolicy, Switchboard, Time, Tokens, UserPolicy, WriteTurn,
};
use switchboard_kit::{Reader, Received};

use super::seam::{Entry, ROOM, Server};
use super::stored::Stored;
use super::told::Told;

/// Bytes that a blocked socket takes at a time, so that frames are cut.
const SIP: usize = 90;
/// How long a message is kept, and a room without members.
const AGE: Duration = Duration::from_secs(1_000);
const LINGER: Duration = Duration::from_secs(2_500);
/// Longer than any run.
const NEVER: Duration = Duration::from_secs(30_000_000);

/// What the room keeps, and gives to newcomers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) keep: usize,
    pub(super) on_join: usize,
}

/// A connection of the client.
struct Link {
    id: ConnectionId,
    reader: Reader,
    /// Bytes that its socket takes; `None` for any number.
    room: Option<usize>,
    /// What the application is asked about.
    asked: Option<Question>,
    /// What waits for the answer, or is on its way to a connection that has been replaced.
    waiting: VecDeque<String>,
    told: Told,
}

pub(super) struct Board {
    node: Switchboard,
    now: Time,
    rng: fastrand::Rng,
    lobby: bool,
    link: Option<Link>,
    /// Connections that are lost, and of which the switchboard may not know.
    older: Vec<Link>,
    down: VecDeque<String>,
    stored: Stored,
    on_join: usize,
}

fn config(rule: Rule) -> Config {
    let mut config = Config {
        rooms: Rooms::Ask,
        rates: Rates::unlimited(),
        slow: SlowPolicy::CatchUp,
        // Only its session ends an older connection.
        users: UserPolicy::Allow(100),
        ..Config::default()
    };
    config.history.messages = rule.keep;
    config.history.on_join = rule.on_join;
    config.history.age = AGE;
    config.history.linger = LINGER;
    // So few that a blocked member loses some, or is closed for its own answers.
    config.limits.queue_messages = 8;
    config.health.ping_interval = NEVER;
    config.health.ping_timeout = NEVER;
    config.timeouts.hook = NEVER;
    config.timeouts.write_stall = NEVER;
    config.health.stall_threshold = NEVER;
    config
}

impl Board {
    pub(super) fn new(rule: Rule, lobby: bool, seed: u64) -> Self {
        let now = Time::from_millis(1_000);
        let node = Switchboard::new(config(rule), seed, now).expect("a configuration");
        let mut board = Self {
            node,
            now,
            rng: fastrand::Rng::with_seed(seed),
            lobby,
            link: None,
            older: Vec::new(),
            down: VecDeque::new(),
            stored: Stored::new(rule.keep),
            on_join: rule.on_join,
        };
        board.broadcast(true);
        board
    }

    fn broadcast(&mut self, ours: bool) {
        let content = Content::parse("\"x\"").expect("JSON");
        let exclude = Exclude {
            users: if ours { &[] } else { &["ann"] },
            connections: &[],
        };
        self.stored.excluding = !ours;
        let sent = self.node.broadcast(self.now, ROOM, content, None, exclude);
        sent.expect("there is room");
        self.after_a_call();
        self.stored.excluding = false;
    }

    /// Reads what the room has stored, and writes what can be written.
    fn after_a_call(&mut self) {
        self.observe();
        self.write();
        let is_in = |link: &Link| self.node.rooms_of(link.id).is_ok_and(|it| !it.is_empty());
        let caught_up = |link: &&Link| link.room.is_none() && is_in(link);
        if let Some(link) = self.link.as_ref().filter(caught_up) {
            link.told.check_end(&self.stored);
        }
    }

    fn observe(&mut self) {
        self.stored.observe(&mut self.node, self.now);
    }

    /// Lets time pass, with a tick at each deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.node.next_deadline().filter(|&at| at < end) {
            self.now = self.now.max(at);
            self.node.tick(self.now);
        }
        self.now = end;
        self.node.tick(end);
    }

    fn restart(&mut self) {
        let config = self.node.config().clone();
        let seed = self.rng.u64(..);
        self.node = Switchboard::new(config, seed, self.now).expect("a configuration");
        (self.link, self.older) = (None, Vec::new());
        self.down.clear();
    }

    fn write(&mut self) {
        let mut turn = WriteTurn::default();
        loop {
            while let Some(action) = self.node.poll_action() {
                let (Action::ShutdownWrite(id) | Action::Evict { id, .. }) = action else {
                    continue;
                };
                let _ = self.node.handle(self.now, id, Event::Eof);
                if self.link.as_ref().is_some_and(|link| link.id == id) {
                    self.down.push_back(String::new());
                }
            }
            if !self.node.wants_write() {
                return;
            }
            self.node.take_turn(&mut turn, 3);
            for at in 0..turn.len() {
                let (id, bytes) = turn.job(at).expect("a job");
                let taken = match &mut self.link {
                    Some(link) if link.id == id => {
                        let taken = link.room.map_or(bytes.len(), |room| room.min(bytes.len()));
                        link.room = link.room.map(|room| room - taken);
                        let heard = link.reader.read(&bytes[..taken]).expect("frames");
                        let texts = heard.into_iter().filter_map(|heard| match heard {
                            Received::Text(text) => Some(text),
                            _ => None,
                        });
                        let texts: Vec<String> = texts.collect();
                        for text in texts {
                            link.told.check(&self.stored, &text);
                            self.down.push_back(text);
                        }
                        taken
                    }
                    // The network loses it.
                    _ => bytes.len(),
                };
                turn.wrote(at, taken);
            }
            self.node.report(self.now, &mut turn);
        }
    }

    /// Lets a text arrive at a connection.
    fn arrives(&mut self, link: &mut Link, text: String) {
        if link.asked.is_some() {
            return link.waiting.push_back(text);
        }
        let value: Value = serde_json::from_str(&text).expect("JSON");
        if value["type"] == "message" && value["echo"] == true {
            self.stored.echoed.extend(value["content"].as_u64());
        }
        if value["type"] == "subscribe" {
            let since = &value["since"];
            let epoch = since["epoch"].as_str().map(str::to_owned);
            link.told.asks(epoch.zip(since["seq"].as_u64()));
        }
        let charged = self
            .node
            .message(self.now, link.id, false, text.len(), Ok(()));
        if charged == Ok(true) {
            let asked = self.node.command(self.now, link.id, parse(&text));
            link.asked = asked.ok().flatten();
        }
        if self.rng.bool() {
            self.answer(link);
        }
    }

    fn answer(&mut self, link: &mut Link) {
        if let Some(question) = link.asked.take() {
            let _ = self.node.answer(self.now, link.id, question, Ok(()));
            self.observe();
        }
    }

    /// Goes on with a connection: the application answers, and what waited is taken.
    fn go_on_with(&mut self, link: &mut Link) {
        self.answer(link);
        if let Some(text) = link.waiting.pop_front() {
            self.arrives(link, text);
        }
    }
}

impl Server for Board {
    fn connect(&mut self, since: Option<&str>, on_its_way: Vec<String>) {
        if let Some(mut older) = self.link.take() {
            older.waiting.extend(on_its_way);
            if self.rng.u8(..3) == 0 {
                let _ = self.node.handle(self.now, older.id, Event::Reset);
            }
            self.older.push(older);
        }
        self.down.clear();
        let config = self.node.config();
        let handshake = HandshakeConfig {
            endpoint: config.endpoint.clone(),
            pages: false,
            json: true,
            compression: false,
            room_contexts: false,
            sse: None,
            name_bytes: 128,
            tokens: Tokens::default(),
        };
        let lobby = if self.lobby { "/a" } else { "" };
        let mut told = Told::new(self.on_join);
        told.asks(since.filter(|_| self.lobby).map(position));
        let since = since.map_or(String::new(), |since| format!("&since={since}"));
        let head = format!(
            "GET /ws{lobby}?session=s{since} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut parser = Handshake::new(Arc::new(handshake));
        let request = parser.receive(head.as_bytes()).expect("a request");
        let request = request.expect("a whole request");
        let id = self.node.connect(self.now, IpAddr::V4(Ipv4Addr::LOCALHOST));
        let id = id.expect("a seat");
        self.link = Some(Link {
            id,
            reader: Reader::new(true),
            room: None,
            asked: None,
            waiting: VecDeque::new(),
            told,
        });
        let outcome = self.node.request(self.now, id, &request);
        assert_eq!(outcome, Ok(RequestOutcome::Authenticate));
        let identity = Ok(Identity::user("ann"));
        let _ = self.node.authenticated(self.now, id, identity, None);
        assert_eq!(self.node.connections_of("ann"), [id], "one per session");
        self.after_a_call();
    }

    fn request(&mut self, text: &str) {
        if let Some(mut link) = self.link.take() {
            self.arrives(&mut link, text.to_owned());
            self.link = Some(link);
        }
        self.after_a_call();
    }

    fn publish(&mut self, ours: bool) {
        self.broadcast(ours);
    }

    fn go_on(&mut self) {
        if !self.older.is_empty() {
            let at = self.rng.usize(..self.older.len());
            let mut older = self.older.swap_remove(at);
            self.go_on_with(&mut older);
            if older.asked.is_some() || !older.waiting.is_empty() {
                self.older.push(older);
            }
            return self.after_a_call();
        }
        if let Some(mut link) = self.link.take() {
            self.go_on_with(&mut link);
            let id = link.id;
            link.room = link.room.map(|room| room + SIP);
            self.link = Some(link);
            let _ = self.node.handle(self.now, id, Event::Writable);
            self.after_a_call();
        }
        // It has taken everything.
        if let Some(link) = &mut self.link
            && link.room.is_some_and(|room| room > 0)
        {
            link.room = None;
        }
    }

    fn is_busy(&self) -> bool {
        let waits = |link: &Link| link.asked.is_some() || !link.waiting.is_empty();
        let behind = self.link.as_ref().is_some_and(|link| link.room.is_some());
        !self.down.is_empty()
            || behind
            || self.link.as_ref().is_some_and(waits)
            || !self.older.is_empty()
    }

    fn fall_behind(&mut self) {
        if let Some(link) = &mut self.link {
            link.room.get_or_insert(0);
        }
    }

    fn evict(&mut self) {
        self.pass(AGE + Duration::from_secs(1));
        self.stored.evicted = true;
        self.after_a_call();
    }

    fn begin_anew(&mut self) {
        if self.rng.bool() {
            self.restart();
        } else {
            self.end();
        }
        // Somebody publishes before the client is back, so that there is a room.
        self.broadcast(true);
    }

    fn pop(&mut self) -> Option<String> {
        self.down.pop_front()
    }

    fn epoch(&self) -> (String, usize) {
        (self.stored.epoch.clone(), self.stored.lives())
    }

    fn all(&self) -> &BTreeMap<u64, Entry> {
        &self.stored.all
    }

    fn published(&self) -> &[u64] {
        &self.stored.published
    }

    fn has_evicted(&self) -> bool {
        self.stored.evicted
    }

    fn end(&mut self) {
        let links = self.older.drain(..).chain(self.link.take());
        for link in links.collect::<Vec<_>>() {
            let _ = self.node.handle(self.now, link.id, Event::Reset);
        }
        self.down.clear();
        self.after_a_call();
        self.pass(LINGER + Duration::from_secs(1));
        Stored::assert_gone(&mut self.node, self.now);
    }
}

/// Reads a position as it stands in a URL.
fn position(text: &str) -> (String, u64) {
    let (epoch, seq) = text.rsplit_once('.').expect("an epoch and a number");
    (epoch.to_owned(), seq.parse().expect("a number"))
}

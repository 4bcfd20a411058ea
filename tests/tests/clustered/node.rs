//! A node whose link to the broker can be slow.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_core::cluster::{Command, Output};
use switchboard_core::clustered::Clustered;
use switchboard_core::protocol::{Content, Json, parse};
use switchboard_core::{
    Clustering, Config, ConnectionId, Event, Exclude, Handshake, HandshakeConfig, Health, History,
    Identity, Keep, Order, PresenceInfo, Rates, RoomPresence, RoomRule, Rooms, Switchboard, Time,
    WhenDown, WriteTurn,
};
use switchboard_kit::{Received, split};
use switchboard_tests::broker::{Link, SimRedis};

/// The room of all tests.
pub(crate) const ROOM: &str = "lobby";

/// A room without a common order of its messages.
pub(crate) const LOCAL: &str = "local";

/// A room that keeps the latest value of each of three keys.
pub(crate) const KEYED: &str = "keyed";

/// The same with one seat over all nodes.
pub(crate) const BOARD: &str = "board";

/// A room that tells nothing of users beside their names.
pub(crate) const BARE: &str = "bare";

/// A room with two seats over all nodes, which are held for [`HOLD`].
pub(crate) const SMALL: &str = "small";
/// That is longer than a node follows a room that nobody is in.
pub(crate) const HOLD: Duration = Duration::from_secs(40);

/// Starts a broker.
pub(crate) fn broker() -> SimRedis {
    let mut redis = SimRedis::new(10, 1 << 20);
    redis.load_scripts();
    redis
}

/// A client of a node, and all JSON that it received.
#[derive(Debug, Default)]
struct Peer {
    bytes: Vec<u8>,
    upgraded: bool,
    /// The events, if it is an event stream.
    events: Option<String>,
    received: Vec<Value>,
}

pub(crate) struct Node {
    now: Time,
    board: Switchboard,
    clustered: Clustered,
    link: Option<Link>,
    /// What is on its way to the broker, or its answers are on their way back.
    commands: Option<Vec<Command>>,
    /// Nothing arrives, in either direction.
    is_slow: bool,
    /// No connection comes about.
    is_cut_off: bool,
    /// Nothing is written to clients.
    is_stuck: bool,
    /// Answers arrive, but what is published does not.
    is_deaf: bool,
    peers: BTreeMap<ConnectionId, Peer>,
}

fn rules() -> Vec<RoomRule> {
    let rule = |prefix: &str| RoomRule {
        prefix: prefix.into(),
        ..RoomRule::default()
    };
    vec![
        RoomRule {
            members_total: Some(2),
            hold_seat: Some(HOLD),
            ..rule(SMALL)
        },
        RoomRule {
            order: Some(Order::Local),
            ..rule(LOCAL)
        },
        RoomRule {
            keep: Keep::Latest { keys: 3 },
            ..rule(KEYED)
        },
        RoomRule {
            keep: Keep::Latest { keys: 3 },
            members_total: Some(1),
            ..rule(BOARD)
        },
        RoomRule {
            presence: RoomPresence {
                info: Some(false),
                ..RoomPresence::default()
            },
            ..rule(BARE)
        },
    ]
}

impl Node {
    pub(crate) fn start(redis: &mut SimRedis, name: &str, when_down: WhenDown) -> Self {
        let config = Config {
            // No client here answers pings.
            health: Health {
                ping_interval: Duration::from_secs(3_600),
                ..Health::default()
            },
            rooms: Rooms::Open,
            sse: Some("/sse".into()),
            rates: Rates::unlimited(),
            history: History {
                messages: 100,
                on_join_max: 100,
                ..History::default()
            },
            room_rules: rules(),
            cluster: Some(Clustering {
                node: name.into(),
                when_down,
                ..Clustering::default()
            }),
            ..Config::default()
        };
        let now = Time::from_millis(1_000);
        let seed = name.bytes().map(u64::from).sum();
        let mut node = Self {
            now,
            clustered: Clustered::new(&config, seed, now).expect("a node of a cluster"),
            board: Switchboard::new(config, seed + 1, now).expect("a valid configuration"),
            link: None,
            commands: None,
            is_slow: false,
            is_cut_off: false,
            is_stuck: false,
            is_deaf: false,
            peers: BTreeMap::new(),
        };
        node.passes(redis, Duration::ZERO);
        node
    }

    /// Lets time pass on this node.
    pub(crate) fn passes(&mut self, redis: &mut SimRedis, time: Duration) {
        let end = self.now + time;
        loop {
            self.clustered.tick(self.now, &mut self.board);
            self.runs(redis);
            let next = self.clustered.next_deadline();
            if next > end {
                break;
            }
            self.now = self.now.max(next);
        }
        self.now = end;
        self.board.tick(end);
        self.runs(redis);
    }

    /// From now on nothing arrives through the link, in either direction, until it is `quick` again.
    pub(crate) fn becomes_slow(&mut self) {
        self.is_slow = true;
    }

    pub(crate) fn becomes_quick(&mut self, redis: &mut SimRedis) {
        self.is_slow = false;
        self.runs(redis);
    }

    /// The link ends, and none comes about until the node is back.
    pub(crate) fn is_cut_off(&mut self, redis: &mut SimRedis) {
        self.is_cut_off = true;
        if let Some(link) = self.link.take() {
            redis.disconnect(link);
        }
        self.commands = None;
        self.clustered.lost(self.now, &mut self.board);
        self.runs(redis);
    }

    /// The link ends, and another one comes about.
    pub(crate) fn connects_anew(&mut self, redis: &mut SimRedis) {
        self.is_cut_off(redis);
        (self.is_cut_off, self.is_deaf) = (false, false);
        self.passes(redis, Duration::from_secs(1));
    }

    /// Another link comes about, through which answers arrive one after the other, until the log of a room
    /// is asked for that somebody has missed something of. Then the link is slow.
    pub(crate) fn asks_for_what_was_missed(&mut self, redis: &mut SimRedis) {
        (self.is_cut_off, self.is_slow) = (false, true);
        let reads = |it: &Command| matches!(it, Command::Range(_) | Command::Values(_));
        while !self.commands.iter().flatten().any(reads) {
            if let Some(commands) = self.commands.take() {
                let answers = commands.iter().map(|it| redis.apply(it)).collect();
                let board = &mut self.board;
                self.clustered.answered(self.now, board, answers);
                self.runs(redis);
            } else {
                self.passes(redis, Duration::from_millis(50));
            }
        }
    }

    /// From now on only answers arrive through the link, until there is another one.
    pub(crate) fn goes_deaf(&mut self) {
        self.is_deaf = true;
    }

    /// What is on its way is refused, and another link comes about.
    pub(crate) fn is_refused(&mut self, redis: &mut SimRedis) {
        redis.flush_scripts();
        self.becomes_quick(redis);
        redis.load_scripts();
        self.passes(redis, Duration::from_millis(500));
    }

    /// From now on nothing is written to clients, until the node writes again.
    pub(crate) fn gets_stuck(&mut self) {
        self.is_stuck = true;
    }

    pub(crate) fn writes_again(&mut self, redis: &mut SimRedis) {
        self.is_stuck = false;
        self.runs(redis);
    }

    /// Carries out what the node wants, until it wants nothing.
    pub(crate) fn runs(&mut self, redis: &mut SimRedis) {
        loop {
            self.clustered.exchange(self.now, &mut self.board);
            while self.board.poll_action().is_some() {}
            if !self.is_stuck {
                self.writes();
            }
            if let Some(order) = self.clustered.poll_order() {
                self.obeys(redis, order);
            } else if !self.is_slow
                && !self.is_deaf
                && let Some(link) = self.link
                && let Some((channel, payload)) = redis.take_push(link)
            {
                let board = &mut self.board;
                self.clustered
                    .pushed(self.now, board, (&channel, &payload), None);
            } else if !self.is_slow
                && let Some(commands) = self.commands.take()
            {
                let answers = commands.iter().map(|it| redis.apply(it)).collect();
                let board = &mut self.board;
                self.clustered.answered(self.now, board, answers);
            } else {
                break;
            }
        }
        assert_eq!(self.board.audit(), Ok(()));
    }

    fn obeys(&mut self, redis: &mut SimRedis, order: Output) {
        match order {
            Output::Connect if !self.is_cut_off => {
                self.link = Some(redis.connect());
                let incarnation = redis.incarnation();
                let board = &mut self.board;
                self.clustered.connected(self.now, board, &incarnation);
            }
            Output::Hangup => {
                if let Some(link) = self.link.take() {
                    redis.disconnect(link);
                }
                self.commands = None;
            }
            Output::Subscribe(channels) => {
                for channel in channels {
                    redis.subscribe(self.link.expect("a link"), channel);
                }
            }
            Output::Unsubscribe(channels) => {
                for channel in channels {
                    redis.unsubscribe(self.link.expect("a link"), &channel);
                }
            }
            Output::Send(commands) => self.commands = Some(commands),
            _ => {}
        }
    }

    fn writes(&mut self) {
        loop {
            let mut turn = WriteTurn::default();
            self.board.take_turn(&mut turn, 32);
            for at in 0..turn.len() {
                let (id, bytes) = turn.job(at).expect("a job");
                self.peers.entry(id).or_default().takes(bytes);
                let written = bytes.len();
                turn.wrote(at, written);
            }
            let is_over = turn.is_empty();
            self.board.report(self.now, &mut turn);
            if is_over && !self.board.wants_write() {
                break;
            }
        }
    }

    /// A user comes to the room, from this position if there is one. The session is named as the user.
    pub(crate) fn comes(
        &mut self,
        redis: &mut SimRedis,
        user: &str,
        since: Option<(&str, u64)>,
    ) -> ConnectionId {
        let from = since.map(|(epoch, seq)| format!("&since={epoch}.{seq}"));
        self.comes_from(redis, user, &from.unwrap_or_default())
    }

    /// A new client comes for the last messages.
    pub(crate) fn comes_for_the_last(
        &mut self,
        redis: &mut SimRedis,
        user: &str,
        last: usize,
    ) -> ConnectionId {
        self.comes_from(redis, user, &format!("&last={last}"))
    }

    fn comes_from(&mut self, redis: &mut SimRedis, user: &str, from: &str) -> ConnectionId {
        let head = format!(
            "GET /ws/{ROOM}?session={user}{from} HTTP/1.1\r\nHost: chat.example\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.requests(redis, user, &head)
    }

    /// A user comes to the room whose client names no session.
    pub(crate) fn comes_without_session(
        &mut self,
        redis: &mut SimRedis,
        user: &str,
    ) -> ConnectionId {
        let head = format!(
            "GET /ws/{ROOM} HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.requests(redis, user, &head)
    }

    /// A user opens an event stream in the room. The session is named as the user.
    pub(crate) fn opens_stream(&mut self, redis: &mut SimRedis, user: &str) -> ConnectionId {
        self.opens_stream_with(redis, user, "")
    }

    /// A user opens an event stream again, from a position on.
    pub(crate) fn opens_stream_again(
        &mut self,
        redis: &mut SimRedis,
        user: &str,
        (epoch, seq): (&str, u64),
    ) -> ConnectionId {
        self.opens_stream_with(redis, user, &format!("&since={epoch}.{seq}"))
    }

    fn opens_stream_with(&mut self, redis: &mut SimRedis, user: &str, from: &str) -> ConnectionId {
        let head =
            format!("GET /sse/{ROOM}?session={user}{from} HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        self.requests(redis, user, &head)
    }

    /// Returns the events that a stream has got since the last call, without the first two and comments.
    pub(crate) fn events(&mut self, id: ConnectionId) -> Vec<String> {
        let peer = self.peers.get_mut(&id).expect("a client");
        let events = std::mem::take(peer.events.as_mut().expect("an event stream"));
        let events = events.split_terminator("\n\n").map(str::to_owned);
        let is_told = |event: &String| {
            let first = [
                "event: session",
                r#"{"type":"welcome"#,
                r#"{"type":"presence"#,
            ];
            first.iter().all(|kind| !event.contains(kind))
        };
        events.filter(is_told).collect()
    }

    fn requests(&mut self, redis: &mut SimRedis, user: &str, head: &str) -> ConnectionId {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let id = self.board.connect(self.now, address).expect("a place");
        let known = self.board.config();
        let config = HandshakeConfig {
            endpoint: known.endpoint.clone(),
            pages: false,
            json: true,
            compression: false,
            room_contexts: false,
            sse: known.sse.clone(),
            name_bytes: known.limits.name_bytes,
            tokens: switchboard_core::Tokens::default(),
        };
        let mut handshake = Handshake::new(Arc::new(config));
        let request = handshake.receive(head.as_bytes()).expect("a legal request");
        let request = request.expect("a whole request");
        let _ = self.board.request(self.now, id, &request);
        let verdict = Ok(Identity::user(user));
        let _ = self.board.authenticated(self.now, id, verdict, None);
        self.runs(redis);
        id
    }

    /// A client sets the value of a key.
    pub(crate) fn sets(&mut self, redis: &mut SimRedis, id: ConnectionId, key: &str, value: &str) {
        let value: Value = serde_json::from_str(value).expect("JSON");
        let message = json!({
            "type": "message", "channel": KEYED, "key": key, "content": value, "id": 1,
        });
        self.sends(redis, id, &message);
    }

    /// The application sets the value of a key.
    pub(crate) fn publishes(&mut self, redis: &mut SimRedis, key: &str, value: &str) {
        self.publishes_not_for(redis, (key, value), &[]);
    }

    /// It does, and these users do not get it.
    pub(crate) fn publishes_not_for(
        &mut self,
        redis: &mut SimRedis,
        (key, value): (&str, &str),
        users: &[&str],
    ) {
        let content = Content::parse(value).expect("JSON");
        let exclude = Exclude {
            connections: &[],
            users,
        };
        let published = self
            .board
            .publish_key(self.now, KEYED, key, content, None, exclude);
        assert!(published.is_ok_and(|receipt| receipt.forwarded));
        self.runs(redis);
    }

    /// What a client was told of the keyed room since it was last asked, in short.
    pub(crate) fn told_of_keys(&mut self, id: ConnectionId) -> Vec<String> {
        let peer = self.peers.entry(id).or_default();
        let received = std::mem::take(&mut peer.received).into_iter();
        let told = received.filter(|it| it["channel"] == KEYED || it["type"] == "ack");
        told.filter_map(|it| match it["type"].as_str()? {
            "message" => Some(format!("{} {} {}", it["seq"], it["key"], it["content"])),
            "subscribed" => Some(format!("at {} {}", it["seq"], it["keep"])),
            "ack" => Some(format!("ack {}", it["seq"])),
            "presence" => None,
            "error" => Some(it["code"].to_string()),
            kind => Some(kind.to_owned()),
        })
        .map(|told| told.replace('"', ""))
        .collect()
    }

    /// The application tells this of a user.
    pub(crate) fn tells_of(&mut self, redis: &mut SimRedis, user: &str, info: Option<&str>) {
        let info = info.map(|info| Json::parse(info).expect("JSON"));
        let info = info.map(|info| PresenceInfo::new(info).expect("a short text"));
        assert!(self.board.set_user_presence(self.now, user, info));
        self.runs(redis);
    }

    /// What members of a room are told of a user, as the application sees it.
    pub(crate) fn info_in(&self, room: &str, user: &str) -> Option<&str> {
        let info = self.board.presence_info_in(room, user);
        info.map(PresenceInfo::as_json)
    }

    /// The connection of a client ends without a word.
    pub(crate) fn loses(&mut self, redis: &mut SimRedis, id: ConnectionId) {
        let _ = self.board.handle(self.now, id, Event::Reset);
        self.runs(redis);
    }

    /// A client sends a message to the room, again if it did so before at this number.
    pub(crate) fn says(
        &mut self,
        redis: &mut SimRedis,
        id: ConnectionId,
        (content, request): (&str, u64),
        again: Option<u64>,
    ) {
        let message = json!({
            "type": "message", "channel": ROOM, "content": content, "id": request, "echo": true,
        });
        self.sends_perhaps_again(redis, id, message, again);
    }

    /// The same, but it does not get the message itself.
    pub(crate) fn says_to_others(
        &mut self,
        redis: &mut SimRedis,
        id: ConnectionId,
        (content, request): (&str, u64),
        again: Option<u64>,
    ) {
        let message = json!({
            "type": "message", "channel": ROOM, "content": content, "id": request,
        });
        self.sends_perhaps_again(redis, id, message, again);
    }

    /// A client sets a key of the keyed room to "1" by its request 1, for others.
    pub(crate) fn sets_for_others(
        &mut self,
        redis: &mut SimRedis,
        id: ConnectionId,
        key: &str,
        again: Option<u64>,
    ) {
        let message = json!({
            "type": "message", "channel": KEYED, "key": key, "content": 1, "id": 1,
        });
        self.sends_perhaps_again(redis, id, message, again);
    }

    fn sends_perhaps_again(
        &mut self,
        redis: &mut SimRedis,
        id: ConnectionId,
        mut message: Value,
        again: Option<u64>,
    ) {
        if let Some(again) = again {
            message["again"] = again.into();
        }
        self.sends(redis, id, &message);
    }

    /// The application sends a message to the room, which a connection does not get.
    pub(crate) fn broadcasts_not_for(
        &mut self,
        redis: &mut SimRedis,
        content: &str,
        id: ConnectionId,
    ) {
        let content = json!(content).to_string();
        let content = Content::parse(&content).expect("JSON");
        let exclude = Exclude {
            connections: &[id],
            users: &[],
        };
        let sent = self.board.broadcast(self.now, ROOM, content, None, exclude);
        assert!(sent.is_ok_and(|receipt| receipt.forwarded));
        self.runs(redis);
    }

    /// A client sends a message to a user.
    pub(crate) fn sends_to_user(&mut self, redis: &mut SimRedis, id: ConnectionId, user: &str) {
        let message = json!({"type": "direct", "to": user, "content": "hi", "id": 1});
        self.sends(redis, id, &message);
    }

    /// A client wants to enter a room.
    pub(crate) fn enters(&mut self, redis: &mut SimRedis, id: ConnectionId, room: &str) {
        let message = json!({"type": "subscribe", "channel": room});
        self.sends(redis, id, &message);
    }

    /// A client leaves the room.
    pub(crate) fn exits(&mut self, redis: &mut SimRedis, id: ConnectionId) {
        let message = json!({"type": "unsubscribe", "channel": ROOM});
        self.sends(redis, id, &message);
    }

    fn sends(&mut self, redis: &mut SimRedis, id: ConnectionId, message: &Value) {
        let text = message.to_string();
        let command = parse(&text);
        let question = self.board.command(self.now, id, command);
        if let Some(question) = question.expect("a connection") {
            let _ = self.board.answer(self.now, id, question, Ok(()));
        }
        self.runs(redis);
    }

    /// What a client received since it was last asked, in short, and without presence.
    pub(crate) fn told(&mut self, id: ConnectionId) -> Vec<String> {
        let peer = self.peers.entry(id).or_default();
        let received = std::mem::take(&mut peer.received);
        received.iter().filter_map(short).collect()
    }

    /// What a client was told of who is in a room since it was last asked.
    pub(crate) fn told_of_users(&mut self, id: ConnectionId, room: &str) -> Vec<Value> {
        let peer = self.peers.entry(id).or_default();
        let received = std::mem::take(&mut peer.received).into_iter();
        let told = received.filter(|it| it["type"] == "presence" && it["channel"] == room);
        told.map(|mut it| {
            let fields = it.as_object_mut().expect("an object");
            fields.remove("type");
            fields.remove("channel");
            it
        })
        .collect()
    }

    /// Whether a client's next message has to wait.
    pub(crate) fn waits(&self, id: ConnectionId) -> bool {
        self.board.is_undecided(id)
    }

    /// Whether a user is on this node.
    pub(crate) fn has_user(&self, user: &str) -> bool {
        self.board.is_connected(user)
    }

    /// Where the room is on this node.
    pub(crate) fn position(&self) -> (Arc<str>, u64) {
        let at = self.board.position(ROOM).expect("a room");
        (at.epoch, at.seq)
    }
}

fn short(message: &Value) -> Option<String> {
    Some(match message["type"].as_str().expect("a type") {
        "presence" | "welcome" => return None,
        "subscribed" => format!("at {} {}", message["seq"], message["recovered"]),
        "message" => format!("{} {}", message["seq"], message["content"]),
        "ack" if message["duplicate"] == true => format!("had {}", message["seq"]),
        "ack" if message["seq"].is_null() => format!("delivered {}", message["delivered"]),
        "ack" => format!("ack {}", message["seq"]),
        "error" => message["code"].as_str().expect("a code").to_owned(),
        kind => kind.to_owned(),
    })
}

impl Peer {
    fn takes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if !self.upgraded {
            let Some(end) = self.bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
                return;
            };
            if self.bytes.starts_with(b"HTTP/1.1 200") {
                self.events = Some(String::new());
            }
            self.bytes.drain(..end + 4);
            self.upgraded = true;
        }
        if let Some(events) = &mut self.events {
            let some = std::mem::take(&mut self.bytes);
            events.push_str(&String::from_utf8(some).expect("text"));
            return;
        }
        while let Some(frame) = split(&self.bytes).expect("a frame") {
            let len = frame.len;
            let content: Received = frame.content().expect("a valid frame").into();
            if let Received::Text(text) = content {
                let message = serde_json::from_str(&text).expect("JSON");
                self.received.push(message);
            }
            self.bytes.drain(..len);
        }
    }
}

//! The clients of a node, and what the application does for them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_core::protocol::{Content, Json, parse};
use switchboard_core::{
    ConnectionId, Event, Exclude, Handshake, HandshakeConfig, Identity, PresenceInfo,
};
use switchboard_tests::broker::SimRedis;

use crate::node::{KEYED, Node, ROOM};

/// The time within which the next part is due.
const PART: Duration = Duration::from_micros(1);

impl Node {
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
        self.requests(redis, user, &head_without_session())
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

    /// Many connections come to the room at once, these users' in turn.
    pub(crate) fn crowd_comes(
        &mut self,
        redis: &mut SimRedis,
        users: &[&str],
        count: usize,
    ) -> Vec<ConnectionId> {
        let head = head_without_session();
        let users = users.iter().cycle().take(count);
        let ids = users.map(|user| self.asks_for(user, &head)).collect();
        self.runs(redis);
        while self.goes_on(redis) {}
        ids
    }

    /// The node does another part of what it does in parts. Returns whether there was one.
    pub(crate) fn goes_on(&mut self, redis: &mut SimRedis) -> bool {
        let next = self.board.next_deadline();
        let Some(due) = next.filter(|&at| at <= self.now + PART) else {
            return false;
        };
        self.now = self.now.max(due);
        self.board.tick(self.now);
        self.runs(redis);
        true
    }

    fn requests(&mut self, redis: &mut SimRedis, user: &str, head: &str) -> ConnectionId {
        let id = self.asks_for(user, head);
        self.runs(redis);
        id
    }

    fn asks_for(&mut self, user: &str, head: &str) -> ConnectionId {
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
}

fn head_without_session() -> String {
    format!(
        "GET /ws/{ROOM} HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
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

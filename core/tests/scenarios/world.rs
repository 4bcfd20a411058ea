//! A switchboard with its clock and its clients.

mod acts;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use switchboard_core::session::Meter;
use switchboard_core::{
    Action, Config, ConnectionId, Denied, Event, Handshake, HandshakeConfig, Identity, Notice,
    Refused, Request, RequestOutcome, Switchboard, Time, Wire, WriteTurn,
};
use switchboard_kit::Received;

use crate::client::Peer;

/// A handle to a client of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client(pub(crate) usize);

/// A message of a client: JSON, or any text.
pub(crate) struct Said(String);

impl From<Value> for Said {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl From<&str> for Said {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A switchboard with its driver and its clients. The application authenticates a client as the
/// user that its token names, and allows every request unless `denies` is set.
pub(crate) struct World {
    pub(crate) board: Switchboard,
    /// What each connection may send.
    meters: BTreeMap<ConnectionId, Meter>,
    pub(crate) now: Time,
    pub(crate) notices: Vec<Notice>,
    /// The application's refusal of all requests, if any.
    pub(crate) denies: Option<Denied>,
    /// The number of sends so far.
    pub(crate) sends: usize,
    pub(crate) peers: Vec<Peer>,
    by_id: BTreeMap<ConnectionId, usize>,
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Construction and time.
impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::at(Time::from_millis(1_000_000), change)
    }

    pub(crate) fn at(now: Time, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        Self {
            board: Switchboard::new(config, 7, now).expect("a valid configuration"),
            meters: BTreeMap::new(),
            now,
            notices: Vec::new(),
            denies: None,
            sends: 0,
            peers: Vec::new(),
            by_id: BTreeMap::new(),
        }
    }

    /// Advances time like a driver, waking at each deadline and at the end.
    pub(crate) fn advance(&mut self, by: Duration) {
        let _ = self.wakes_within(by);
    }

    /// Like [`advance`](Self::advance), but returns the number of wake-ups for deadlines.
    pub(crate) fn wakes_within(&mut self, by: Duration) -> usize {
        let end = self.now + by;
        let mut wakes = 0;
        self.flush();
        while let Some(at) = self.board.next_deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.tick();
            wakes += 1;
        }
        self.now = end;
        wakes
    }

    pub(crate) fn tick(&mut self) {
        self.board.tick(self.now);
        let next = self.board.next_deadline();
        assert!(
            next.is_none_or(|at| at > self.now),
            "due at {next:?}, ticked at {:?}",
            self.now
        );
        self.flush();
    }

    /// Advances time without a call, like a stalled host.
    pub(crate) fn freeze(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Carries out the switchboard's effects until there are no more.
    pub(crate) fn flush(&mut self) {
        loop {
            self.act();
            if !self.write() {
                break;
            }
        }
        if self.peers.len() <= 200 {
            self.audit();
        }
    }

    /// Carries out the actions.
    fn act(&mut self) {
        while let Some(action) = self.board.poll_action() {
            match action {
                Action::ShutdownWrite(id) => {
                    let peer = &mut self.peers[self.by_id[&id]];
                    peer.shut = true;
                    if peer.polite {
                        self.event(id, Event::Eof);
                    }
                }
                Action::Evict { id, last } => {
                    let peer = &mut self.peers[self.by_id[&id]];
                    if let Some(frame) = last {
                        peer.receive(frame.as_bytes());
                    }
                    peer.gone = true;
                }
                Action::Notify(notice) => self.notices.push(notice),
                _ => {}
            }
        }
    }

    pub(crate) fn audit(&self) {
        assert_eq!(self.board.audit(), Ok(()));
    }

    /// Takes a turn of writing; returns whether there was something to write.
    fn write(&mut self) -> bool {
        let mut turn = WriteTurn::default();
        self.board.take_turn(&mut turn, 32);
        let mut pings = Vec::new();
        for at in 0..turn.len() {
            self.sends += 1;
            let (id, bytes) = turn.job(at).expect("a job");
            let peer = &mut self.peers[self.by_id[&id]];
            let before = peer.frames.len();
            let taken = peer.receive(bytes);
            peer.blocked = taken < bytes.len();
            let frames = peer.frames[before..].iter().filter(|_| peer.answers);
            pings.extend(frames.filter_map(|frame| match frame {
                Received::Ping(payload) => Some((id, payload.clone())),
                _ => None,
            }));
            turn.wrote(at, taken);
        }
        let some = !turn.is_empty();
        self.board.report(self.now, &mut turn);
        for (id, payload) in pings {
            self.event(id, Event::Heard);
            self.event(id, Event::Pong(&payload));
        }
        some || self.board.wants_write()
    }

    fn event(&mut self, id: ConnectionId, event: Event<'_>) {
        let _ = self.board.handle(self.now, id, event);
    }
}

/// Connecting.
impl World {
    /// Opens a TCP connection from this address.
    pub(crate) fn arrives(&mut self, from: IpAddr) -> Result<Client, Refused> {
        let id = self.board.connect(self.now, from)?;
        Ok(self.add(id, false))
    }

    /// Opens a TCP connection of a client that never ends its side.
    pub(crate) fn arrives_to_stay(&mut self) -> Client {
        let id = self.board.connect(self.now, self.new_address());
        let mut peer = Peer::new(id.expect("a handshake seat"), false);
        peer.polite = false;
        self.add_peer(peer)
    }

    pub(crate) fn add(&mut self, id: ConnectionId, upgraded: bool) -> Client {
        self.add_peer(Peer::new(id, upgraded))
    }

    fn add_peer(&mut self, peer: Peer) -> Client {
        self.by_id.insert(peer.id, self.peers.len());
        self.peers.push(peer);
        self.flush();
        Client(self.peers.len() - 1)
    }

    /// Returns an unused address.
    pub(crate) fn new_address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + self.peers.len() as u32))
    }

    /// Parses the request of a client like a driver.
    pub(crate) fn request(&self, target: &str, headers: &str, peer: IpAddr) -> Request {
        let config = self.board.config();
        let config = HandshakeConfig {
            endpoint: config.endpoint.clone(),
            pages: true,
            json: config.wire == Wire::Json,
            compression: config.compression.is_some(),
            room_contexts: config.compression.is_some_and(|it| it.room_contexts > 0),
            sse: config.sse.clone(),
            name_bytes: config.limits.name_bytes,
            tokens: switchboard_core::Tokens::default(),
        };
        let text = format!(
            "GET {target} HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        let mut handshake = Handshake::new(Arc::new(config));
        let request = handshake.receive(text.as_bytes()).expect("a legal request");
        let mut request = request.expect("a whole request");
        request.set_peer(self.board.client_address(peer, &request));
        request
    }

    /// Connects and sends a request, which the application has not seen yet.
    pub(crate) fn asks(
        &mut self,
        from: IpAddr,
        target: &str,
        headers: &str,
    ) -> (Client, RequestOutcome) {
        let client = self.arrives(from).expect("a handshake seat");
        let answer = self.asks_on(client, from, target, headers);
        (client, answer)
    }

    pub(crate) fn asks_on(
        &mut self,
        client: Client,
        from: IpAddr,
        target: &str,
        headers: &str,
    ) -> RequestOutcome {
        let request = self.request(target, headers, from);
        let answer = self.board.request(self.now, self.id(client), &request);
        self.flush();
        answer.expect("a connection that is there")
    }

    pub(crate) fn authenticate(&mut self, client: Client, verdict: Result<Identity, Refused>) {
        let id = self.id(client);
        let _ = self.board.authenticated(self.now, id, verdict, None);
        self.flush();
    }

    /// Tries to connect as this user, to this lobby (none if empty), from this address.
    pub(crate) fn tries_from(&mut self, from: IpAddr, user: &str, lobby: &str) -> Client {
        let (client, answer) = self.asks(from, &target(lobby), "");
        if answer == RequestOutcome::Authenticate {
            self.authenticate(client, verdict(user));
        }
        client
    }

    /// Tries to connect from an address of its own.
    pub(crate) fn tries(&mut self, user: &str, lobby: &str) -> Client {
        self.tries_from(self.new_address(), user, lobby)
    }

    /// Connects; must be admitted.
    pub(crate) fn connect(&mut self, user: &str, lobby: &str) -> Client {
        let client = self.tries(user, lobby);
        assert!(self.is_open(client), "{user} was not let in");
        client
    }

    /// Connects as a client that inflates messages with a window of so many bits.
    pub(crate) fn connect_inflating(&mut self, user: &str, lobby: &str, bits: u8) -> Client {
        let client = self.offers_to_inflate(lobby, bits);
        self.authenticate(client, verdict(user));
        client
    }

    /// Asks for an upgrade as such a client.
    pub(crate) fn offers_to_inflate(&mut self, lobby: &str, bits: u8) -> Client {
        let offer = format!(
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={bits}\r\n"
        );
        let (client, answer) = self.asks(self.new_address(), &target(lobby), &offer);
        assert_eq!(answer, RequestOutcome::Authenticate);
        self.peer_mut(client).bits = Some(bits);
        client
    }

    /// Connects as a client that keeps what it has inflated.
    pub(crate) fn connect_keeping(&mut self, user: &str, lobby: &str) -> Client {
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let (client, answer) = self.asks(self.new_address(), &target(lobby), offer);
        assert_eq!(answer, RequestOutcome::Authenticate);
        self.peer_mut(client).bits = Some(15);
        self.authenticate(client, verdict(user));
        client
    }

    /// Connects to this target as this user, from an address of its own.
    pub(crate) fn comes(&mut self, user: &str, target: &str) -> Client {
        let (client, answer) = self.asks(self.new_address(), target, "");
        if answer == RequestOutcome::Authenticate {
            self.authenticate(client, verdict(user));
        }
        client
    }

    /// Connects without a token, to authenticate by the first message.
    pub(crate) fn connect_to_log_in(&mut self, lobby: &str) -> Client {
        let (client, _) = self.asks(self.new_address(), &target(lobby), "");
        self.authenticate(client, Ok(Identity::FirstMessage));
        client
    }
}

fn target(lobby: &str) -> String {
    if lobby.is_empty() {
        "/ws".to_owned()
    } else {
        format!("/ws/{lobby}")
    }
}

/// The application's verdict on a token: the user's name, optionally followed by `:` and its
/// lifetime in seconds.
pub(crate) fn verdict(token: &str) -> Result<Identity, Refused> {
    match token {
        "" => Ok(Identity::Anonymous),
        "wrong" => Err(Refused::Unauthorized),
        "forbidden" => Err(Refused::Forbidden),
        "broken" => Err(Refused::Internal),
        _ => {
            let (name, expires) = token.split_once(':').unwrap_or((token, ""));
            Ok(Identity::User {
                name: name.to_owned(),
                expires_in: expires.parse().ok().map(Duration::from_secs),
            })
        }
    }
}

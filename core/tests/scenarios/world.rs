//! A switchboard, its clock and its clients.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use switchboard_core::protocol::parse;
use switchboard_core::{
    Action, Chunk, Config, ConnectionId, Denied, Event, Handshake, HandshakeConfig, Identity,
    Notice, Question, Refused, Request, RequestOutcome, Switchboard, Time, Wire,
};

use crate::client::{Peer, Received};

/// One of the clients of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client(pub(crate) usize);

/// What a client says: JSON, or any text.
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

/// A switchboard with its driver and its clients. The application logs a client in as the user
/// that its token names, and allows what it is asked unless `denies` says otherwise.
pub(crate) struct World {
    pub(crate) board: Switchboard,
    pub(crate) now: Time,
    pub(crate) notices: Vec<Notice>,
    /// What the application answers to questions.
    pub(crate) denies: Option<Denied>,
    /// The order in which bytes went to clients.
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

/// Building and time.
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
            board: Switchboard::new(config, 7, now).expect("a configuration that fits"),
            now,
            notices: Vec::new(),
            denies: None,
            sends: 0,
            peers: Vec::new(),
            by_id: BTreeMap::new(),
        }
    }

    /// Lets time pass as a driver does: it wakes at each deadline, and at the end.
    pub(crate) fn advance(&mut self, by: Duration) {
        let _ = self.wakes_within(by);
    }

    /// The same, and how often it woke for a deadline.
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

    /// The host stands still: time passes, and nobody is called.
    pub(crate) fn freeze(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Does all that the switchboard wants done, as often as that makes it want more.
    pub(crate) fn flush(&mut self) {
        while let Some(action) = self.board.poll_action() {
            match action {
                Action::Send(id) => self.write(id),
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
        if self.peers.len() <= 200 {
            self.audit();
        }
    }

    pub(crate) fn audit(&self) {
        assert_eq!(self.board.audit(), Ok(()));
    }

    fn write(&mut self, id: ConnectionId) {
        self.sends += 1;
        let mut out = Vec::new();
        let bytes = match self.board.transmit(id, &mut out, 64 << 10) {
            Chunk::Nothing => Vec::new(),
            Chunk::Copied(_) => out,
            Chunk::Shared(frame, from) => frame.as_bytes()[from..].to_vec(),
        };
        let peer = &mut self.peers[self.by_id[&id]];
        let before = peer.frames.len();
        let taken = peer.receive(&bytes);
        peer.blocked = taken < bytes.len();
        let pings: Vec<_> = peer.frames[before..]
            .iter()
            .filter(|_| peer.answers)
            .filter_map(|frame| match frame {
                Received::Ping(payload) => Some(payload.clone()),
                _ => None,
            })
            .collect();
        self.event(id, Event::Wrote(taken));
        for payload in pings {
            self.event(id, Event::Heard);
            self.event(id, Event::Pong(&payload));
        }
    }

    fn event(&mut self, id: ConnectionId, event: Event<'_>) {
        let _ = self.board.handle(self.now, id, event);
    }
}

/// Coming in.
impl World {
    /// A TCP connection from this address.
    pub(crate) fn arrives(&mut self, from: IpAddr) -> Result<Client, Refused> {
        let id = self.board.connect(self.now, from)?;
        Ok(self.add(id, false))
    }

    /// A TCP connection of a client that never ends its side.
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

    /// An address that nobody else has.
    pub(crate) fn new_address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + self.peers.len() as u32))
    }

    /// The request that a client sends, read as a driver reads it.
    pub(crate) fn request(&self, target: &str, headers: &str, peer: IpAddr) -> Request {
        let config = self.board.config();
        let config = HandshakeConfig {
            endpoint: config.endpoint.clone(),
            pages: true,
            json: config.wire == Wire::Json,
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

    /// Arrives and asks; the application has not been asked yet.
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

    /// Tries to come in as this user, into this lobby (none if empty), from this address.
    pub(crate) fn tries_from(&mut self, from: IpAddr, user: &str, lobby: &str) -> Client {
        let (client, answer) = self.asks(from, &target(lobby), "");
        if answer == RequestOutcome::Authenticate {
            self.authenticate(client, verdict(user));
        }
        client
    }

    /// Tries to come in, from an address of its own.
    pub(crate) fn tries(&mut self, user: &str, lobby: &str) -> Client {
        self.tries_from(self.new_address(), user, lobby)
    }

    /// Comes in.
    pub(crate) fn connect(&mut self, user: &str, lobby: &str) -> Client {
        let client = self.tries(user, lobby);
        assert!(self.is_open(client), "{user} was not let in");
        client
    }

    /// Upgraded, and to say who it is in its first message.
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

/// What the application says to a token: it is the user's name, then perhaps `:` and the seconds
/// for which it is good.
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

/// What clients do.
impl World {
    /// Sends a text message; the application answers at once what it is asked.
    pub(crate) fn says(&mut self, client: Client, text: impl Into<Said>) {
        if let Some(question) = self.asks_to(client, text) {
            self.answer(client, question);
        }
        self.flush();
    }

    /// Sends a text message; what the application is asked about it.
    pub(crate) fn asks_to(&mut self, client: Client, text: impl Into<Said>) -> Option<Question> {
        let (id, Said(text)) = (self.id(client), text.into());
        self.event(id, Event::Heard);
        let taken = self.board.message(self.now, id, false, text.len());
        if taken != Ok(true) {
            self.flush();
            return None;
        }
        let question = self.board.command(self.now, id, parse(&text));
        self.flush();
        question.ok().flatten()
    }

    pub(crate) fn answer(&mut self, client: Client, question: Question) {
        let id = self.id(client);
        let _ = match question {
            Question::Token { token, request } => {
                let verdict = verdict(token.reveal());
                self.board
                    .authenticated(self.now, id, verdict, request.as_ref())
            }
            other => {
                let answer = self.denies.map_or(Ok(()), Err);
                self.board.answer(self.now, id, other, answer)
            }
        };
        self.flush();
    }

    /// Sends a binary message; says whether it is to be processed.
    pub(crate) fn sends_binary(&mut self, client: Client, bytes: usize) -> bool {
        let id = self.id(client);
        let taken = self.board.message(self.now, id, true, bytes);
        self.flush();
        taken.unwrap_or(false)
    }

    /// Anything else that happens on its socket.
    pub(crate) fn happens(&mut self, client: Client, event: Event<'_>) {
        self.event(self.id(client), event);
        self.flush();
    }

    /// Its socket takes so many bytes more, and then none.
    pub(crate) fn stops_reading_after(&mut self, client: Client, bytes: usize) {
        self.peer_mut(client).room = Some(bytes);
    }

    /// Its socket takes so many bytes more.
    pub(crate) fn reads(&mut self, client: Client, bytes: usize) {
        let peer = self.peer_mut(client);
        peer.room = peer.room.map(|room| room + bytes);
        self.happens(client, Event::Writable);
    }

    /// Its socket takes everything again.
    pub(crate) fn reads_all(&mut self, client: Client) {
        self.peer_mut(client).room = None;
        self.happens(client, Event::Writable);
    }

    /// It answers nothing any more, not even the end.
    pub(crate) fn falls_silent(&mut self, client: Client) {
        let peer = self.peer_mut(client);
        (peer.answers, peer.polite) = (false, false);
    }

    pub(crate) fn keeps_its_side_open(&mut self, client: Client) {
        self.peer_mut(client).polite = false;
    }
}

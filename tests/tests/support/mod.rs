//! A switchboard and a minimal driver in virtual time, for tests of one rule and for bounds.
#![allow(dead_code)] // each test binary uses its part of this

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use switchboard_core::protocol::{Content, parse};
use switchboard_core::{
    Action, Config, ConnectionId, Event, Exclude, Handshake, HandshakeConfig, Identity, Receipt,
    Request, Switchboard, Time, WriteTurn,
};

/// Milliseconds.
pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the evicted connections.
pub(crate) fn evictions(actions: &[Action]) -> Vec<ConnectionId> {
    let gone = actions.iter().filter_map(|action| match action {
        Action::Evict { id, .. } => Some(*id),
        _ => None,
    });
    gone.collect()
}

/// A switchboard in virtual time.
pub(crate) struct World {
    pub(crate) board: Switchboard,
    pub(crate) now: Time,
    /// Reused, as in a runtime.
    turn: WriteTurn,
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + number))
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let now = Time::from_millis(1_000);
        let board = Switchboard::new(config, 1, now).expect("a valid configuration");
        let turn = WriteTurn::default();
        Self { board, now, turn }
    }

    /// Returns the request of the client with this number.
    pub(crate) fn request(number: u32, lobby: Option<&str>) -> Request {
        let headers = std::iter::empty::<(&str, &str)>();
        let mut request =
            Request::upgraded("/ws", lobby.map(str::to_owned), headers).expect("a valid request");
        request.set_peer(address(number));
        request
    }

    pub(crate) fn connect(&mut self, number: u32) -> ConnectionId {
        let peer = address(number);
        self.board.connect(self.now, peer).expect("a seat")
    }

    /// Connects and reads the request.
    pub(crate) fn arrive(&mut self, number: u32, lobby: Option<&str>) -> ConnectionId {
        let id = self.connect(number);
        let request = Self::request(number, lobby);
        let outcome = self.board.upgraded(self.now, id, &request);
        outcome.expect("a live connection");
        id
    }

    pub(crate) fn admit(&mut self, id: ConnectionId, identity: Identity) {
        let _ = self.board.authenticated(self.now, id, Ok(identity), None);
    }

    /// Returns an open connection of a user.
    pub(crate) fn enter(&mut self, name: &str, lobby: Option<&str>) -> ConnectionId {
        let id = self.arrive(1, lobby);
        self.admit(id, Identity::user(name));
        id
    }

    /// Returns an open connection of a user of its own, at an address of its own.
    pub(crate) fn enter_alone(&mut self, number: u32, lobby: Option<&str>) -> ConnectionId {
        let id = self.arrive(number, lobby);
        self.admit(id, Identity::user(format!("user-{number}")));
        self.forget();
        id
    }

    /// Like [`enter`](Self::enter), but the HTTP response is not written yet.
    pub(crate) fn enter_by_http(&mut self, name: &str) -> ConnectionId {
        let id = self.connect(1);
        let head = "GET /ws HTTP/1.1\r\nHost: here.test\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let config = HandshakeConfig {
            endpoint: switchboard_core::Endpoint::default(),
            pages: false,
            json: true,
            compression: false,
            room_contexts: false,
            sse: None,
            name_bytes: 128,
            tokens: switchboard_core::Tokens::default(),
        };
        let request = Handshake::new(config.into()).receive(head.as_bytes());
        let request = request
            .expect("a valid request")
            .expect("a complete request");
        self.board
            .request(self.now, id, &request)
            .expect("a live connection");
        self.admit(id, Identity::user(name));
        id
    }

    pub(crate) fn handle(&mut self, id: ConnectionId, event: Event<'_>) {
        self.board
            .handle(self.now, id, event)
            .expect("a live connection");
    }

    pub(crate) fn unsubscribe(&mut self, id: ConnectionId, room: &str) {
        let text = format!(r#"{{"type":"unsubscribe","channel":"{room}"}}"#);
        let _ = self.board.command(self.now, id, parse(&text));
    }

    /// Lets time pass, with a tick at each deadline.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.board.next_deadline().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.board.tick(self.now);
        }
        self.now = until;
        self.board.tick(until);
    }

    pub(crate) fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.board.poll_action()).collect()
    }

    /// Blocks the connection's socket.
    pub(crate) fn block(&mut self, id: ConnectionId) {
        self.write(|next, bytes| if next == id { 0 } else { bytes.len() });
    }

    /// Returns everything queued for one connection; discards what is queued for others.
    pub(crate) fn read(&mut self, id: ConnectionId) -> Vec<u8> {
        let mut all = Vec::new();
        self.write(|next, bytes| {
            if next == id {
                all.extend_from_slice(bytes);
            }
            bytes.len()
        });
        all
    }

    /// Writes what waits, until nothing is left that can be written. `write` returns how many bytes
    /// a socket takes.
    pub(crate) fn write(&mut self, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        while self.board.wants_write() {
            self.board.take_turn(&mut self.turn, 32);
            self.turn.write_each(&mut write);
            self.board.report(self.now, &mut self.turn);
        }
    }

    /// Takes what waits for one connection, for which alone something does.
    pub(crate) fn take(&mut self, id: ConnectionId) -> WriteTurn {
        let mut turn = WriteTurn::default();
        self.board.take_turn(&mut turn, 32);
        assert_eq!(turn.len(), 1);
        assert!(turn.job(0).is_some_and(|(taken, _)| taken == id));
        turn
    }

    /// Reports that this many of the bytes in a turn were written.
    pub(crate) fn wrote(&mut self, mut turn: WriteTurn, bytes: usize) {
        turn.wrote(0, bytes);
        self.board.report(self.now, &mut turn);
    }

    pub(crate) fn audit(&self) {
        if let Err(inconsistency) = self.board.audit() {
            panic!("{inconsistency}");
        }
    }

    pub(crate) fn happens(&mut self, id: ConnectionId, event: Event<'_>) {
        self.board
            .handle(self.now, id, event)
            .expect("a live connection");
        self.forget();
    }

    /// Sends a text message; a question to the application is answered with yes.
    pub(crate) fn say(&mut self, id: ConnectionId, text: &str) {
        let (board, now) = (&mut self.board, self.now);
        if board.message(now, id, false, text.len(), Ok(())) == Ok(true)
            && let Ok(Some(question)) = board.command(now, id, parse(text))
        {
            let _ = board.answer(now, id, question, Ok(()));
        }
        self.forget();
    }

    pub(crate) fn broadcast(&mut self, room: &str, content: &str) -> Receipt {
        let content = Content::parse(content).expect("JSON");
        let sent = self
            .board
            .broadcast(self.now, room, content, None, Exclude::NOBODY);
        sent.expect("the message fits")
    }

    pub(crate) fn forget(&mut self) {
        while self.board.poll_action().is_some() {}
    }

    /// Writes everything that is queued.
    pub(crate) fn flush(&mut self) {
        self.write(|_, bytes| bytes.len());
        self.forget();
    }

    /// Lets time pass, with a tick at every deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.board.next_deadline().filter(|&due| due <= end) {
            self.now = due.max(self.now);
            self.board.tick(self.now);
            self.flush();
        }
        self.now = end;
        self.board.tick(end);
        self.flush();
    }
}

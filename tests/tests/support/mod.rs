//! A switchboard and a minimal driver, for tests of one rule.

use std::time::Duration;

use switchboard_core::protocol::parse;
use switchboard_core::{
    Action, Chunk, Config, ConnectionId, Event, Handshake, HandshakeConfig, Identity, Request,
    Switchboard, Time,
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
    pub(crate) sys: Switchboard,
    pub(crate) now: Time,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let now = Time::from_millis(1_000);
        let sys = Switchboard::new(config, 1, now).expect("a valid configuration");
        Self { sys, now }
    }

    pub(crate) fn request(lobby: Option<&str>) -> Request {
        let headers = std::iter::empty::<(&str, &str)>();
        let mut request =
            Request::upgraded("/ws", lobby.map(str::to_owned), headers).expect("a valid request");
        request.set_peer("10.0.0.1".parse().expect("an address"));
        request
    }

    /// Connects and reads the request.
    pub(crate) fn arrive(&mut self) -> ConnectionId {
        self.arrive_at(None)
    }

    pub(crate) fn arrive_at(&mut self, lobby: Option<&str>) -> ConnectionId {
        let peer = "10.0.0.1".parse().expect("an address");
        let id = self.sys.connect(self.now, peer).expect("a seat");
        let request = Self::request(lobby);
        self.sys
            .upgraded(self.now, id, &request)
            .expect("a live connection");
        id
    }

    pub(crate) fn admit(&mut self, id: ConnectionId, identity: Identity) {
        let _ = self.sys.authenticated(self.now, id, Ok(identity), None);
    }

    /// Returns an open connection of a user.
    pub(crate) fn enter(&mut self, name: &str, lobby: Option<&str>) -> ConnectionId {
        let id = self.arrive_at(lobby);
        let (name, expires_in) = (name.to_owned(), None);
        self.admit(id, Identity::User { name, expires_in });
        id
    }

    /// The same, but the HTTP response is not written yet.
    pub(crate) fn enter_by_http(&mut self, name: &str) -> ConnectionId {
        let peer = "10.0.0.1".parse().expect("an address");
        let id = self.sys.connect(self.now, peer).expect("a seat");
        let head = "GET /ws HTTP/1.1\r\nHost: here.test\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let config = HandshakeConfig {
            endpoint: switchboard_core::Endpoint::default(),
            pages: false,
            json: true,
            name_bytes: 128,
            tokens: switchboard_core::Tokens::default(),
        };
        let request = Handshake::new(config.into()).receive(head.as_bytes());
        let request = request
            .expect("a valid request")
            .expect("a complete request");
        self.sys
            .request(self.now, id, &request)
            .expect("a live connection");
        let (name, expires_in) = (name.to_owned(), None);
        self.admit(id, Identity::User { name, expires_in });
        id
    }

    pub(crate) fn handle(&mut self, id: ConnectionId, event: Event<'_>) {
        self.sys
            .handle(self.now, id, event)
            .expect("a live connection");
    }

    pub(crate) fn unsubscribe(&mut self, id: ConnectionId, room: &str) {
        let text = format!(r#"{{"type":"unsubscribe","channel":"{room}"}}"#);
        let _ = self.sys.command(self.now, id, parse(&text));
    }

    /// Lets time pass, with a tick at each deadline.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.sys.next_deadline().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.sys.tick(self.now);
        }
        self.now = until;
        self.sys.tick(until);
    }

    pub(crate) fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.sys.poll_notice()).collect()
    }

    /// Blocks the connection's socket.
    pub(crate) fn block(&mut self, id: ConnectionId) {
        while let Some(next) = self.sys.poll_send() {
            let mut out = Vec::new();
            let taken = match self.sys.transmit(next, &mut out, 1 << 16) {
                Chunk::Shared(frame, from) => frame.len() - from,
                _ => out.len(),
            };
            let written = if next == id { 0 } else { taken };
            self.handle(next, Event::Wrote(written));
        }
    }

    /// Returns everything queued for one connection; discards what is queued for others.
    pub(crate) fn read(&mut self, id: ConnectionId) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(next) = self.sys.poll_send() {
            let mut out = Vec::new();
            if let Chunk::Shared(frame, from) = self.sys.transmit(next, &mut out, 1 << 16) {
                out.extend_from_slice(&frame.as_bytes()[from..]);
            }
            self.handle(next, Event::Wrote(out.len()));
            if next == id {
                all.extend(out);
            }
        }
        all
    }

    pub(crate) fn audit(&self) {
        if let Err(inconsistency) = self.sys.audit() {
            panic!("{inconsistency}");
        }
    }
}

//! A switchboard with clients in virtual time. All output is discarded.

use std::iter::empty;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use switchboard_core::protocol::{Content, parse};
use switchboard_core::{
    Chunk, Config, ConnectionId, Direct, Event, Exclude, Identity, Rates, Receipt, Request,
    RequestOutcome, Rooms, Switchboard, Time,
};

pub(crate) struct World {
    pub(crate) board: Switchboard,
    pub(crate) now: Time,
    /// Reused, as in a runtime.
    buffer: Vec<u8>,
}

/// Limits large enough for a storm of connections.
pub(crate) fn config() -> Config {
    let mut config = Config {
        rates: Rates::unlimited(),
        rooms: Rooms::Open,
        direct: Direct::Open,
        ..Config::default()
    };
    config.limits.connections = 20_000;
    config.limits.handshakes = 20_000;
    config.limits.per_ip = 20_000;
    config.limits.room_members = 20_000;
    config.limits.closing = 20_000;
    config.limits.queued_bytes = 4 << 30;
    config.health.ping_interval = Duration::from_secs(3_600);
    config
}

const fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + number))
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let now = Time::from_millis(1_000);
        Self {
            board: Switchboard::new(config, 1, now).expect("a valid configuration"),
            now,
            buffer: Vec::with_capacity(1 << 16),
        }
    }

    pub(crate) fn connect(&mut self, number: u32) -> ConnectionId {
        let peer = address(number);
        self.board.connect(self.now, peer).expect("a seat")
    }

    /// Connects a user of its own.
    pub(crate) fn enter(&mut self, number: u32, lobby: Option<&str>) -> ConnectionId {
        let (id, peer) = (self.connect(number), address(number));
        let lobby = lobby.map(str::to_owned);
        let nothing = empty::<(&str, &str)>();
        let mut request = Request::upgraded("/ws", lobby, nothing).expect("a valid request");
        request.set_peer(peer);
        let answer = self.board.upgraded(self.now, id, &request);
        assert_eq!(answer, Ok(RequestOutcome::Authenticate));
        let user = Identity::user(format!("user-{number}"));
        self.board
            .authenticated(self.now, id, Ok(user), None)
            .expect("a live connection");
        self.forget();
        id
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
        while self.board.poll_notice().is_some() {}
    }

    /// Writes everything that is queued.
    pub(crate) fn flush(&mut self) {
        while let Some(id) = self.board.poll_send() {
            self.buffer.clear();
            let written = match self.board.transmit(id, &mut self.buffer, 1 << 15) {
                Chunk::Nothing => 0,
                Chunk::Copied(bytes) => bytes,
                Chunk::Shared(frame, from) => frame.len() - from,
            };
            let _ = self.board.handle(self.now, id, Event::Wrote(written));
        }
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

//! A switchboard with many connections in virtual time, without peers.
#![allow(dead_code, unreachable_pub, missing_docs)] // each benchmark uses its part of this

use std::iter::empty;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use switchboard_core::protocol::{Content, parse};
use switchboard_core::{
    Config, ConnectionId, Decoder, DecoderLimits, Direct, Event, Exclude, Frame, Identity,
    Incoming, PerMessageDeflate, Rate, Request, Rooms, Switchboard, Time, WriteTurn,
};

/// JSON content that makes a message of about 100 bytes.
pub const CONTENT: &str = r#""a message of so many bytes that its frame has 100""#;

pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const TURN: usize = 32;

pub struct World {
    pub switchboard: Switchboard,
    pub now: Time,
    pub ids: Vec<ConnectionId>,
    users: usize,
    turn: WriteTurn,
    /// Pings that were read, and not answered.
    pings: Vec<(ConnectionId, Vec<u8>)>,
}

/// Everything enabled, with limits that are never reached.
pub fn config() -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.connections = 2_000_000;
    limits.per_ip = 2_000_000;
    limits.room_members = 2_000_000;
    limits.rooms = 2_000_000;
    limits.queued_bytes = 4 << 30;
    config.rates.connects = None;
    config.rates.messages = Some(Rate {
        per_second: 1_000_000,
        burst: 2_000_000,
    });
    config.rates.bytes = Some(Rate {
        per_second: 1 << 30,
        burst: 2 << 30,
    });
    config.rooms = Rooms::Open;
    config.direct = Direct::Open;
    config
}

impl World {
    /// Creates idle connections in rooms of `members` members each, or in none if zero.
    pub fn new(config: Config, connections: usize, members: usize) -> Self {
        let now = Time::from_millis(1);
        let switchboard = Switchboard::new(config, 1, now).expect("a valid configuration");
        let mut world = Self {
            switchboard,
            now,
            ids: Vec::with_capacity(connections),
            users: 0,
            turn: WriteTurn::default(),
            pings: Vec::new(),
        };
        for number in 0..connections {
            let room = number.checked_div(members).map(|room| format!("r{room}"));
            let id = world.connect(room);
            world.ids.push(id);
            if number % 1_000 == 0 {
                world.flush();
            }
        }
        world.settle();
        world
    }

    /// Waits until presence is sent and everything is written.
    pub fn settle(&mut self) {
        for _ in 0..8 {
            self.pass(Duration::from_millis(500));
            self.flush();
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.switchboard.tick(self.now);
        self.forget_notices();
    }

    pub fn connect(&mut self, lobby: Option<String>) -> ConnectionId {
        self.connect_with(lobby, None)
    }

    /// Connects a client with which compression was agreed on, or not.
    pub fn connect_with(
        &mut self,
        lobby: Option<String>,
        deflate: Option<PerMessageDeflate>,
    ) -> ConnectionId {
        self.users += 1;
        let request =
            Request::upgraded("/ws", lobby, empty::<(&str, &str)>()).expect("a valid request");
        let request = request.with_deflate(deflate);
        let id = self.switchboard.connect(self.now, PEER).expect("a seat");
        self.switchboard
            .upgraded(self.now, id, &request)
            .expect("a live connection");
        let name = format!("user-{}", self.users);
        let user = Identity::User {
            name,
            expires_in: None,
        };
        self.switchboard
            .authenticated(self.now, id, Ok(user), None)
            .expect("a live connection");
        self.forget_notices();
        id
    }

    pub fn disconnect(&mut self, id: ConnectionId) {
        self.switchboard
            .handle(self.now, id, Event::Reset)
            .expect("a live connection");
        self.forget_notices();
    }

    pub fn forget_notices(&mut self) {
        while self.switchboard.poll_action().is_some() {}
    }

    /// Sends a message to a room; returns the number of members that are going to get it.
    pub fn broadcast(&mut self, room: &str) -> usize {
        let content = Content::parse(CONTENT).expect("valid JSON");
        let sent =
            self.switchboard
                .broadcast(self.now, room, content, Some("ann"), Exclude::NOBODY);
        sent.expect("the message fits").accepted
    }

    /// Takes and reports all writes, and answers pings; returns the number of writes.
    pub fn flush(&mut self) -> usize {
        let mut writes = 0;
        while self.switchboard.wants_write() {
            self.switchboard.take_turn(&mut self.turn, TURN);
            writes += self.turn.len();
            self.turn.write_each(|id, bytes| {
                if let [0x89, len, payload @ ..] = bytes {
                    let payload = payload[..usize::from(*len)].to_vec();
                    self.pings.push((id, payload));
                }
                bytes.len()
            });
            self.switchboard.report(self.now, &mut self.turn);
            for (id, payload) in self.pings.drain(..) {
                let _ = self.switchboard.handle(self.now, id, Event::Pong(&payload));
            }
        }
        self.forget_notices();
        writes
    }

    /// Decodes, parses and routes a frame from a connection, as a runtime does.
    pub fn receive(&mut self, id: ConnectionId, decoder: &mut Decoder, input: &mut [u8]) {
        let step = decoder.decode(input).expect("a legal frame");
        let Some(Incoming::Text(text)) = step.incoming else {
            panic!("a text");
        };
        let (board, now) = (&mut self.switchboard, self.now);
        assert_eq!(board.message(now, id, false, text.len(), Ok(())), Ok(true));
        let question = board
            .command(now, id, parse(text))
            .expect("a live connection");
        let question = question.expect("a message is asked about");
        board
            .answer(now, id, question, Ok(()))
            .expect("a live connection");
        self.now = self.now + Duration::from_micros(10);
    }

    /// Runs a second of heartbeats in ticks of a millisecond; returns the number of pings.
    pub fn heartbeats(&mut self) -> usize {
        let mut pings = 0;
        for _ in 0..1_000 {
            self.pass(Duration::from_millis(1));
            pings += self.flush();
        }
        pings
    }
}

/// Returns a client's frame with a message of about 100 bytes to a room.
pub fn client_frame(room: usize) -> Vec<u8> {
    let text = format!(r#"{{"type":"message","channel":"r{room}","content":{CONTENT}}}"#);
    let mut bytes = Frame::text(&text).as_bytes().to_vec();
    let key = [1, 2, 3, 4];
    bytes[1] |= 0x80;
    bytes.splice(2..2, key);
    for (byte, key) in bytes[6..].iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    bytes
}

pub fn decoder() -> Decoder {
    Decoder::new(DecoderLimits {
        message_bytes: 65_536,
        fragments: 1_024,
    })
}

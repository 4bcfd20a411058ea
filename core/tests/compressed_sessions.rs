//! One session that receives compressed messages, on a real switchboard in virtual time.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use support::{CONTINUATION, ClientFrame, PING, frame, part, wire};
use switchboard_core::session::{self, Call, LocalNode, Reply, Session, Step, Turn};
use switchboard_core::{
    Action, CloseReason, Compression, Config, ConnectionId, HandshakeConfig, Identity, Inflater,
    Notice, Rate, Switchboard, Time, Wire,
};
use switchboard_kit::deflate::{Blocks, deflate};
use switchboard_kit::{BINARY, TEXT};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// A node with one inflater.
struct Node {
    board: Switchboard,
    now: Time,
    inflater: Option<Box<Inflater>>,
    /// How often the inflater was taken.
    inflated: usize,
}

impl session::Node for Node {
    type Held<'a> = LocalNode<'a>;

    fn hold<T>(&mut self, work: impl FnOnce(&mut LocalNode<'_>) -> T) -> T {
        work(&mut LocalNode {
            switchboard: &mut self.board,
            now: self.now,
        })
    }

    fn config(&self) -> &Config {
        self.board.config()
    }

    fn now(&self) -> Time {
        self.now
    }

    fn take_inflater(&mut self) -> Box<Inflater> {
        self.inflated += 1;
        self.inflater.take().expect("it was given back")
    }

    fn keep_inflater(&mut self, inflater: Box<Inflater>) {
        self.inflater = Some(inflater);
    }
}

/// A raw connection, and what it has passed to the application.
struct World {
    node: Node,
    session: Session,
    id: ConnectionId,
    /// Whether hooks stay pending.
    busy: bool,
    messages: Vec<Vec<u8>>,
    end: Option<CloseReason>,
}

impl World {
    fn new(headers: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            wire: Wire::Raw,
            compression: Some(Compression::default()),
            ..Config::default()
        };
        change(&mut config);
        let handshake = HandshakeConfig {
            endpoint: config.endpoint.clone(),
            pages: false,
            json: false,
            compression: config.compression.is_some(),
            room_contexts: config.compression.is_some_and(|it| it.room_contexts > 0),
            sse: config.sse.clone(),
            name_bytes: config.limits.name_bytes,
            tokens: config.tokens.clone(),
        };
        let now = Time::from_millis(1_000);
        let mut board = Switchboard::new(config, 7, now).expect("a valid configuration");
        let id = board.connect(now, PEER).expect("a seat");
        let mut world = Self {
            node: Node {
                board,
                now,
                inflater: Some(Box::default()),
                inflated: 0,
            },
            session: Session::new(id, PEER, Arc::new(handshake)),
            id,
            busy: false,
            messages: Vec::new(),
            end: None,
        };
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             {headers}\r\n"
        );
        world.read(head.as_bytes(), &mut Turn::default());
        assert!(world.node.board.is_connected("ann"));
        world
    }

    fn open() -> Self {
        Self::new(OFFER, |_| {})
    }

    /// Passes bytes to the session. Returns how many it took in this turn.
    fn read(&mut self, bytes: &[u8], turn: &mut Turn) -> usize {
        let (mut bytes, mut used) = (bytes.to_vec(), 0);
        loop {
            let rest = &mut bytes[used..];
            let received = self.session.receive(&mut self.node, rest, turn);
            used += received.used;
            self.run(received.step);
            if used == bytes.len() || received.used == 0 || turn.is_over() {
                return used;
            }
        }
    }

    fn run(&mut self, mut step: Option<Step>) {
        loop {
            let Some(now) = step.take().or_else(|| self.session.next(&mut self.node)) else {
                if self.drive() {
                    continue;
                }
                return;
            };
            self.drive();
            let reply = match now {
                Step::Flush => continue,
                Step::Call(Call::Authenticate(login)) => {
                    Reply::Identity(login, Ok(Identity::user("ann").into()))
                }
                Step::Call(Call::Text(text)) => self.delivered(text.into_bytes()),
                Step::Call(Call::Binary(bytes)) => self.delivered(bytes),
                Step::Call(Call::Disconnect(_)) => Reply::Disconnected,
                Step::Call(_) => Reply::Connected,
            };
            if self.busy {
                return;
            }
            step = self.session.reply(&mut self.node, reply);
        }
    }

    fn delivered(&mut self, message: Vec<u8>) -> Reply {
        self.messages.push(message);
        Reply::Delivered(Ok(()))
    }

    /// The hook that is pending returns.
    fn returns(&mut self) {
        self.busy = false;
        let step = self.session.reply(&mut self.node, Reply::Delivered(Ok(())));
        self.run(step);
    }

    /// Carries out what follows from a call. Returns whether the connection has ended.
    fn drive(&mut self) -> bool {
        let mut ended = None;
        while let Some(action) = self.node.board.poll_action() {
            if let Action::Notify(Notice::Closed { rooms, reason, .. }) = action {
                self.end = Some(reason);
                ended = Some(session::Ended { rooms, reason });
            }
        }
        let has_ended = ended.is_some();
        let mode = self.node.board.read_mode(self.id).ok();
        self.session.update(&mut self.node, mode, ended);
        has_ended
    }

    fn say(&mut self, frames: &[ClientFrame]) {
        self.read(&wire(frames), &mut Turn::default());
    }

    fn strikes(&self) -> u64 {
        let taken = self.node.board.stats(self.node.now).messages_in;
        taken - self.messages.len() as u64
    }
}

/// A compressed message.
fn compressed(opcode: u8, payload: impl AsRef<[u8]>) -> ClientFrame {
    ClientFrame {
        rsv: 4,
        ..frame(opcode, payload)
    }
}

/// A thousand blocks of 64 bytes.
fn a_thousand_blocks() -> Vec<u8> {
    let block = |blocks: Blocks, _| blocks.fixed(false, &[7; 64]);
    let eight = (0..8).fold(Blocks::new(), block);
    eight.repeat(125).flush().bytes()
}

fn rates(messages: Option<u64>, bytes: Option<u64>) -> impl FnOnce(&mut Config) {
    let rate = |burst: u64| Rate {
        per_second: 1,
        burst,
    };
    move |config| {
        config.rates.messages = messages.map(rate);
        config.rates.bytes = bytes.map(rate);
    }
}

#[test]
fn a_compressed_message_arrives_like_a_plain_one() {
    let mut world = World::open();
    let long = deflate(&vec![b'x'; 65_536]);
    let (head, tail) = long.split_at(20);
    let first = ClientFrame {
        rsv: 4,
        ..part(BINARY, head)
    };
    world.say(&[
        compressed(TEXT, deflate("gr\u{fc}n".as_bytes())),
        frame(TEXT, "plain"),
        compressed(BINARY, deflate(b"\xFF\0")),
        first,
        frame(PING, ""),
        frame(CONTINUATION, tail),
        compressed(TEXT, b"\0"),
    ]);
    let long = &vec![b'x'; 65_536][..];
    let expected = ["gr\u{fc}n".as_bytes(), b"plain", b"\xFF\0", long, b""];
    assert_eq!(world.messages, expected);
    assert_eq!((world.end, world.node.inflated), (None, 4));
}

#[test]
fn a_compressed_message_of_a_client_that_offered_nothing_is_a_violation() {
    let message = compressed(TEXT, deflate(b"hello"));
    for (headers, change) in [
        ("", (|_| {}) as fn(&mut Config)),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; mux\r\n",
            |_| {},
        ),
        (OFFER, |config| config.compression = None),
    ] {
        let mut world = World::new(headers, change);
        world.say(&[frame(TEXT, "plain"), message.clone()]);
        assert_eq!(world.messages, [b"plain"]);
        assert_eq!(world.end, Some(CloseReason::ProtocolError));
    }
}

#[test]
fn a_message_that_breaks_a_rule_ends_the_connection_and_nothing_counts_after_it() {
    for (payload, reason) in [
        (b"\x07".to_vec(), CloseReason::ProtocolError),
        (deflate(&vec![0; 65_537]), CloseReason::TooBig),
        (
            [
                Blocks::new().stored(false, b"").bytes().repeat(1_000),
                vec![0],
            ]
            .concat(),
            CloseReason::Policy,
        ),
        (deflate(b"\xFF"), CloseReason::InvalidUtf8),
    ] {
        let after = compressed(TEXT, deflate(b"after"));
        let frames = [compressed(TEXT, &payload), after, frame(TEXT, "after")];
        let mut world = World::open();
        world.say(&frames);
        assert_eq!(world.end, Some(reason));
        assert!(world.messages.is_empty());
        // The same while a hook is busy: it waits, and is told in its place.
        let mut world = World::open();
        world.busy = true;
        world.say(&[frame(TEXT, "before")]);
        world.say(&frames);
        assert_eq!((world.end, world.node.inflated), (None, 1));
        world.returns();
        assert_eq!(world.end, Some(reason));
        assert_eq!(world.messages, [b"before"]);
    }
}

#[test]
fn a_message_is_charged_with_what_it_stands_for() {
    let mut world = World::new(OFFER, rates(None, Some(150_000)));
    let message = compressed(BINARY, deflate(&vec![7; 60_000]));
    for expected in [(1, 0), (2, 0), (2, 1), (2, 2)] {
        world.say(std::slice::from_ref(&message));
        assert_eq!((world.messages.len(), world.strikes()), expected);
    }
    // A small one is still within the rates.
    world.say(&[frame(BINARY, "x")]);
    assert_eq!(world.messages.len(), 3);
    world.node.now = world.node.now + Duration::from_secs(60_000);
    world.say(&[message]);
    assert_eq!(world.messages.len(), 4);
}

#[test]
fn blocks_without_content_are_charged() {
    let mut world = World::new(OFFER, rates(None, Some(100_000)));
    // 60 blocks, of which 54 are too many: 27 648 bytes.
    let blocks = Blocks::new().stored(false, b"").bytes().repeat(60);
    let message = compressed(BINARY, [&blocks[..], b"\0"].concat());
    for expected in [(1, 0), (2, 0), (3, 0), (3, 1)] {
        world.say(std::slice::from_ref(&message));
        assert_eq!((world.messages.len(), world.strikes()), expected);
    }
}

#[test]
fn a_message_that_costs_more_than_the_burst_takes_all_of_it() {
    let mut world = World::new(OFFER, rates(None, Some(65_536)));
    let message = compressed(BINARY, a_thousand_blocks());
    world.say(&[message, frame(BINARY, "x")]);
    assert_eq!((world.messages.len(), world.strikes()), (1, 1));
}

#[test]
fn a_message_over_the_rates_is_not_inflated() {
    let message = compressed(BINARY, deflate(&[7; 1_000]));
    for limited in [rates(Some(1), None), rates(None, Some(65_536))] {
        let mut world = World::new(OFFER, limited);
        let full = compressed(BINARY, deflate(&vec![7; 65_536]));
        world.say(&[full, message.clone(), message.clone()]);
        assert_eq!((world.messages.len(), world.strikes()), (1, 2));
        assert_eq!(world.node.inflated, 1);
    }
}

#[test]
fn a_turn_ends_sooner_where_messages_cause_more_work() {
    let turn_of = |payload: &[u8], count: usize| {
        let mut world = World::new(OFFER, |config| {
            config.rates.messages = None;
            config.rates.bytes = None;
        });
        let all = wire(&vec![compressed(BINARY, payload); count]);
        world.read(&all, &mut Turn::default());
        world.messages.len()
    };
    assert_eq!(turn_of(&deflate(b"short"), 80), 64);
    assert_eq!(turn_of(&deflate(&vec![7; 65_536]), 80), 32);
    // 64 000 bytes, and 994 blocks too many.
    assert_eq!(turn_of(&a_thousand_blocks(), 80), 8);
}

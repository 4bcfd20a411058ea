//! Bytes and CPU time per delivery, of messages that are compressed and of the same ones that are not:
//! `cargo bench -p switchboard-bench --bench compressed`.
//!
//! One thread publishes, and writes to a socket of each member; its CPU time is what counts, with
//! compressing. Reading from the sockets does not. Plain and compressed rounds take turns, and the
//! cheapest of each counts, so that other load disturbs less.
#![allow(missing_docs)]

mod world;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::time::{ClockId, clock_gettime};
use switchboard_core::protocol::Content;
use switchboard_core::{
    Compression, ConnectionId, Deflater, Exclude, PerMessageDeflate, RoomMessage, WriteTurn,
};

use self::world::{World, config};

const MEMBERS: [usize; 2] = [10, 1_000];
/// Deliveries in a round, and rounds.
const DELIVERIES: usize = 4_000;
const ROUNDS: usize = 9;
/// Bytes that are compressed at least: everything, also what the default leaves as it is.
const FROM_BYTES: usize = 1;

fn main() {
    println!("CPU µs and bytes per delivery, plain and compressed");
    println!(
        "{:>14} {:>8} {:>17} {:>17} {:>6} {:>6}",
        "content", "members", "plain", "compressed", "CPU", "bytes"
    );
    for (name, content) in [
        ("chat 105 B", chat as fn(u64) -> String),
        ("prose 1 KB", prose),
        ("quotes 16 KB", quotes),
    ] {
        for members in MEMBERS {
            let mut plain = Room::new(members, false);
            let mut compressed = Room::new(members, true);
            let mut best = [Cost::MAX; 2];
            for round in 0..=ROUNDS {
                for (room, best) in [&mut plain, &mut compressed].into_iter().zip(&mut best) {
                    let cost = room.round(content);
                    // The first one warms up.
                    if round > 0 && cost.cpu < best.cpu {
                        *best = cost;
                    }
                }
            }
            let [plain, compressed] = best;
            println!(
                "{name:>14} {members:>8} {plain} {compressed} {:>6.2} {:>6.2}",
                compressed.cpu / plain.cpu,
                compressed.bytes / plain.bytes,
            );
        }
    }
}

/// What a delivery costs: µs of CPU time, and bytes.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    bytes: f64,
}

impl Cost {
    const MAX: Self = Self {
        cpu: f64::MAX,
        bytes: 0.0,
    };
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>8.2} {:>8.0}", self.cpu, self.bytes)
    }
}

/// A room whose members have a socket each.
struct Room {
    world: World,
    sockets: HashMap<ConnectionId, (TcpStream, TcpStream)>,
    deflater: Option<Deflater>,
    turn: WriteTurn,
    said: u64,
}

impl Room {
    fn new(members: usize, compressed: bool) -> Self {
        let mut config = config();
        config.presence.enabled = false;
        config.compression = Some(Compression {
            from_bytes: FROM_BYTES,
            ..Compression::default()
        });
        let level = Compression::default().level;
        let deflate = compressed.then(PerMessageDeflate::default);
        let mut world = World::new(config, 0, 0);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let pairs = (0..members).map(|_| {
            let id = world.connect_with(Some("r0".to_owned()), deflate);
            let client = TcpStream::connect(at).expect("a connection");
            let (server, _) = listener.accept().expect("a connection");
            client.set_nonblocking(true).expect("a socket");
            server.set_nodelay(true).expect("a socket");
            (id, (server, client))
        });
        let sockets = pairs.collect();
        world.settle();
        Self {
            world,
            sockets,
            deflater: compressed.then(|| Deflater::new(level)),
            turn: WriteTurn::default(),
            said: 0,
        }
    }

    fn round(&mut self, content: fn(u64) -> String) -> Cost {
        let messages = DELIVERIES / self.sockets.len();
        let (mut cpu, mut bytes) = (0.0, 0);
        for _ in 0..messages {
            self.said += 1;
            let content = content(self.said);
            let before = cpu_micros();
            self.publish(&content);
            bytes += self.write();
            cpu += cpu_micros() - before;
            self.drain();
        }
        let deliveries = (messages * self.sockets.len()) as f64;
        Cost {
            cpu: cpu / deliveries,
            bytes: bytes as f64 / deliveries,
        }
    }

    fn publish(&mut self, content: &str) {
        let content = Content::parse(content).expect("JSON");
        let mut message = RoomMessage::new("r0", content).from_user(Some("ann"));
        if let Some(deflater) = &mut self.deflater {
            message.deflate(deflater);
        }
        let (board, now) = (&mut self.world.switchboard, self.world.now);
        let sent = board.broadcast_message(now, &message, Exclude::NOBODY);
        assert_eq!(sent.map(|it| it.accepted), Ok(self.sockets.len()));
    }

    /// Writes what waits; returns how many bytes.
    fn write(&mut self) -> usize {
        let mut total = 0;
        let board = &mut self.world.switchboard;
        while board.wants_write() {
            board.take_turn(&mut self.turn, 32);
            self.turn.write_each(|id, bytes| {
                let (server, _) = self.sockets.get_mut(&id).expect("a member");
                server.write_all(bytes).expect("the peer reads");
                total += bytes.len();
                bytes.len()
            });
            board.report(self.world.now, &mut self.turn);
        }
        total
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 32 << 10];
        for (_, client) in self.sockets.values_mut() {
            while client.read(&mut buffer).is_ok_and(|read| read > 0) {}
        }
        self.world.forget_notices();
    }
}

/// Returns the CPU time of this thread, in µs.
fn cpu_micros() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Numbers that look drawn at random, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % most
    }
}

const WORDS: &str = "the of and to in is that it was for on are as with they at be this from have or by one \
    had not but what all were when we there can an your which their said if do will each about how up out \
    them then she many some so these would other into has more two like him see time could no make than \
    first been its who now people my made over did down only way find use may water long little very after";

fn text(number: u64, bytes: usize) -> String {
    let words: Vec<_> = WORDS.split_ascii_whitespace().collect();
    let mut random = Random(number);
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(words[random.below(words.len() as u64) as usize]);
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

/// A line that makes a frame of about 105 bytes.
fn chat(number: u64) -> String {
    format!("{:?}", text(number, 34))
}

fn prose(number: u64) -> String {
    format!(r#"{{"id":{number},"text":{:?}}}"#, text(number, 930))
}

/// A list of quotes.
fn quotes(number: u64) -> String {
    let mut random = Random(number);
    let mut list = String::from("[");
    while list.len() < 16 << 10 {
        if list.len() > 1 {
            list.push(',');
        }
        let bid = 1_000 + random.below(90_000);
        let _ = write!(
            list,
            r#"{{"symbol":"S{:03}","bid":{}.{:02},"ask":{}.{:02},"volume":{}}}"#,
            random.below(500),
            bid / 100,
            bid % 100,
            (bid + 3) / 100,
            (bid + 3) % 100,
            random.below(100_000),
        );
    }
    list + "]"
}

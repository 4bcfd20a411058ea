//! Bytes and CPU time per delivery, of messages that are compressed, by themselves or in the context of
//! their room, and of the same ones that are not: `cargo bench -p switchboard-bench --bench compressed`.
//!
//! One thread publishes, and writes to a socket of each member; its CPU time is what counts, with
//! compressing. Reading from the sockets does not. Plain and compressed rounds take turns, and the
//! cheapest of each counts, so that other load disturbs less. Bytes are those of all rounds.
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
const ROUNDS: usize = 15;

fn main() {
    println!("CPU µs and bytes per delivery, and the shares of those plain");
    println!(
        "{:>14} {:>8} {:>17} {:>31} {:>31}",
        "content", "members", "plain", "by itself", "in a context"
    );
    for (name, content) in [
        ("chat 105 B", chat as fn(u64) -> String),
        ("prose 1 KB", prose),
        ("quotes 16 KB", quotes),
    ] {
        for members in MEMBERS {
            let forms = [Form::Plain, Form::ByItself, Form::InContext];
            let mut rooms = forms.map(|form| Room::new(members, form));
            let mut costs = [Cost::MAX; 3];
            for round in 0..=ROUNDS {
                for (room, best) in rooms.iter_mut().zip(&mut costs) {
                    let cost = room.round(content);
                    best.bytes += cost.bytes / (ROUNDS + 1) as f64;
                    // The first one warms up.
                    if round > 0 {
                        best.cpu = best.cpu.min(cost.cpu);
                    }
                }
            }
            let [plain, compressed @ ..] = costs;
            print!("{name:>14} {members:>8} {plain}");
            for it in compressed {
                let (cpu, bytes) = (it.cpu / plain.cpu, it.bytes / plain.bytes);
                print!(" {it} {cpu:>6.2} {bytes:>6.2}");
            }
            println!();
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

/// How the members of a room get its messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// All are compressed, also what the default leaves as it is.
    ByItself,
    /// Long ones are compressed by themselves, as by default.
    InContext,
}

/// A room whose members have a socket each.
struct Room {
    world: World,
    sockets: HashMap<ConnectionId, (TcpStream, TcpStream)>,
    form: Form,
    deflater: Deflater,
    turn: WriteTurn,
    said: u64,
}

impl Room {
    fn new(members: usize, form: Form) -> Self {
        let mut config = config();
        config.presence.enabled = false;
        let compression = Compression {
            room_contexts: 1,
            ..Compression::default()
        };
        config.compression = Some(compression);
        let deflate = (form != Form::Plain).then_some(PerMessageDeflate {
            server_context_takeover: form == Form::InContext,
            ..PerMessageDeflate::default()
        });
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
            form,
            deflater: Deflater::new(compression.level),
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
        let from_bytes = match self.form {
            Form::Plain => usize::MAX,
            Form::ByItself => 0,
            Form::InContext => Compression::default().from_bytes,
        };
        if message.len() >= from_bytes {
            message.deflate(&mut self.deflater);
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

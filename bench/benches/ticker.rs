//! What a ticker costs the core: `cargo bench -p switchboard-bench --bench ticker`.
//!
//! A room keeps the latest value of each of 500 keys, of which one is set each millisecond. Of its readers
//! each takes 20 kB/s, or everything at once. Time is virtual, and there are no sockets; CPU time is that of
//! the thread. A reader must stay, get values in the order of their numbers, and end with the latest of each
//! key, else the benchmark panics.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use switchboard_core::protocol::Content;
use switchboard_core::{
    ConnectionId, Event, Exclude, Keep, RoomRule, Switchboard, Time, WriteTurn,
};

use self::world::{World, config};

const ROOM: &str = "r0";
const KEYS: u64 = 500;
const SECONDS: usize = 5;
/// Bytes that the socket of a slow reader takes in 10 ms: 20 kB/s.
const SIP: usize = 200;
const TURN: usize = 32;

fn main() {
    println!("500 keys, 1 000 updates a second; by readers, all slow or all fast");
    println!(
        "{:>8} {:>6} {:>12} {:>14} {:>10} {:>14} {:>10}",
        "readers", "", "us/update", "longest update", "values/s", "us/value out", "KiB held"
    );
    for (readers, slow) in [(1, true), (500, true), (500, false)] {
        let cost = Ticker::new(readers, slow).run();
        println!(
            "{readers:>8} {:>6} {:>12.2} {:>14.1} {:>10} {:>14.3} {:>10}",
            if slow { "slow" } else { "fast" },
            cost.updates / (1_000 * SECONDS) as f64,
            cost.longest,
            cost.values / SECONDS,
            cost.writing / cost.values as f64,
            cost.held >> 10
        );
    }
}

/// CPU time in microseconds.
#[derive(Default)]
struct Cost {
    updates: f64,
    longest: f64,
    /// Taking turns and reporting them.
    writing: f64,
    values: usize,
    /// The most memory that the node counted as held.
    held: usize,
}

/// What a reader has got.
struct Reader {
    /// Bytes that its socket takes now; `None` for any number.
    room: Option<usize>,
    blocked: bool,
    /// A frame that has not come whole.
    rest: Vec<u8>,
    last: u64,
    table: BTreeMap<u64, u64>,
}

struct Ticker {
    switchboard: Switchboard,
    now: Time,
    readers: BTreeMap<ConnectionId, Reader>,
    turn: WriteTurn,
    chance: u64,
    published: BTreeMap<u64, u64>,
    cost: Cost,
}

impl Ticker {
    fn new(readers: usize, slow: bool) -> Self {
        let mut config = config();
        config.presence.enabled = false;
        config.room_rules = vec![RoomRule {
            prefix: ROOM.into(),
            keep: Keep::Latest {
                keys: KEYS as usize,
            },
            ..RoomRule::default()
        }];
        // Hardly anybody is pinged, and nobody has to answer.
        config.health.ping_interval = Duration::from_secs(3_600);
        config.health.ping_timeout = Duration::from_secs(3_600);
        let world = World::new(config, readers, readers);
        let reader = || Reader {
            room: slow.then_some(0),
            blocked: false,
            rest: Vec::new(),
            last: 0,
            table: BTreeMap::new(),
        };
        Self {
            readers: world.ids.iter().map(|&id| (id, reader())).collect(),
            switchboard: world.switchboard,
            now: world.now,
            turn: WriteTurn::default(),
            chance: 1,
            published: BTreeMap::new(),
            cost: Cost::default(),
        }
    }

    fn run(mut self) -> Cost {
        for key in 0..KEYS {
            self.update(key);
        }
        self.write();
        self.cost = Cost::default();
        for step in 0..1_000 * SECONDS {
            self.now = self.now + Duration::from_millis(1);
            self.switchboard.tick(self.now);
            let key = self.chance() % KEYS;
            self.update(key);
            self.write();
            if step % 10 == 9 {
                self.may_take(Some(SIP));
            }
        }
        let cost = std::mem::take(&mut self.cost);
        self.may_take(None);
        for (id, reader) in &self.readers {
            assert_eq!(reader.table, self.published, "{id:?} is up to date");
        }
        assert_eq!(
            self.switchboard.stats(self.now).total_connections,
            self.readers.len()
        );
        cost
    }

    /// Knuth's generator of MMIX.
    fn chance(&mut self) -> u64 {
        let next = self.chance.wrapping_mul(6_364_136_223_846_793_005);
        self.chance = next.wrapping_add(1_442_695_040_888_963_407);
        self.chance >> 33
    }

    fn update(&mut self, key: u64) {
        let price = 1_000_000 + self.chance() % 9_000_000;
        let (name, content) = (format!("K{key:03}"), price.to_string());
        let content = Content::parse(&content).expect("JSON");
        let (board, now) = (&mut self.switchboard, self.now);
        let start = cpu_micros();
        let set = board.publish_key(now, ROOM, &name, content, None, Exclude::NOBODY);
        let micros = cpu_micros() - start;
        set.expect("the value is kept");
        self.published.insert(key, price);
        self.cost.updates += micros;
        self.cost.longest = self.cost.longest.max(micros);
        while self.switchboard.poll_action().is_some() {}
    }

    /// The sockets of slow readers take so many more bytes, or everything.
    fn may_take(&mut self, bytes: Option<usize>) {
        let mut waiting = Vec::new();
        for (&id, reader) in &mut self.readers {
            reader.room = reader
                .room
                .zip(bytes)
                .map(|(room, more)| (room + more).min(more));
            if std::mem::take(&mut reader.blocked) {
                waiting.push(id);
            }
        }
        let start = cpu_micros();
        for id in waiting {
            let event = self.switchboard.handle(self.now, id, Event::Writable);
            event.expect("the reader is there");
        }
        self.cost.writing += cpu_micros() - start;
        self.write();
    }

    fn write(&mut self) {
        while self.switchboard.wants_write() {
            let start = cpu_micros();
            self.switchboard.take_turn(&mut self.turn, TURN);
            self.cost.writing += cpu_micros() - start;
            let (readers, values) = (&mut self.readers, &mut self.cost.values);
            self.turn.write_each(|id, bytes| {
                let reader = readers.get_mut(&id).expect("a reader");
                let taken = reader
                    .room
                    .map_or(bytes.len(), |room| room.min(bytes.len()));
                reader.room = reader.room.map(|room| room - taken);
                reader.blocked = taken < bytes.len();
                *values += reader.read(&bytes[..taken]);
                taken
            });
            let start = cpu_micros();
            self.switchboard.report(self.now, &mut self.turn);
            self.cost.writing += cpu_micros() - start;
            while self.switchboard.poll_action().is_some() {}
        }
        let held = self.switchboard.stats(self.now).queued_bytes;
        self.cost.held = self.cost.held.max(held);
    }
}

impl Reader {
    /// Reads a part of what the server sends; returns the number of values that are complete with it.
    fn read(&mut self, bytes: &[u8]) -> usize {
        self.rest.extend_from_slice(bytes);
        let mut values = 0;
        while let [kind, len, rest @ ..] = &self.rest[..]
            && let Some(payload) = rest.get(..usize::from(*len))
        {
            assert!(*len < 126, "frames are short");
            let field = |name: &str| {
                // A ping is no text.
                let text = std::str::from_utf8(payload)
                    .ok()
                    .filter(|_| *kind == 0x81)?;
                let (_, value) = text.split_once(name)?;
                let digits = value.find(|c: char| !c.is_ascii_digit());
                value[..digits.unwrap_or(value.len())].parse::<u64>().ok()
            };
            if let (Some(key), Some(price), Some(seq)) = (
                field(r#""key":"K"#),
                field(r#""content":"#),
                field(r#""seq":"#),
            ) {
                assert!(seq > self.last, "in the order of numbers");
                self.last = seq;
                self.table.insert(key, price);
                values += 1;
            }
            let frame = 2 + payload.len();
            self.rest.drain(..frame);
        }
        values
    }
}

fn cpu_micros() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

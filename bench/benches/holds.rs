//! Measures the longest call of each kind, which is how long a lock is held around it: `cargo bench
//! -p switchboard-bench --bench holds [-- CONNECTIONS [SUBJECT]...]`.
//!
//! All connections are in one room. At first they live, then they end: by a drain, because they do not
//! read, because they are lost, with the driver; those of one user, those that are in many rooms, and the
//! histories of as many rooms. Prints the longest and the median CPU time of a call, so that other load
//! on the machine does not count, and the number of calls above a millisecond.
//!
//! Each subject is measured by several processes, which make the same calls. What counts is the shortest
//! time of each call, because an interrupt, or a pause of a virtual machine, is counted as CPU time, too.
#![allow(missing_docs)]

mod world;

use std::collections::BTreeMap;
use std::io::Write;
use std::iter::empty;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use switchboard_core::protocol::Content;
use switchboard_core::{
    CloseReason, Config, ConnectionId, Event, Exclude, Frame, Identity, Request, Switchboard, Time,
    ToAll, UserPolicy, WriteTurn,
};

use self::world::{CONTENT, PEER, config};

const ROOM: &str = "everybody";
const TURN: usize = 32;
/// Entries of a list that a hub looks at under one hold of the lock.
const LOOK: usize = 4_096;
const MILLISECOND: u64 = 1_000_000;
/// Processes that measure each subject.
const PROCESSES: usize = 3;
/// The argument of such a process.
const MEASURE: &str = "--measure";
/// The time within which the next part is due.
const PART: Duration = Duration::from_micros(100);

/// Messages that a member may lag behind where members do not read.
const LAG: usize = 64;
/// Rooms of one connection where each is in many.
const ROOMS: usize = 100;
/// Connections of one user.
const DEVICES: usize = 100_000;
/// Messages of a room that keeps some.
const MESSAGES: usize = 20;

/// Its name, and what measures it.
type Subject = (&'static str, fn(usize));

/// How connections end.
type End = fn(&mut Bench);

const SUBJECTS: [Subject; 7] = [
    ("live", live),
    ("slow", slow),
    ("lost", lost),
    ("stop", stop),
    ("user", one_user),
    ("rooms", many_rooms),
    ("histories", histories),
];

fn main() {
    let arguments = || std::env::args().skip(1);
    let wanted = arguments().find_map(|it| it.parse().ok());
    let connections = wanted.unwrap_or(1_000_000);
    let is_named = |name: &str| arguments().any(|it| it == name);
    let any_named = SUBJECTS.iter().any(|(name, _)| is_named(name));
    for (name, measure) in SUBJECTS {
        if any_named && !is_named(name) {
            continue;
        }
        if is_named(MEASURE) {
            measure(connections);
        } else {
            print(&measured(name, connections));
        }
    }
}

/// The times of the calls of each kind, by part of the subject.
type Holds = BTreeMap<(usize, String), BTreeMap<String, Vec<u64>>>;

/// Has a subject measured by several processes. Returns the shortest time of each call.
fn measured(subject: &str, connections: usize) -> Holds {
    let mut shortest = Holds::new();
    for round in 0..PROCESSES {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .args([MEASURE, subject, &connections.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{}", output.status);
        let text = String::from_utf8(output.stdout).expect("text");
        let mut holds = Holds::new();
        let mut part = (0, String::new());
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            let nanos: Vec<u64> = words.filter_map(|it| it.parse().ok()).collect();
            if nanos.is_empty() {
                part = (part.0 + 1, line.to_owned());
            } else {
                holds.entry(part.clone()).or_default().insert(name, nanos);
            }
        }
        if round == 0 {
            shortest = holds;
            continue;
        }
        for (part, kinds) in holds {
            for (kind, nanos) in kinds {
                let known = shortest.get_mut(&part).and_then(|it| it.get_mut(&kind));
                let known = known.expect("the same kinds of calls");
                assert_eq!(known.len(), nanos.len(), "{kind}: the same calls");
                for (known, nanos) in known.iter_mut().zip(nanos) {
                    *known = nanos.min(*known);
                }
            }
        }
    }
    shortest
}

fn print(holds: &Holds) {
    for ((_, part), kinds) in holds {
        println!(
            "{part:16}{:>12}{:>12}{:>12}{:>10}",
            "calls", "median us", "longest us", "> 1 ms"
        );
        for (name, nanos) in kinds {
            let mut nanos = nanos.clone();
            nanos.sort_unstable();
            let long = nanos.iter().filter(|&&it| it > MILLISECOND).count();
            println!(
                "  {name:14}{:>12}{:>12.1}{:>12.1}{long:>10}",
                nanos.len(),
                nanos[nanos.len() / 2] as f64 / 1e3,
                nanos[nanos.len() - 1] as f64 / 1e3,
            );
        }
    }
}

/// Returns a bench with members of one room who have settled.
fn settled(connections: usize, change: impl FnOnce(&mut Config)) -> Bench {
    let mut config = config();
    change(&mut config);
    let mut bench = Bench::new(config);
    bench.connect(connections);
    bench.settle();
    bench
}

fn live(connections: usize) {
    let mut bench = settled(connections, |_| {});
    bench.send();
    bench.heartbeats(30);
    bench.churn(10_000);
    bench.report("steady");
    bench.drain();
    bench.report("drain");
}

fn slow(connections: usize) {
    let mut bench = settled(connections, |config| config.limits.queue_messages = LAG);
    bench.holds.clear();
    bench.stop_reading();
    bench.report("slow");
}

fn lost(connections: usize) {
    let mut bench = settled(connections, |_| {});
    bench.holds.clear();
    bench.lose();
    bench.report("lost");
}

fn stop(connections: usize) {
    let mut bench = settled(connections, |config| config.presence.enabled = false);
    bench.holds.clear();
    bench.shut_down();
    bench.report("shut down");
}

/// Connections that are in many rooms each end: because they do not answer pings, by a drain, with the
/// driver. There are as many memberships as otherwise connections.
fn many_rooms(memberships: usize) {
    let ends: [(&str, End); 3] = [
        ("silent", Bench::fall_silent),
        ("rooms drain", Bench::drain),
        ("rooms stop", Bench::shut_down),
    ];
    for (title, end) in ends {
        let mut bench = Bench::new(config());
        let connections = memberships / ROOMS;
        for number in 0..connections {
            let name = format!("user-{number}");
            let id = bench.connect_as(name, None);
            bench.ids.push(id);
            for room in 0..ROOMS {
                let room = format!("r{}", (number + 7_919 * room) % connections);
                let joined = bench.call("join", |board, now| board.join(now, id, &room));
                joined.expect("there is room");
            }
            if number.is_multiple_of(10) {
                bench.pass(Duration::from_millis(20));
                bench.write();
            }
        }
        bench.settle();
        bench.report("joining");
        end(&mut bench);
        bench.report(title);
        assert_eq!(bench.switchboard.stats(bench.now).total_connections, 0);
    }
}

/// All connections of a user are closed.
fn one_user(connections: usize) {
    let connections = connections.min(DEVICES);
    let mut config = config();
    config.users = UserPolicy::Allow(connections);
    config.presence.enabled = false;
    let mut bench = Bench::new(config);
    for _ in 0..connections {
        let id = bench.connect_as("ann".to_owned(), None);
        bench.ids.push(id);
        if bench.ids.len().is_multiple_of(1_000) {
            bench.write();
        }
    }
    bench.settle();
    bench.holds.clear();
    let closed = bench.call("disconnect", |board, now| {
        board.disconnect_user(now, "ann", CloseReason::Kicked)
    });
    assert_eq!(closed, connections);
    bench.pass(Duration::from_millis(1));
    bench.write();
    bench.report("one user");
}

/// The messages of many rooms become too old, and the rooms end.
fn histories(rooms: usize) {
    let mut config = config();
    config.history.messages = MESSAGES;
    config.history.rooms = rooms;
    config.history.bytes = 2 << 30;
    let mut bench = Bench::new(config);
    for number in 0..rooms {
        let room = format!("r{number}");
        for _ in 0..MESSAGES {
            let content = Content::parse(CONTENT).expect("valid JSON");
            let sent = bench.call("broadcast", |board, now| {
                board.broadcast(now, &room, content, Some("ann"), Exclude::NOBODY)
            });
            sent.expect("it fits");
        }
    }
    bench.forget_actions();
    assert_eq!(bench.switchboard.stats(bench.now).history.rooms, rooms);
    bench.pass(Duration::from_secs(5 * 60));
    assert_eq!(bench.switchboard.stats(bench.now).history.messages, 0);
    bench.pass(Duration::from_secs(5 * 60));
    assert_eq!(bench.switchboard.stats(bench.now).history.rooms, 0);
    bench.report("histories");
}

struct Bench {
    switchboard: Switchboard,
    now: Time,
    ids: Vec<ConnectionId>,
    users: usize,
    turn: WriteTurn,
    pings: Vec<(ConnectionId, Vec<u8>)>,
    answers_pings: bool,
    holds: BTreeMap<&'static str, Vec<u64>>,
}

impl Bench {
    fn new(config: Config) -> Self {
        let now = Time::from_millis(1);
        Self {
            switchboard: Switchboard::new(config, 1, now).expect("a valid configuration"),
            now,
            ids: Vec::new(),
            users: 0,
            turn: WriteTurn::default(),
            pings: Vec::new(),
            answers_pings: true,
            holds: BTreeMap::new(),
        }
    }

    /// Makes a call, and notes the CPU time it took.
    fn call<T>(&mut self, name: &'static str, call: impl FnOnce(&mut Switchboard, Time) -> T) -> T {
        let start = cpu_time();
        let result = call(&mut self.switchboard, self.now);
        let nanos = cpu_time() - start;
        self.holds.entry(name).or_default().push(nanos);
        result
    }

    fn connect(&mut self, connections: usize) {
        for _ in 0..connections {
            let id = self.connect_one();
            self.ids.push(id);
            if self.ids.len().is_multiple_of(1_000) {
                self.pass(Duration::from_millis(20));
                self.write();
            }
        }
    }

    fn connect_one(&mut self) -> ConnectionId {
        self.users += 1;
        self.connect_as(format!("user-{}", self.users), Some(ROOM))
    }

    fn connect_as(&mut self, name: String, room: Option<&str>) -> ConnectionId {
        let room = room.map(str::to_owned);
        let request =
            Request::upgraded("/ws", room, empty::<(&str, &str)>()).expect("a valid request");
        let id = self.call("connect", |board, now| board.connect(now, PEER));
        let id = id.expect("a seat");
        self.call("upgraded", |board, now| board.upgraded(now, id, &request))
            .expect("a live connection");
        let user = Identity::User {
            name,
            expires_in: None,
        };
        self.call("authenticated", |board, now| {
            board.authenticated(now, id, Ok(user), None)
        })
        .expect("a live connection");
        self.forget_actions();
        id
    }

    fn settle(&mut self) {
        for _ in 0..8 {
            self.pass(Duration::from_millis(500));
            self.write();
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.now = until;
        loop {
            self.call("tick", Switchboard::tick);
            self.forget_actions();
            // What is due at once is done in parts.
            let next = self.switchboard.next_deadline();
            let Some(next) = next.filter(|&at| at <= until + PART) else {
                return;
            };
            self.now = self.now.max(next);
        }
    }

    fn write(&mut self) {
        while self.switchboard.wants_write() {
            let mut turn = std::mem::take(&mut self.turn);
            self.call("take_turn", |board, _| board.take_turn(&mut turn, TURN));
            turn.write_each(|id, bytes| {
                if let [0x89, len, payload @ ..] = bytes {
                    let payload = payload[..usize::from(*len)].to_vec();
                    self.pings.push((id, payload));
                }
                bytes.len()
            });
            self.call("report", |board, now| board.report(now, &mut turn));
            self.turn = turn;
            let pings = std::mem::take(&mut self.pings);
            for (id, payload) in pings {
                if !self.answers_pings {
                    continue;
                }
                let pong = Event::Pong(&payload);
                let _ = self.call("handle", |board, now| board.handle(now, id, pong));
            }
        }
        self.forget_actions();
    }

    fn forget_actions(&mut self) {
        loop {
            if self
                .call("poll_action", |board, _| board.poll_action())
                .is_none()
            {
                break;
            }
        }
    }

    fn send(&mut self) {
        for _ in 0..3 {
            let content = Content::parse(CONTENT).expect("valid JSON");
            let sent = self.call("broadcast", |board, now| {
                board.broadcast(now, ROOM, content, Some("ann"), Exclude::NOBODY)
            });
            assert_eq!(sent.expect("it fits").accepted, self.ids.len());
            self.write();
            let mut all = ToAll::new(Frame::text("to all"));
            let receipt = loop {
                let part = self.call("broadcast_all", |board, now| {
                    board.broadcast_all_part(now, &mut all, Exclude::NOBODY)
                });
                if let Some(receipt) = part.expect("it fits") {
                    break receipt;
                }
            };
            assert_eq!(receipt.accepted, self.ids.len());
            self.write();
        }
        self.call("stats", |board, now| board.stats(now));
        self.look();
    }

    /// Reads the members and users of the room like a hub.
    fn look(&mut self) {
        let (mut members, mut before) = (0, usize::MAX);
        while before > 0 {
            let (part, from) = self.call("members", |board, _| {
                board.members_before(ROOM, before, LOOK)
            });
            members += part.len();
            before = from;
        }
        let (mut users, mut next) = (0, Some(0));
        while let Some(after) = next {
            let part = self.call("room_users", |board, _| {
                board.room_users_after(ROOM, after, LOOK)
            });
            let (part, following) = part.expect("the room has presence");
            users += part.len();
            next = following;
        }
        assert_eq!((members, users), (self.ids.len(), self.ids.len()));
    }

    fn heartbeats(&mut self, seconds: u64) {
        for _ in 0..seconds * 100 {
            self.pass(Duration::from_millis(10));
            self.write();
        }
    }

    /// All connections fail to answer their pings.
    fn fall_silent(&mut self) {
        self.answers_pings = false;
        self.heartbeats(60);
    }

    /// Connections leave and come.
    fn churn(&mut self, times: usize) {
        for at in 0..times {
            let at = at * 7_919 % self.ids.len();
            let id = self.ids[at];
            let _ = self.call("reset", |board, now| board.handle(now, id, Event::Reset));
            self.ids[at] = self.connect_one();
            if at.is_multiple_of(100) {
                self.pass(Duration::from_millis(10));
                self.write();
            }
        }
        self.settle();
    }

    fn drain(&mut self) {
        let window = Duration::from_secs(10);
        self.call("drain", |board, now| board.drain(now, window, window));
        for _ in 0..1_200 {
            self.pass(Duration::from_millis(10));
            self.write();
            let next = self.switchboard.next_deadline();
            if next.is_none() {
                break;
            }
        }
    }

    /// No socket takes anything any more, until all members are too far behind.
    fn stop_reading(&mut self) {
        for message in 0..=LAG {
            let content = Content::parse(CONTENT).expect("valid JSON");
            let sent = self.call("broadcast", |board, now| {
                board.broadcast(now, ROOM, content, Some("ann"), Exclude::NOBODY)
            });
            let sent = sent.expect("it fits");
            if message == 0 {
                self.take_nothing();
            } else if message == LAG {
                assert_eq!(sent.closed, self.ids.len());
            }
        }
        self.forget_actions();
        self.pass(Duration::from_millis(1));
        assert_eq!(self.switchboard.stats(self.now).total_connections, 0);
    }

    fn take_nothing(&mut self) {
        while self.switchboard.wants_write() {
            let mut turn = std::mem::take(&mut self.turn);
            self.call("take_turn", |board, _| board.take_turn(&mut turn, TURN));
            turn.write_each(|_, _| 0);
            self.call("report", |board, now| board.report(now, &mut turn));
            self.turn = turn;
        }
    }

    /// All connections are lost at once.
    fn lose(&mut self) {
        for id in std::mem::take(&mut self.ids) {
            let _ = self.call("reset", |board, now| board.handle(now, id, Event::Reset));
            self.forget_actions();
        }
        self.pass(Duration::from_secs(1));
        self.pass(Duration::from_secs(10));
    }

    fn shut_down(&mut self) {
        while self.call("shut_down", Switchboard::shut_down_part) {
            self.forget_actions();
        }
    }

    /// Hands over what was measured.
    fn report(&mut self, title: &str) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{title}").expect("it is read");
        for (name, nanos) in std::mem::take(&mut self.holds) {
            let times: Vec<String> = nanos.iter().map(u64::to_string).collect();
            writeln!(out, "{name} {}", times.join(" ")).expect("it is read");
        }
    }
}

/// Returns the CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

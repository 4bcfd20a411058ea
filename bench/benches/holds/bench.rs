//! A node with the calls that a driver makes, each of which is timed.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::iter::empty;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use switchboard_core::protocol::Content;
use switchboard_core::{
    Audit, Config, ConnectionId, Event, Exclude, Frame, Identity, Request, Switchboard, Time,
    ToAll, ToUser, WriteTurn,
};

use crate::world::{CONTENT, PEER};

const ROOM: &str = "everybody";
const TURN: usize = 32;
/// Entries of a list that a hub looks at under one hold of the lock.
const LOOK: usize = 4_096;
/// Logins that a hub prolongs under one hold of the lock.
const EXTENDED: usize = 512;
/// Entries that an audit looks at under one hold of the lock.
const AUDITED: usize = 128;
/// The time within which the next part is due.
const PART: Duration = Duration::from_micros(100);
/// Messages that a member may lag behind where members do not read.
pub(crate) const LAG: usize = 64;

pub(crate) struct Bench {
    pub(crate) switchboard: Switchboard,
    pub(crate) now: Time,
    pub(crate) ids: Vec<ConnectionId>,
    pub(crate) users: usize,
    turn: WriteTurn,
    pings: Vec<(ConnectionId, Vec<u8>)>,
    answers_pings: bool,
    pub(crate) holds: BTreeMap<&'static str, Vec<u64>>,
}

impl Bench {
    pub(crate) fn new(config: Config) -> Self {
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
    pub(crate) fn call<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut Switchboard, Time) -> T,
    ) -> T {
        let start = cpu_time();
        let result = call(&mut self.switchboard, self.now);
        let nanos = cpu_time() - start;
        self.holds.entry(name).or_default().push(nanos);
        result
    }

    pub(crate) fn connect(&mut self, connections: usize) {
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

    pub(crate) fn connect_as(&mut self, name: String, room: Option<&str>) -> ConnectionId {
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

    pub(crate) fn settle(&mut self) {
        for _ in 0..8 {
            self.pass(Duration::from_millis(500));
            self.write();
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
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

    pub(crate) fn write(&mut self) {
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

    pub(crate) fn forget_actions(&mut self) {
        loop {
            if self
                .call("poll_action", |board, _| board.poll_action())
                .is_none()
            {
                break;
            }
        }
    }

    pub(crate) fn send(&mut self) {
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
        self.audit();
    }

    /// Audits the node like a hub, while heartbeats go on.
    fn audit(&mut self) {
        let mut audit = Audit::new();
        for part in 1.. {
            let done = self.call("audit", |board, _| board.audit_part(&mut audit, AUDITED));
            if done.expect("consistent") {
                break;
            }
            if part % 10 == 0 {
                self.pass(Duration::from_millis(10));
                self.write();
            }
        }
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

    /// Makes the calls about a user who has all the connections, in parts like a hub.
    pub(crate) fn call_user(&mut self, user: &str) {
        let devices = self.ids.len();
        let mut to = ToUser::new(user, Frame::text("to a user"));
        let receipt = loop {
            let part = self.call("send_to_user", |board, now| {
                board.send_to_user_part(now, &mut to)
            });
            if let Some(receipt) = part.expect("it fits") {
                break receipt;
            }
        };
        assert_eq!(receipt.accepted, devices);
        self.write();
        let (mut found, mut next) = (Vec::new(), Some(0));
        while let Some(after) = next {
            let (part, following) = self.call("connections_of", |board, _| {
                board.connections_of_after(user, after, LOOK)
            });
            found.extend(part);
            next = following;
        }
        assert_eq!(found.len(), devices);
        let mut next = Some(0);
        while let Some(after) = next {
            let (heard, following) = self.call("last_heard", |board, now| {
                board.last_heard_after(now, user, after, LOOK)
            });
            assert!(heard.is_some());
            next = following;
        }
        let hour = Some(Duration::from_secs(3_600));
        for part in found.chunks(EXTENDED) {
            self.call("extend_user", |board, now| {
                board.extend_each(now, part, hour)
            });
        }
        self.call("set_presence", |board, now| {
            board.set_user_presence(now, user, None)
        });
        self.pass(Duration::from_millis(1));
        self.call("ping_user", |board, now| {
            board.ping_user(now, user, Duration::from_secs(2))
        });
        self.pass(Duration::from_millis(1));
        self.write();
        self.pass(Duration::from_secs(3));
        self.write();
    }

    pub(crate) fn heartbeats(&mut self, seconds: u64) {
        for _ in 0..seconds * 100 {
            self.pass(Duration::from_millis(10));
            self.write();
        }
    }

    /// All connections fail to answer their pings.
    pub(crate) fn fall_silent(&mut self) {
        self.answers_pings = false;
        self.heartbeats(60);
    }

    /// Connections leave and come.
    pub(crate) fn churn(&mut self, times: usize) {
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

    pub(crate) fn drain(&mut self) {
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
    pub(crate) fn stop_reading(&mut self) {
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
    pub(crate) fn lose(&mut self) {
        for id in std::mem::take(&mut self.ids) {
            let _ = self.call("reset", |board, now| board.handle(now, id, Event::Reset));
            self.forget_actions();
        }
        self.pass(Duration::from_secs(1));
        self.pass(Duration::from_secs(10));
    }

    pub(crate) fn shut_down(&mut self) {
        while self.call("shut_down", Switchboard::shut_down_part) {
            self.forget_actions();
        }
    }

    /// Hands over what was measured.
    pub(crate) fn report(&mut self, title: &str) {
        let mut out = BufWriter::new(std::io::stdout().lock());
        writeln!(out, "{title}").expect("it is read");
        for (name, nanos) in std::mem::take(&mut self.holds) {
            // Many small strings that are freed here would make a later call slow.
            write!(out, "{name}").expect("it is read");
            for time in nanos {
                write!(out, " {time}").expect("it is read");
            }
            writeln!(out).expect("it is read");
        }
    }
}

/// Returns the CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

//! What a script can say, and how scripts and configurations are drawn.

// The fields of a step say what they are by their names.
#![allow(missing_docs)]

use std::fmt;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard_core::{
    Config, Direct, Health, HealthPing, Limits, Presence, Rate, Rates, Refusal, RoomRule, Rooms,
    SlowPolicy, Timeouts, UserPolicy, Wire,
};

/// How much of the system a case lets the model foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// All of it. Pings lie so far off that none comes.
    Exact,
    /// All but the phases of pings; queues are wide.
    Health,
    /// Bounds over all connections are tiny: who is their victim is not foreseen. What holds
    /// without a model is checked.
    Pressure,
}

/// What a case runs with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What can be foreseen.
    pub family: Family,
    /// Everything is written at once, by whoever can.
    pub flush: bool,
    /// Of the system.
    pub seed: u64,
    /// Small numbers that limits are made of.
    pub sizes: [u8; 8],
    /// Numbers that choices are made of.
    pub choices: [u8; 12],
}

/// One step. Numbers name a connection, a room, a user by their place, modulo how many there are.
#[derive(Clone, Debug)]
pub enum Op {
    /// A stream comes, asks and is answered at once.
    Enter { ip: u8, lobby: Option<u8>, who: Who },
    /// A stream comes.
    Connect { ip: u8 },
    /// It asks.
    Request {
        c: u8,
        ip: u8,
        lobby: Option<u8>,
        origin: bool,
        kind: Kind,
    },
    /// It breaks a rule of HTTP.
    Malformed { c: u8 },
    /// The page is made.
    AnswerPage { c: u8 },
    /// The application says who it is.
    Verdict { c: u8, who: Who },
    /// A text message, and what the application says if it is asked.
    Say {
        c: u8,
        message: Message,
        tagged: bool,
        reply: Reply,
    },
    /// The application answers an old question.
    Answer { q: u8, reply: Reply },
    /// A binary message.
    Binary { c: u8, len: u16 },
    /// A ping.
    Ping { c: u8, len: u8 },
    /// A pong, to the last ping or to none.
    Pong { c: u8, right: bool },
    /// A Close frame.
    Close { c: u8, code: Option<u16> },
    /// Something else on the stream.
    Stream { c: u8, what: Stream },
    /// Part of a message.
    Partial { c: u8, in_message: bool, bytes: u16 },
    /// A writer takes frames for somebody.
    Take { budget: u16 },
    /// A writer reports: so many bytes; 65 535 stands for all.
    Report { w: u8, bytes: u16 },
    /// So many writers come and go.
    Flush { n: u8, bytes: u16 },
    /// The socket takes bytes again.
    Writable { c: u8 },
    /// The application sends to a room.
    Broadcast {
        room: u8,
        size: u16,
        sender: bool,
        except: Except,
    },
    /// The same, as it is.
    Raw { room: u8, size: u16, except: Except },
    /// To everybody.
    All { size: u16, except: Except },
    /// To one connection.
    Send { c: u8, size: u16 },
    /// To a user.
    SendToUser { user: u8, size: u16 },
    /// The application puts a connection into a room.
    Join { c: u8, room: u8 },
    /// And out.
    Leave { c: u8, room: u8 },
    /// The application ends connections.
    DisconnectUser { user: u8, own: bool },
    /// And one.
    End { c: u8, own: bool },
    /// The application asks a user's devices.
    PingUser { user: u8, ms: u16 },
    /// The node is to end.
    Drain { window: u16, more: u16 },
    /// To the next deadline, exactly.
    Step,
    /// Time passes; every deadline on the way is kept.
    Wait { ms: u16 },
    /// The clock goes on, and nobody ticks.
    Idle { ms: u16 },
    /// The host stands still.
    Jump { ms: u32 },
    /// The clock goes back for one tick and one event.
    Back { c: u8, ms: u16 },
}

/// Whom the application sees.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// One of few users, perhaps for so many milliseconds only.
    User(u8, Option<u16>),
    /// Nobody in particular.
    Anonymous,
    /// To be told by the first message.
    First,
    /// No: unauthorized, forbidden, internal.
    No(u8),
}

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By HTTP.
    Http,
    /// Upgraded by the application.
    Upgraded,
    /// For a page.
    Page,
}

/// A text of a client.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// `subscribe`.
    Subscribe(u8),
    /// `unsubscribe`.
    Unsubscribe(u8),
    /// `message`, with a content of this size.
    Message {
        room: Option<u8>,
        size: u16,
        echo: bool,
    },
    /// `direct`.
    Direct { user: u8, size: u16 },
    /// `ping`.
    Ping(Option<u8>),
    /// `health_pong`, right or wrong.
    HealthPong(bool),
    /// `auth`.
    Auth,
    /// Something else.
    Garbage(u8),
}

/// What the application says to a question.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// Yes; to a token: this.
    Yes(Who),
    /// No.
    No(bool),
    /// Later, or never.
    Later,
}

/// What can happen to a stream besides frames.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Bytes came.
    Heard,
    /// Its end.
    Eof,
    /// Its failure.
    Reset,
    /// A broken rule.
    Violation(u8),
    /// Bytes thrown away.
    Discarded(u32),
    /// Not read.
    Paused,
    /// Read again.
    Resumed,
    /// The application is asked something.
    HookStarted,
    /// It has answered.
    HookDone,
    /// It panicked.
    HookFailed,
}

/// Who is left out of a broadcast.
#[derive(Clone, Copy, Debug)]
pub enum Except {
    /// Nobody.
    Nobody,
    /// One connection.
    One(u8),
    /// A user.
    User(u8),
    /// A connection and a user.
    Both(u8, u8),
}

/// A case: its setup and its script.
#[derive(Clone)]
pub struct Case {
    /// What it runs with.
    pub setup: Setup,
    /// What happens.
    pub ops: Vec<Op>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        for (number, op) in self.ops.iter().enumerate() {
            writeln!(f, "  {number:3}  {op:?}")?;
        }
        Ok(())
    }
}

const fn pick<T: Copy, const N: usize>(from: [T; N], choice: u8) -> T {
    from[choice as usize % N]
}

impl Setup {
    /// The configuration.
    pub fn config(&self) -> Config {
        let c = self.choices;
        let pressure = self.family == Family::Pressure;
        let health = self.family == Family::Health;
        let rate = |per_second: u64, burst: u64| Some(Rate { per_second, burst });
        let rates = match c[0] % 3 {
            0 if !health => Rates {
                messages: rate(2, 3),
                bytes: rate(400, 6_000),
                connects: rate(1, 4),
                strikes: 3,
                strike_window: Duration::from_secs(4),
            },
            1 if !health => Rates {
                messages: rate(20, 10),
                bytes: None,
                connects: None,
                strikes: 4,
                strike_window: Duration::from_secs(10),
            },
            _ => Rates::unlimited(),
        };
        let far = Duration::from_secs(365 * 86_400);
        let slow = [
            SlowPolicy::Disconnect,
            SlowPolicy::DropOldest,
            SlowPolicy::DropNewest,
        ];
        Config {
            limits: self.limits(),
            timeouts: self.timeouts(),
            health: Health {
                ping_interval: if health || pressure {
                    Duration::from_secs(5)
                } else {
                    far
                },
                ping_timeout: Duration::from_millis(2_000),
                health_ping: pick([HealthPing::Off, HealthPing::All, HealthPing::Demand], c[1]),
                stall_threshold: Duration::from_secs(1),
            },
            rates,
            presence: Presence {
                enabled: c[2] % 4 != 0,
                leave_grace: Duration::from_millis(700),
                interval: Duration::from_millis(250),
                full: pick([50, 1, 2], c[3]),
            },
            users: pick(
                [
                    UserPolicy::Replace,
                    UserPolicy::Reject,
                    UserPolicy::Allow(1),
                    UserPolicy::Allow(2),
                    UserPolicy::Allow(9),
                ],
                c[4],
            ),
            slow: pick(slow, c[5]),
            room_rules: vec![
                rule("old", Some(SlowPolicy::DropOldest), None),
                rule("new", Some(SlowPolicy::DropNewest), Some(true)),
                rule("mute", Some(SlowPolicy::Disconnect), Some(false)),
            ],
            rooms: pick([Rooms::Open, Rooms::Open, Rooms::Ask], c[6]),
            direct: pick([Direct::Open, Direct::Ask], c[7]),
            refusal: pick([Refusal::Close, Refusal::Http], c[8]),
            wire: pick([Wire::Json, Wire::Json, Wire::Json, Wire::Raw], c[9]),
            ..Config::default()
        }
    }

    fn limits(&self) -> Limits {
        let s = self.sizes.map(usize::from);
        let small = |size: usize, from: usize, to: usize| from + size % (to - from + 1);
        let pressure = self.family == Family::Pressure;
        let health = self.family == Family::Health;
        let roomy = health || (!pressure && s[7] % 3 == 0);
        let queue_bytes = if roomy {
            1 << 20
        } else {
            small(s[0] * 37, 300, 1_500)
        };
        Limits {
            connections: small(s[1], 2, 6),
            handshakes: small(s[2], 2, 6),
            per_ip: small(s[3], 1, 4),
            room_members: small(s[4], 2, 4),
            rooms_per_connection: small(s[5], 1, 3),
            rooms: small(s[6], 2, 4),
            name_bytes: 8,
            message_bytes: 5_000,
            fragments: 8,
            unfinished_bytes: small(s[5] * 101, 500, 12_000),
            queue_bytes,
            queue_messages: if roomy { 1_000 } else { small(s[6], 3, 9) },
            queued_bytes: if pressure {
                queue_bytes.min(1_500) * 3 / 2
            } else {
                1 << 30
            },
            closing: if pressure { 1 + s[7] % 3 } else { 1_000 },
            pause_reading: (!health && s[4] % 2 == 0).then_some(queue_bytes.min(1_500) / 2),
        }
    }

    fn timeouts(&self) -> Timeouts {
        let c = self.choices;
        let health = self.family == Family::Health;
        Timeouts {
            handshake: Duration::from_millis(3_000),
            hook: Duration::from_millis(pick([2_500, 6_000], c[10])),
            auth: Duration::from_millis(2_000),
            message: Duration::from_millis(pick([3_000, 900], c[11])),
            write_stall: Duration::from_millis(if health { 10_000_000 } else { 2_200 }),
            close: Duration::from_millis(1_500),
            refusal: Duration::from_millis(1_000),
        }
    }
}

fn rule(prefix: &str, slow: Option<SlowPolicy>, presence: Option<bool>) -> RoomRule {
    RoomRule {
        prefix: prefix.into(),
        slow,
        presence,
    }
}

fn who() -> impl Strategy<Value = Who> {
    let expires = prop_oneof![8 => Just(None), 1 => (1..4_000_u16).prop_map(Some)];
    prop_oneof![
        12 => (0..5_u8, expires).prop_map(|(user, expires)| Who::User(user, expires)),
        2 => Just(Who::Anonymous),
        2 => Just(Who::First),
        1 => (0..3_u8).prop_map(Who::No),
    ]
}

fn room() -> impl Strategy<Value = u8> {
    prop_oneof![30 => 0..5_u8, 1 => 5..8_u8]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        8 => who().prop_map(Reply::Yes),
        1 => any::<bool>().prop_map(Reply::No),
        1 => Just(Reply::Later),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        5 => room().prop_map(Message::Subscribe),
        3 => room().prop_map(Message::Unsubscribe),
        8 => (proptest::option::weighted(0.8, room()), 0..400_u16, any::<bool>())
            .prop_map(|(room, size, echo)| Message::Message { room, size, echo }),
        3 => (0..6_u8, 0..300_u16).prop_map(|(user, size)| Message::Direct { user, size }),
        2 => proptest::option::of(any::<u8>()).prop_map(Message::Ping),
        2 => any::<bool>().prop_map(Message::HealthPong),
        2 => Just(Message::Auth),
        2 => any::<u8>().prop_map(Message::Garbage),
    ]
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![
        3 => Just(Stream::Heard),
        3 => Just(Stream::Eof),
        2 => Just(Stream::Reset),
        1 => (0..4_u8).prop_map(Stream::Violation),
        2 => (0..200_000_u32).prop_map(Stream::Discarded),
        1 => Just(Stream::Paused),
        2 => Just(Stream::Resumed),
        1 => Just(Stream::HookStarted),
        1 => Just(Stream::HookDone),
        1 => Just(Stream::HookFailed),
    ]
}

fn except() -> impl Strategy<Value = Except> {
    prop_oneof![
        4 => Just(Except::Nobody),
        1 => any::<u8>().prop_map(Except::One),
        1 => (0..5_u8).prop_map(Except::User),
        1 => (any::<u8>(), 0..5_u8).prop_map(|(c, user)| Except::Both(c, user)),
    ]
}

fn written() -> impl Strategy<Value = u16> {
    prop_oneof![5 => Just(u16::MAX), 3 => 0..300_u16, 1 => Just(0_u16)]
}

fn coming() -> BoxedStrategy<Op> {
    let lobby = || proptest::option::weighted(0.7, room());
    prop_oneof![
        10 => (0..5_u8, lobby(), who()).prop_map(|(ip, lobby, who)| Op::Enter { ip, lobby, who }),
        2 => (0..5_u8).prop_map(|ip| Op::Connect { ip }),
        3 => (any::<u8>(), 0..5_u8, lobby(), any::<u8>()).prop_map(|(c, ip, lobby, choice)| {
            let kind = pick([Kind::Http, Kind::Http, Kind::Http, Kind::Upgraded, Kind::Page], choice);
            Op::Request { c, ip, lobby, origin: choice % 7 != 0, kind }
        }),
        1 => any::<u8>().prop_map(|c| Op::Malformed { c }),
        1 => any::<u8>().prop_map(|c| Op::AnswerPage { c }),
        3 => (any::<u8>(), who()).prop_map(|(c, who)| Op::Verdict { c, who }),
    ]
    .boxed()
}

fn talking() -> BoxedStrategy<Op> {
    let c = any::<u8>;
    let code = prop_oneof![
        Just(None),
        Just(Some(1000)),
        Just(Some(1001)),
        Just(Some(4242))
    ];
    prop_oneof![
        14 => (c(), message(), any::<bool>(), reply())
            .prop_map(|(c, message, tagged, reply)| Op::Say { c, message, tagged, reply }),
        2 => (c(), reply()).prop_map(|(q, reply)| Op::Answer { q, reply }),
        1 => (c(), 0..5_000_u16).prop_map(|(c, len)| Op::Binary { c, len }),
        2 => (c(), 0..126_u8).prop_map(|(c, len)| Op::Ping { c, len }),
        2 => (c(), any::<bool>()).prop_map(|(c, right)| Op::Pong { c, right }),
        1 => (c(), code).prop_map(|(c, code)| Op::Close { c, code }),
        5 => (c(), stream()).prop_map(|(c, what)| Op::Stream { c, what }),
        2 => (c(), any::<bool>(), 0..5_000_u16)
            .prop_map(|(c, in_message, bytes)| Op::Partial { c, in_message, bytes }),
    ]
    .boxed()
}

fn writing() -> BoxedStrategy<Op> {
    let c = any::<u8>;
    prop_oneof![
        3 => (1..2_000_u16).prop_map(|budget| Op::Take { budget }),
        3 => (c(), written()).prop_map(|(w, bytes)| Op::Report { w, bytes }),
        5 => (1..9_u8, written()).prop_map(|(n, bytes)| Op::Flush { n, bytes }),
        3 => c().prop_map(|c| Op::Writable { c }),
    ]
    .boxed()
}

fn commanding() -> BoxedStrategy<Op> {
    let c = any::<u8>;
    let size = || 0..500_u16;
    prop_oneof![
        6 => (room(), size(), any::<bool>(), except())
            .prop_map(|(room, size, sender, except)| Op::Broadcast { room, size, sender, except }),
        2 => (room(), size(), except())
            .prop_map(|(room, size, except)| Op::Raw { room, size, except }),
        1 => (size(), except()).prop_map(|(size, except)| Op::All { size, except }),
        1 => (c(), size()).prop_map(|(c, size)| Op::Send { c, size }),
        1 => (0..6_u8, size()).prop_map(|(user, size)| Op::SendToUser { user, size }),
        4 => (c(), room()).prop_map(|(c, room)| Op::Join { c, room }),
        2 => (c(), room()).prop_map(|(c, room)| Op::Leave { c, room }),
        1 => (0..6_u8, any::<bool>()).prop_map(|(user, own)| Op::DisconnectUser { user, own }),
        1 => (c(), any::<bool>()).prop_map(|(c, own)| Op::End { c, own }),
        1 => (0..6_u8, 0..3_000_u16).prop_map(|(user, ms)| Op::PingUser { user, ms }),
    ]
    .boxed()
}

fn passing() -> BoxedStrategy<Op> {
    prop_oneof![
        6 => Just(Op::Step),
        6 => (0..2_500_u16).prop_map(|ms| Op::Wait { ms }),
        2 => (0..900_u16).prop_map(|ms| Op::Idle { ms }),
        1 => (0..20_000_u32).prop_map(|ms| Op::Jump { ms }),
        1 => (any::<u8>(), 1..5_000_u16).prop_map(|(c, ms)| Op::Back { c, ms }),
    ]
    .boxed()
}

fn op() -> impl Strategy<Value = Op> {
    let drain = (0..6_000_u16, 0..3_000_u16);
    prop_oneof![
        50 => coming(),
        50 => talking(),
        30 => writing(),
        40 => commanding(),
        30 => passing(),
        1 => drain.prop_map(|(window, more)| Op::Drain { window, more }),
    ]
}

/// Cases of all families.
pub fn cases(most: usize) -> impl Strategy<Value = Case> {
    let family = prop_oneof![
        5 => Just(Family::Exact),
        2 => Just(Family::Health),
        2 => Just(Family::Pressure),
    ];
    let setup = (
        family,
        any::<bool>(),
        any::<u64>(),
        any::<[u8; 8]>(),
        any::<[u8; 12]>(),
    );
    let setup = setup.prop_map(|(family, flush, seed, sizes, choices)| Setup {
        family,
        flush: flush || family == Family::Health,
        seed,
        sizes,
        choices,
    });
    (setup, vec(op(), 1..most)).prop_map(|(setup, ops)| Case { setup, ops })
}

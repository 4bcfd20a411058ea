//! What a script can say, and how scripts and configurations are drawn.

// The fields of a step say what they are by their names.
#![allow(missing_docs)]

mod draw;
mod setup;

use std::fmt;

use arbitrary::{Arbitrary, Result, Unstructured};

pub use self::draw::cases;

/// How much of the system a case lets the model foresee.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Arbitrary, Clone, Debug)]
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
#[derive(Arbitrary, Clone, Debug)]
pub enum Op {
    /// A stream comes, asks and is answered at once.
    Enter { ip: u8, lobby: Option<u8>, who: Who },
    /// A client loses its stream, and after so many milliseconds its user enters again.
    Return {
        c: u8,
        ip: u8,
        #[arbitrary(with = moment)]
        ms: u16,
    },
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
    Binary {
        c: u8,
        #[arbitrary(with = moment)]
        len: u16,
    },
    /// A ping.
    Ping {
        c: u8,
        #[arbitrary(with = control)]
        len: u8,
    },
    /// A pong, to the last ping or to none.
    Pong { c: u8, right: bool },
    /// A Close frame.
    Close {
        c: u8,
        #[arbitrary(with = close_code)]
        code: Option<u16>,
    },
    /// Something else on the stream.
    Stream { c: u8, what: Stream },
    /// Part of a message.
    Partial {
        c: u8,
        in_message: bool,
        #[arbitrary(with = moment)]
        bytes: u16,
    },
    /// A writer takes frames for somebody.
    Take {
        #[arbitrary(with = moment)]
        budget: u16,
    },
    /// A writer reports: so many bytes; 65 535 stands for all.
    Report { w: u8, bytes: u16 },
    /// So many writers come and go.
    Flush { n: u8, bytes: u16 },
    /// The socket takes bytes again.
    Writable { c: u8 },
    /// The application sends to a room.
    Broadcast {
        room: u8,
        #[arbitrary(with = small)]
        size: u16,
        sender: bool,
        except: Except,
    },
    /// The same, as it is.
    Raw {
        room: u8,
        #[arbitrary(with = small)]
        size: u16,
        except: Except,
    },
    /// To everybody.
    All {
        #[arbitrary(with = small)]
        size: u16,
        except: Except,
    },
    /// To one connection.
    Send {
        c: u8,
        #[arbitrary(with = small)]
        size: u16,
    },
    /// To a user.
    SendToUser {
        user: u8,
        #[arbitrary(with = small)]
        size: u16,
    },
    /// The application puts a connection into a room.
    Join { c: u8, room: u8 },
    /// And out.
    Leave { c: u8, room: u8 },
    /// The application ends connections.
    DisconnectUser { user: u8, own: bool },
    /// And one.
    End { c: u8, own: bool },
    /// The application asks a user's devices.
    PingUser {
        user: u8,
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// The node is to end.
    Drain {
        #[arbitrary(with = moment)]
        window: u16,
        #[arbitrary(with = moment)]
        more: u16,
    },
    /// To the next deadline, exactly.
    Step,
    /// Time passes; every deadline on the way is kept.
    Wait {
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// The clock goes on, and nobody ticks.
    Idle {
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// The host stands still.
    Jump {
        #[arbitrary(with = stall)]
        ms: u32,
    },
    /// The clock goes back for one tick and one event.
    Back {
        c: u8,
        #[arbitrary(with = moment)]
        ms: u16,
    },
}

/// Whom the application sees.
#[derive(Arbitrary, Clone, Copy, Debug)]
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
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By HTTP.
    Http,
    /// Upgraded by the application.
    Upgraded,
    /// For a page.
    Page,
}

/// A text of a client.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Message {
    /// `subscribe`.
    Subscribe(u8),
    /// `unsubscribe`.
    Unsubscribe(u8),
    /// `message`, with a content of this size.
    Message {
        room: Option<u8>,
        #[arbitrary(with = small)]
        size: u16,
        echo: bool,
    },
    /// `direct`.
    Direct {
        user: u8,
        #[arbitrary(with = small)]
        size: u16,
    },
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
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Reply {
    /// Yes; to a token: this.
    Yes(Who),
    /// No.
    No(bool),
    /// Later, or never.
    Later,
}

/// What can happen to a stream besides frames.
#[derive(Arbitrary, Clone, Copy, Debug)]
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
    Discarded(#[arbitrary(with = bytes)] u32),
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
#[derive(Arbitrary, Clone, Copy, Debug)]
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

/// Small numbers, as in [`cases`]; `Report` and `Flush` have their own meaning of large ones.
fn small(from: &mut Unstructured<'_>) -> Result<u16> {
    from.int_in_range(0..=500)
}

fn control(from: &mut Unstructured<'_>) -> Result<u8> {
    from.int_in_range(0..=125)
}

/// One that a decoder lets through.
fn close_code(from: &mut Unstructured<'_>) -> Result<Option<u16>> {
    from.choose(&[None, Some(1000), Some(1001), Some(4242)])
        .copied()
}

fn moment(from: &mut Unstructured<'_>) -> Result<u16> {
    from.int_in_range(1..=5_000)
}

fn stall(from: &mut Unstructured<'_>) -> Result<u32> {
    from.int_in_range(0..=20_000)
}

fn bytes(from: &mut Unstructured<'_>) -> Result<u32> {
    from.int_in_range(0..=200_000)
}

/// As many steps as there are bytes for, up to `most`. A drain ends a script, and comes rarely.
pub fn case_from(from: &mut Unstructured<'_>, most: usize) -> Result<Case> {
    let mut setup: Setup = from.arbitrary()?;
    setup.flush |= setup.family == Family::Health;
    let mut ops = Vec::new();
    while ops.len() < most && !from.is_empty() {
        match from.arbitrary()? {
            Op::Drain { .. } if from.ratio(15, 16)? => {}
            op => ops.push(op),
        }
    }
    Ok(Case { setup, ops })
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

//! The steps of a script, and how scripts and configurations are drawn.

// The names of a step's fields suffice.
#![allow(missing_docs)]

mod draw;
mod setup;

use std::fmt;

use arbitrary::{Arbitrary, Result, Unstructured};

pub use self::draw::cases;

/// How much of the system's behaviour the model predicts in a case.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Everything. Ping intervals are so long that no ping is due.
    Exact,
    /// Everything except the phases of pings; queue limits are wide.
    Health,
    /// Node-wide bounds are tiny, and the model does not predict which connection is closed for
    /// them. Only invariants that need no model are checked.
    Pressure,
}

/// The setup of a case.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    /// What is predicted.
    pub family: Family,
    /// Whether everything is written at once, by any writer that can.
    pub flush: bool,
    /// The system's seed.
    pub seed: u64,
    /// Small numbers from which limits are derived.
    pub sizes: [u8; 8],
    /// Numbers from which choices are derived.
    pub choices: [u8; 12],
}

/// One step. Numbers select a connection, room or user by index, modulo their count.
#[derive(Arbitrary, Clone, Debug)]
pub enum Op {
    /// A client connects, sends its request and is authenticated at once.
    Enter { ip: u8, lobby: Option<u8>, who: Who },
    /// A client loses its stream, and its user connects again after so many milliseconds.
    Return {
        c: u8,
        ip: u8,
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// A stream arrives.
    Connect { ip: u8 },
    /// Its request arrives.
    Request {
        c: u8,
        ip: u8,
        lobby: Option<u8>,
        origin: bool,
        kind: Kind,
    },
    /// Its request is malformed.
    Malformed { c: u8 },
    /// The page is ready.
    AnswerPage { c: u8 },
    /// The application's verdict on a newcomer.
    Verdict { c: u8, who: Who },
    /// A text message, and the application's answer if it is asked.
    Say {
        c: u8,
        message: Message,
        tagged: bool,
        reply: Reply,
    },
    /// The application answers an earlier question.
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
    /// A pong, to the last ping or unsolicited.
    Pong { c: u8, right: bool },
    /// A Close frame.
    Close {
        c: u8,
        #[arbitrary(with = close_code)]
        code: Option<u16>,
    },
    /// Another event of the stream.
    Stream { c: u8, what: Stream },
    /// Part of a message.
    Partial {
        c: u8,
        in_message: bool,
        #[arbitrary(with = moment)]
        bytes: u16,
    },
    /// A writer takes frames.
    Take,
    /// A writer reports so many bytes; 65 535 stands for all.
    Report { w: u8, bytes: u16 },
    /// So many writers take and report.
    Flush { n: u8, bytes: u16 },
    /// The socket takes bytes again.
    Writable { c: u8 },
    /// The application publishes to a room.
    Broadcast {
        room: u8,
        #[arbitrary(with = small)]
        size: u16,
        sender: bool,
        except: Except,
    },
    /// The application sends a raw message to a room.
    Raw {
        room: u8,
        #[arbitrary(with = small)]
        size: u16,
        except: Except,
    },
    /// The application sends to all connections.
    All {
        #[arbitrary(with = small)]
        size: u16,
        except: Except,
    },
    /// The application sends to one connection.
    Send {
        c: u8,
        #[arbitrary(with = small)]
        size: u16,
    },
    /// The application sends to a user.
    SendToUser {
        user: u8,
        #[arbitrary(with = small)]
        size: u16,
    },
    /// The application adds a connection to a room.
    Join { c: u8, room: u8 },
    /// The application removes a connection from a room.
    Leave { c: u8, room: u8 },
    /// The application ends a user's connections.
    DisconnectUser { user: u8, own: bool },
    /// The application ends one connection.
    End { c: u8, own: bool },
    /// The application probes a user's connections.
    PingUser {
        user: u8,
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// The drain starts.
    Drain {
        #[arbitrary(with = moment)]
        window: u16,
        #[arbitrary(with = moment)]
        more: u16,
    },
    /// Advances to exactly the next deadline.
    Step,
    /// Time passes, with a tick at every deadline.
    Wait {
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// Time passes without a tick.
    Idle {
        #[arbitrary(with = moment)]
        ms: u16,
    },
    /// The host stalls.
    Jump {
        #[arbitrary(with = stall)]
        ms: u32,
    },
    /// One tick and one event have an earlier time.
    Back {
        c: u8,
        #[arbitrary(with = moment)]
        ms: u16,
    },
}

/// The application's verdict on a client.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Who {
    /// One of a few users, possibly with a lifetime in milliseconds.
    User(u8, Option<u16>),
    /// An anonymous client.
    Anonymous,
    /// To be decided by the first message.
    First,
    /// Refused: unauthorized, forbidden, internal.
    No(u8),
}

/// The kind of a request.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A handshake that the system answers.
    Http,
    /// A handshake that the application answers.
    Upgraded,
    /// A page.
    Page,
}

/// A client's text message.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Message {
    /// `subscribe`; eight times the room's number is from where on.
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
    /// `health_pong`, with the right or a wrong number.
    HealthPong(bool),
    /// `auth`.
    Auth,
    /// A text that is not understood.
    Garbage(u8),
    /// `call`, whose result is its parameters, of this size.
    Call {
        #[arbitrary(with = small)]
        size: u16,
    },
}

/// The application's answer to a question.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Reply {
    /// Yes; for a token, this verdict.
    Yes(Who),
    /// No.
    No(bool),
    /// Later, or never.
    Later,
}

/// Events of a stream other than frames.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Stream {
    /// Bytes arrived.
    Heard,
    /// The peer's side ended.
    Eof,
    /// The stream failed.
    Reset,
    /// The client violated a rule.
    Violation(u8),
    /// Bytes were discarded.
    Discarded(#[arbitrary(with = bytes)] u32),
    /// Reading was paused.
    Paused,
    /// Reading was resumed.
    Resumed,
    /// A hook started.
    HookStarted,
    /// A hook returned.
    HookDone,
    /// A hook panicked.
    HookFailed,
    /// The client leaves once a hook has returned.
    Leaving,
}

/// Exclusions of a broadcast.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Except {
    /// None.
    Nobody,
    /// One connection.
    One(u8),
    /// A user.
    User(u8),
    /// A connection and a user.
    Both(u8, u8),
}

/// A setup and a script.
#[derive(Clone)]
pub struct Case {
    /// The setup.
    pub setup: Setup,
    /// The steps.
    pub ops: Vec<Op>,
}

/// Draws a small number, as in [`cases`]; large ones have a special meaning in `Report` and
/// `Flush`.
fn small(from: &mut Unstructured<'_>) -> Result<u16> {
    from.int_in_range(0..=500)
}

fn control(from: &mut Unstructured<'_>) -> Result<u8> {
    from.int_in_range(0..=125)
}

/// Draws a close code that a decoder accepts.
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

/// Draws as many steps as there are bytes for, up to `most`. A drain ends a script and is rare.
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

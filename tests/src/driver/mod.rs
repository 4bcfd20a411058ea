//! Plays a script against the switchboard and its model in virtual time, and compares them.
//!
//! Invariants by number, and the module that checks each:
//!
//! | number | what | where |
//! |---|---|---|
//! | 1, 2, 3, 4 | phases, one terminal action, no action before or after, ids used once | `lives` |
//! | 5, 6, 7, 8 | every index equals a recount; nothing empty stays | `audit`, `compare` |
//! | 9 | caps | `audit`, `compare` |
//! | 10 | a refusal changes nothing else | `compare`: the model changes nothing else |
//! | 11 | receipts add up; queued = written + dropped | `commands`, `compare` |
//! | 12, 13 | order, before joining, after leaving | `streams` |
//! | 14 | queued bytes | `audit`, `compare` |
//! | 15, 16 | whole frames, nothing after Close, legal control frames | `crate::wire` |
//! | 17 | one pong, one unanswered ping | `streams` |
//! | 18, 19, 21 | deadlines; `tick` twice, `tick` back | `time`, `audit` |
//! | 20 | rates | the model's buckets, `streams` |
//! | 22 | silent connections are evicted, those that answer stay | `time`, the model |

mod arrivals;
mod commands;
mod compare;
mod inputs;
mod lives;
mod says;
mod streams;
mod time;
mod writers;

use std::collections::BTreeMap;
use std::net::IpAddr;

use switchboard_core::session::Meter;
use switchboard_core::{
    Action, Audit, Config, ConnectionId, Dump, Identity, Question, Switchboard, Time, Wire,
};

use crate::model::{Ask, Model};
use crate::script::{Case, Family, Setup};

use self::lives::Life;
use self::streams::{Socket, node_of};

/// The memory of a recorder that forgets nothing of a case.
const RECORDER: usize = 1 << 30;

/// A description of a failed check.
pub type Fault = String;

/// Counts of a case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Calls of the switchboard.
    pub events: u64,
    /// Comparisons.
    pub checks: u64,
    /// Frames that peers read.
    pub frames: u64,
}

/// Names of rooms: the last three are illegal.
pub const ROOMS: [&str; 8] = [
    "lobby",
    "old-a",
    "new-b",
    "mute-c",
    "blue",
    "",
    "much-too-long",
    "bell\u{7}",
];

/// Names of users: the last are illegal.
pub const USERS: [&str; 7] = [
    "ann",
    "bob",
    "cyd",
    "dan",
    "eve",
    "much-too-long",
    "anon-1-0",
];

/// Addresses, and the key under which each is counted.
const ADDRESSES: [(&str, u8); 5] = [
    ("10.0.0.1", 0),
    ("::ffff:10.0.0.1", 0),
    ("10.0.0.2", 1),
    ("2001:db8::1", 2),
    ("2001:db8::2", 2),
];

/// The address that `script::setup` may trust.
const PROXY: u8 = 1;

/// The switchboard, its model, and the peers.
pub struct Driver {
    sys: Switchboard,
    /// An audit that goes on while connections change.
    audit: Audit,
    config: Config,
    setup: Setup,
    model: Option<Model>,
    now: u64,
    sockets: BTreeMap<ConnectionId, Socket>,
    lives: BTreeMap<ConnectionId, Life>,
    ids: Vec<ConnectionId>,
    questions: Vec<(ConnectionId, Question, Ask)>,
    /// Actions of the current call.
    fresh: Vec<Action>,
    /// Each numbered message, by its room's epoch and number.
    numbered: BTreeMap<(String, u64), String>,
    requests: u64,
    /// The latest time of a call.
    seen: u64,
    /// What each connection may send.
    meters: BTreeMap<ConnectionId, Meter>,
    figures: Figures,
    /// Notices other than refusals and closes, by kind.
    seen_notices: BTreeMap<&'static str, u64>,
}

impl Driver {
    /// Creates a switchboard and a model in the same initial state.
    pub fn new(setup: &Setup) -> Result<Self, Fault> {
        Self::recorded(setup, 0)
    }

    /// The same, with a recorder of so many bytes.
    fn recorded(setup: &Setup, recorder: usize) -> Result<Self, Fault> {
        let mut config = setup.config();
        config.recorder.bytes = recorder;
        let start = 1_000_000_000;
        let sys = Switchboard::new(config.clone(), setup.seed, Time::from_nanos(start))
            .map_err(|error| error.to_string())?;
        let model = (setup.family != Family::Pressure)
            .then(|| Model::new(config.clone(), start, node_of(setup.seed)));
        Ok(Self {
            sys,
            audit: Audit::new(),
            config,
            setup: setup.clone(),
            model,
            now: start,
            sockets: BTreeMap::new(),
            lives: BTreeMap::new(),
            ids: Vec::new(),
            questions: Vec::new(),
            fresh: Vec::new(),
            numbered: BTreeMap::new(),
            requests: 0,
            seen: start,
            meters: BTreeMap::new(),
            figures: Figures::default(),
            seen_notices: BTreeMap::new(),
        })
    }

    /// Plays a case to its end; `seen` counts events by their name in the statistics.
    pub fn play(case: &Case, seen: &mut BTreeMap<String, u64>) -> Result<Figures, Fault> {
        let mut driver = Self::new(&case.setup)?;
        driver.play_all(case)?;
        driver.count_what_was_seen(seen);
        Ok(driver.figures)
    }

    /// Plays a case to its end, with a recorder that forgets nothing.
    pub fn record(case: &Case) -> Result<Dump, Fault> {
        let mut driver = Self::recorded(&case.setup, RECORDER)?;
        driver.play_all(case)?;
        let dump = driver.sys.dump(Time::from_nanos(driver.seen));
        dump.ok_or_else(|| "nothing was recorded".to_owned())
    }

    fn play_all(&mut self, case: &Case) -> Result<(), Fault> {
        for (number, op) in case.ops.iter().enumerate() {
            self.step(op)
                .map_err(|fault| format!("step {number}, {op:?}: {fault}"))?;
        }
        self.finish()
            .map_err(|fault| format!("at the end: {fault}"))
    }

    fn count_what_was_seen(&self, seen: &mut BTreeMap<String, u64>) {
        let stats = self.sys.stats(Time::from_nanos(self.now));
        for (kind, counts) in [
            ("refused", &stats.refused),
            ("closed", &stats.closes),
            ("dropped", &stats.dropped),
            ("seen", &self.seen_notices),
        ] {
            for (key, count) in counts {
                *seen.entry(format!("{kind} {key}")).or_default() += count;
            }
        }
        // Where all was predicted to the end.
        let came = self.model.as_ref().map(|model| &model.came);
        for (what, count) in came.into_iter().flatten() {
            *seen.entry(format!("came {what}")).or_default() += count;
        }
    }

    /// Calls the switchboard with the current time.
    fn act<R>(&mut self, call: impl FnOnce(&mut Switchboard, Time) -> R) -> R {
        self.act_at(self.now, call)
    }

    fn act_at<R>(&mut self, at: u64, call: impl FnOnce(&mut Switchboard, Time) -> R) -> R {
        let promised = self.sys.next_deadline().map(Time::as_nanos);
        let result = call(&mut self.sys, Time::from_nanos(at));
        self.gather();
        self.seen = self.seen.max(at);
        if let Some(model) = &mut self.model {
            model.enter(at, promised);
        }
        result
    }

    fn gather(&mut self) {
        self.figures.events += 1;
        while let Some(action) = self.sys.poll_action() {
            self.fresh.push(action);
        }
    }

    fn json(&self) -> bool {
        self.config.wire == Wire::Json
    }

    /// Picks a connection, mostly an existing one.
    fn pick(&self, c: u8) -> Option<ConnectionId> {
        let live: Vec<ConnectionId> = self.sockets.keys().copied().collect();
        let from = if c >= 240 || live.is_empty() {
            &self.ids
        } else {
            &live
        };
        (!from.is_empty()).then(|| from[usize::from(c) % from.len()])
    }
}

fn room(number: u8) -> &'static str {
    ROOMS[usize::from(number) % ROOMS.len()]
}

fn user(number: u8) -> &'static str {
    USERS[usize::from(number) % USERS.len()]
}

fn address(number: u8) -> Result<(IpAddr, u8), Fault> {
    let (text, key) = ADDRESSES[usize::from(number) % ADDRESSES.len()];
    let address: IpAddr = text.parse().map_err(|error| format!("{error}"))?;
    Ok((address, key))
}

fn named(name: &str, expires_in: Option<std::time::Duration>) -> Identity {
    Identity::User {
        name: name.to_owned(),
        expires_in,
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(what()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, sys: &T, model: &T) -> Result<(), Fault> {
    ensure(sys == model, || {
        format!("{what}: got {sys:?}, expected {model:?}")
    })
}

//! A whole node and its clients over a simulated network, in virtual time, from one seed.
//!
//! The node is the core with the production `Session` under a small driver shaped like the real one
//! (see `seam`). Clients, network, host and application misbehave as the seed dictates. An oracle
//! that shares no code with the core predicts the outcome of each call and reads every byte sent. A
//! run has three phases: with faults (safety); without faults, when within a stated virtual time
//! all clients that fit are admitted, no bytes are queued and a probe reaches all members
//! (liveness); and all leave, after which nothing may be left.
//!
//! # Where the invariants are checked
//!
//! | number | what | where |
//! |---|---|---|
//! | 1 | phases move forward | `oracle::move_to` |
//! | 2, 3, 4 | one end per id, no action for an unknown id, no id twice | `ends` |
//! | 5, 6, 7, 8, 14, 17, 19, 37 | indexes and gauges, by the core's recount and by ours | `oracle::audit` |
//! | 9, 10 | limits hold, refusals change nothing else | `admission`, `deeds`, `stays` |
//! | 11 | every copy is accounted for, every request answered | `broadcasts`, `delivery`, `members` |
//! | 12, 13 | order, no repeats, nothing before joining or after leaving, presence | `members`, `presence` |
//! | 15, 16 | whole legal frames, nothing after Close | `output` |
//! | 18, 21 | deadlines and idle ticks | `world::tick` |
//! | 20 | rate limits | `rates` |
//! | 22 | heartbeat | `oracle::audit_ages`, `causes` |
//! | 23 | one seed, one trace | [`run`] twice, by [`Report`] |
//! | 24 | any split of the input | every read is split at random |
//! | 25 | nothing feeds on its own output | `world::run_until` |
//! | 27 | drain | `world::begin_drain`, `deeds::was_drained`, `ends::opened` |
//! | 28 | after our Close | `delivery`, `oracle::audit_ages` |
//! | 29 | each end has a cause, each cause its code | `causes`, `admission`, `delivery` |
//! | 30 | order of hooks | `hooks`, `causes`, `stays` |
//! | 31 | senders are true | `members`, `delivery` |
//! | 32 | nothing before authentication, after expiry or a kick | `delivery`, `oracle::audit_ages` |
//! | 33 | rejected JSON changes nothing | `oracle::audit`, after each event of a small run |
//! | 38 | liveness | `phases` |
//! | 39 | no panic | [`run`] |
//! | 42 | what rooms keep for those who come back | see below |
//! | 41 | each fault and each rare path | [`missing`](seeds::Tally::missing), by [`Report`] |
//!
//! From the seed [`KEEPING`] on, rooms keep histories or the latest value of each key, and clients come
//! back to where they were. What is kept is checked after events, the rest on each byte that is sent:
//!
//! | | what | where |
//! |---|---|---|
//! | H1 | a room keeps the last of its numbers, within its bounds | `histories` |
//! | H2, H3 | who comes back gets exactly what it missed, or is told that it does not | `recoveries`, `members` |
//! | H4 | who catches up misses only what has gone, and is told so | `members`, `recoveries` |
//! | H5 | nobody gets later what was not for it, or more than it may have | `recoveries`, `members` |
//! | H6 | a message that is sent again is published once | `resending`, `publishing` |
//! | H7 | rooms without members end in time, and leave nothing | `histories` |
//! | H8 | all that is kept stays within half of the node's bound | `histories` |
//! | | values by key, volatile messages | `keys`, `volatile` |
//!
//! Of a million seeds each, those from [`CONTEXTS`] on have nodes that compress the messages of rooms one after
//! another. Some clients keep what they have inflated, so that each message is read after those before it; others
//! inflate each by itself, or nothing.
//!
//! Not covered here: 26 and the bounds of 25 (tests of work and memory per call), 34 to 36 (several
//! nodes), 40 (clients).

mod acts;
mod admission;
mod broadcasts;
mod causes;
mod client;
mod coming_back;
mod contexts;
mod counters;
mod deeds;
mod delivery;
mod dialling;
mod ends;
mod frames;
mod histories;
mod hooks;
mod keeping;
mod keys;
mod link;
mod members;
mod network;
mod node;
mod oracle;
mod output;
mod phases;
mod plan;
mod presence;
mod publishing;
mod rates;
mod recoveries;
mod refusals;
mod resending;
mod schedule;
mod seam;
mod stays;
mod trouble;
mod volatile;
mod world;
mod writer;

use switchboard_core::{Dump, Time};

pub use self::contexts::CONTEXTS;
pub use self::counters::{Fault, Probe, Tally};
pub use self::keeping::KEEPING;
use self::world::World;
use crate::seeds::{self, Simulation, panic_of};

/// The memory of a recorder that forgets nothing of a run.
const RECORDER: usize = 1 << 30;

/// The simulation of one node.
#[derive(Clone, Copy, Debug)]
pub struct OneNode;

/// The outcome of a seed.
pub type Outcome = seeds::Outcome<Tally>;

/// The results of many seeds.
pub type Report = seeds::Report<OneNode>;

impl Simulation for OneNode {
    type Tally = Tally;
    const OPTION: &'static str = "";
    const KEPT: &'static str = include_str!("../../simulation.seeds");
    const ENOUGH: u64 = 1_000;

    fn run(seed: u64, logged: bool) -> (Outcome, Vec<String>) {
        let mut world = World::recorded(seed, 0);
        world.log = logged.then(Vec::new);
        let plan = format!("{:?}", world.plan);
        world.note(|| plan);
        if let Some(message) = panic_of(|| world.run()) {
            // A panic takes precedence over other findings.
            world.broken = None;
            world.fail(39, format!("a panic: {message}"));
        }
        let log = world.log.take().unwrap_or_default();
        (outcome_of(seed, world), log)
    }

    /// By turns, rooms keep nothing, or what is for those who come back. Of both, each third one compresses
    /// messages after others.
    fn seed(seed: u64, number: u64) -> u64 {
        match number % 6 {
            _ if seed >= CONTEXTS => seed,
            1 | 3 => seed + KEEPING,
            5 => seed + KEEPING + CONTEXTS,
            4 => seed + CONTEXTS,
            _ => seed,
        }
    }
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    OneNode::run(seed, false).0
}

/// Runs one seed with a recorder that forgets nothing, and returns what it has recorded.
///
/// # Panics
/// If the node does.
pub fn run_recorded(seed: u64) -> (Outcome, Dump) {
    let mut world = World::recorded(seed, RECORDER);
    world.run();
    let dump = world.board.dump(Time::from_nanos(world.now));
    let dump = dump.unwrap_or_else(|| panic!("seed {seed}: nothing was recorded"));
    (outcome_of(seed, world), dump)
}

fn outcome_of(seed: u64, world: World) -> Outcome {
    Outcome {
        seed,
        tally: world.tally,
        trace: world.trace,
        broken: world.broken,
    }
}

//! Several nodes and their clients over a simulated broker, in virtual time, from one seed.
//!
//! Each node is the joined switchboard and cluster of production with production sessions, under a small
//! driver shaped like the real one. The broker is [`SimRedis`](crate::broker::SimRedis). Links of clients
//! and of nodes, the broker and the nodes fail as the seed dictates. An oracle that shares no code with
//! the core knows what was written and what the broker has numbered, and reads every byte that clients
//! receive. A run has three phases: with faults; without them, when within a stated time everybody is
//! back, everybody sees everybody, and everybody hears what is said; and all leave, after which nothing
//! may be left.
//!
//! # What is promised
//!
//! | promise | what | where |
//! |---|---|---|
//! | once | no message twice in an epoch or through a connection | `told::comes_once`, `oracle` |
//! | numbers | a number in an epoch is one message, at the broker and for everybody | `oracle` |
//! | order | numbers ascend; messages of a sender keep their order | `told` |
//! | no silent loss | each number that a member does not get is its own, not meant for it, or told | `told::accounts_for` |
//! | no loss, no gap | what costs the broker no data costs no member a message | `told` |
//! | acks are true, fate | an acknowledged message has that number, a refused one has none | `answers`, `oracle` |
//! | positions, epochs, told alone | a room goes on where members were, or they are told another epoch | `told` |
//! | exclusion, senders | who is excluded gets nothing; senders are true | `told::is_meant_for` |
//! | presence | five seconds after the last change everybody sees who is there | `quiet` |
//! | logins, claims, kicks | nobody has more connections than allowed; the broker knows them | `quiet` |
//! | seats | the seats of a room are those who are in it, over all nodes | `quiet` |
//! | answers | each request is answered once | `answers`, `quiet` |
//! | everybody comes back, everybody hears | liveness | `quiet` |
//! | values | of each key of the keyed room everybody has the last value; after a new position, all are told again | `values` |
//! | presence info | everybody sees what the nodes of users tell of them | `users` |
//! | nothing left | no connection, claim, seat or subscription is left, and each key expires | `quiet` |
//! | audit | the machines are consistent | `world::audit` |

mod acts;
mod answers;
mod application;
mod broker;
mod client;
mod faults;
mod hearing;
mod link;
mod losses;
mod oracle;
mod place;
mod plan;
mod process;
mod quiet;
mod schedule;
mod serving;
mod settling;
mod tally;
mod told;
mod users;
mod values;
mod wire;
mod world;

pub use self::tally::Tally;
use self::world::World;
use crate::seeds::{self, Simulation, panic_of};

/// The simulation of several nodes.
#[derive(Clone, Copy, Debug)]
pub struct Nodes;

/// The outcome of a seed.
pub type Outcome = seeds::Outcome<Tally>;

/// The results of many seeds.
pub type Report = seeds::Report<Nodes>;

impl Simulation for Nodes {
    type Tally = Tally;
    const OPTION: &'static str = "--nodes ";
    const KEPT: &'static str = include_str!("../../nodes.seeds");
    const ENOUGH: u64 = 200;

    fn run(seed: u64, logged: bool) -> (Outcome, Vec<String>) {
        let mut world = World::new(seed);
        world.log = logged.then(Vec::new);
        let plan = format!("{:?}", world.plan);
        world.note(|| plan);
        if let Some(message) = panic_of(|| world.run()) {
            // A panic takes precedence over other findings.
            world.broken = None;
            world.fail("no panic", message);
        }
        let outcome = Outcome {
            seed,
            tally: world.tally,
            trace: world.trace,
            broken: world.broken,
        };
        (outcome, world.log.unwrap_or_default())
    }
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    Nodes::run(seed, false).0
}

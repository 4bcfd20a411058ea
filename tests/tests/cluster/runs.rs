//! Runs from seeds. `SWITCHBOARD_CLUSTER_SEEDS=5000` plays more of them, `SWITCHBOARD_CLUSTER_FROM=700`
//! begins with a later one, and `--nocapture` shows what happened how often: an event is something that a
//! machine or a broker was told.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ops::Range;
use std::sync::Arc;

use switchboard_core::cluster::{Channel, Info, Order};

use crate::acts::room_terms;
use crate::faults::{Fault, HARMLESS, LOSING, OF_NODES, demote, end_all, read_leftovers};
use crate::seats::TOTAL;
use crate::world::{ROOMS, World};

const STEPS: u32 = 3000;

type Seen = BTreeMap<&'static str, u64>;

fn seeds(usual: u64) -> Range<u64> {
    let wanted = |name, usual| env::var(name).map_or(usual, |it| it.parse().expect("a number"));
    let from = wanted("SWITCHBOARD_CLUSTER_FROM", 0);
    from..from + wanted("SWITCHBOARD_CLUSTER_SEEDS", usual)
}

fn run(seed: u64, kept: u32, faults: &[Fault], tally: &mut Seen) -> World {
    let mut world = World::new(seed, 2 + seed as usize % 4, kept);
    play(&mut world, faults);
    world.witness.seen.insert("events", world.events);
    let cuts = world.sim.cuts();
    if cuts > 0 {
        world.witness.seen.insert("cut as too slow", cuts);
    }
    for (what, count) in &world.witness.seen {
        *tally.entry(what).or_default() += count;
    }
    world
}

fn play(world: &mut World, faults: &[Fault]) {
    for _ in 0..STEPS {
        world.step();
        if faults.is_empty() {
            let seed = world.seed;
            assert!(world.sitting() <= TOTAL, "seed {seed}: too many sit");
            continue;
        }
        match world.rng.u32(0..1000) {
            0..6 => {
                let fault = faults[world.rng.usize(0..faults.len())];
                let what = fault(world);
                world.witness.count(what);
            }
            6..16 => end_all(world),
            16..24 => {
                let read = read_leftovers(world);
                *world.witness.seen.entry("leftover").or_default() += read;
            }
            24 => world.sim.save(),
            25 => world.sim.replicate(),
            26..36 => demote(world),
            _ => {}
        }
    }
    end_all(world);
    read_leftovers(world);
    world.settle();
    assert_settled(world);
}

/// Members see who is in their rooms through other nodes.
fn assert_presence(world: &World) {
    for (at, node) in world.nodes.iter().enumerate() {
        let with_presence = |room: &&&str| room_terms(room).presence;
        for room in node.entered.keys().filter(with_presence) {
            let others = world
                .nodes
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at);
            let expected: BTreeSet<Arc<str>> = others
                .flat_map(|(_, other)| other.entered.get(room).into_iter().flatten())
                .map(|(user, _)| Arc::from(*user))
                .collect();
            let seen = world.witness.elsewhere(at, room);
            let users: BTreeSet<_> = seen.keys().cloned().collect();
            let place = format!("seed {}, node {at}, room {room}", world.seed);
            assert_eq!(users, expected, "{place}");
            for user in seen.keys() {
                let told = told_of(world, at, room, user);
                let nodes = world.nodes.iter();
                let said = nodes.filter_map(|it| it.entered.get(room)?.get(&**user));
                let said: BTreeSet<_> = said.flatten().cloned().collect();
                assert_eq!(told.is_some(), !said.is_empty(), "{place}, {user}");
                assert!(told.is_none_or(|it| said.contains(&it)), "{place}, {user}");
            }
        }
    }
}

/// What members on a node are told of a user who is on another one.
fn told_of(world: &World, at: usize, room: &str, user: &str) -> Info {
    let here = world.nodes[at].entered.get(room);
    let here = here.and_then(|users| users.get(user)).cloned().flatten();
    world.witness.elsewhere(at, room)[user].clone().or(here)
}

/// They are told the same of each user.
fn assert_infos(world: &World) {
    for room in ROOMS.iter().filter(|room| room_terms(room).presence) {
        let mut told: BTreeMap<Arc<str>, BTreeSet<Info>> = BTreeMap::new();
        for (at, node) in world.nodes.iter().enumerate() {
            if !node.entered.contains_key(room) {
                continue;
            }
            for user in world.witness.elsewhere(at, room).keys() {
                let of_user = told.entry(Arc::clone(user)).or_default();
                of_user.insert(told_of(world, at, room, user));
            }
        }
        let differing = told.iter().find(|(_, infos)| infos.len() > 1);
        assert_eq!(differing, None, "seed {}, room {room}", world.seed);
    }
}

/// Everybody knows everything, and nothing is left to do.
fn assert_settled(world: &mut World) {
    let seed = world.seed;
    assert_presence(world);
    assert_infos(world);
    world.assert_logins();
    world.assert_seats();
    world.assert_answered();
    assert_tidy(world);
    assert_eq!(
        world.witness.open(),
        0,
        "seed {seed}: messages without a fate"
    );
    for name in ROOMS {
        let position = world.position(name);
        let position = position.map(|it| (Arc::clone(&it.epoch), it.seq));
        for (at, node) in world.nodes.iter().enumerate() {
            assert_eq!(
                node.machine.stats(world.now).outbox,
                0,
                "seed {seed}, node {at}"
            );
            if node.entered.contains_key(name) && room_terms(name).order == Order::Total {
                let known = world.witness.position(at, name);
                assert_eq!(known, position, "seed {seed}, node {at}, room {name}");
            }
        }
    }
}

/// Nodes are subscribed to what they follow and to nothing else, and no key stays for ever.
fn assert_tidy(world: &mut World) {
    for (at, node) in world.nodes.iter().enumerate() {
        let link = node.link.expect("connected");
        let subscribed: BTreeSet<_> = world.sim.subscriptions(link).cloned().collect();
        let entered = node.entered.keys();
        let mut expected: BTreeSet<_> = entered.map(|it| Channel::Room((*it).into())).collect();
        expected.insert(Channel::Everyone);
        expected.insert(Channel::Inbox(Arc::clone(&node.name)));
        assert_eq!(subscribed, expected, "seed {}, node {at}", world.seed);
    }
    for (key, left) in world.sim.keys() {
        assert!(left.is_some(), "seed {}: {key:?} stays", world.seed);
    }
}

#[test]
fn the_same_seed_plays_the_same_run() {
    let all = [&HARMLESS[..], &LOSING, &OF_NODES].concat();
    let trace = || {
        let mut world = World::new(7, 3, 20);
        world.trace = Some(Vec::new());
        play(&mut world, &all);
        world.trace
    };
    assert_eq!(trace(), trace());
}

#[test]
fn without_faults_nothing_is_lost_repeated_or_told_anew() {
    let mut seen = Seen::new();
    for seed in seeds(5) {
        run(seed, 100, &[], &mut seen).assert_kicked();
    }
    println!("{seen:#?}");
    assert!(seen["delivered"] > 0 && seen["numbered"] > 0);
    for never in [
        "lost",
        "repeat",
        "new epoch",
        "resumed",
        "alone",
        "local",
        "applied",
    ] {
        assert_eq!(seen.get(never), None, "{never}");
    }
}

#[test]
fn a_fault_that_loses_no_data_costs_no_message() {
    let mut seen = Seen::new();
    for seed in seeds(15) {
        run(seed, 10_000, &HARMLESS, &mut seen).assert_kicked();
        for never in ["lost", "repeat", "new epoch"] {
            assert_eq!(seen.get(never), None, "seed {seed}: {never}");
        }
    }
    println!("{seen:#?}");
    let wanted = [
        "delivered",
        "numbered",
        "resumed",
        "alone",
        "local",
        "nobody",
        "leftover",
        "reset before",
        "reset after",
        "half open",
        "nothing goes out",
        "nothing comes in",
        "clog",
        "cut as too slow",
        "same name",
        "later version",
        "client kill",
        "script flush",
        "read only",
        "out of memory",
        "away",
        "garbage",
        "stall",
        "lost push",
        "unavailable",
        "not accepted",
        "refused message",
        "without order",
        "missed",
        "forwarded",
        "volatile",
        "recalled",
        "joined",
        "info changed",
        "left",
        "lapsed",
        "admitted",
        "refused",
        "closed",
        "seat",
        "no seat",
        "direct",
        "taken",
        "not taken",
        "everyone",
        "kicked",
    ];
    for wanted in wanted {
        assert!(seen.contains_key(wanted), "{wanted} never happened");
    }
}

#[test]
fn nodes_that_die_or_stand_still_cost_the_others_nothing() {
    let mut seen = Seen::new();
    for seed in seeds(15) {
        run(2000 + seed, 10_000, &OF_NODES, &mut seen).assert_kicked();
        for never in ["repeat", "new epoch"] {
            assert_eq!(seen.get(never), None, "seed {seed}: {never}");
        }
    }
    println!("{seen:#?}");
    for wanted in [
        "kill", "pause", "suspend", "retire", "joined", "left", "lapsed",
    ] {
        assert!(seen.contains_key(wanted), "{wanted} never happened");
    }
}

#[test]
fn what_is_lost_is_told_and_nothing_is_delivered_twice() {
    let mut seen = Seen::new();
    let all = [&HARMLESS[..], &LOSING, &OF_NODES].concat();
    for seed in seeds(25) {
        run(1000 + seed, 20, &all, &mut seen);
    }
    println!("{seen:#?}");
    let wanted = [
        "lost",
        "repeat",
        "new epoch",
        "resumed",
        "alone",
        "local",
        "restart with all",
        "restart with nothing",
        "restart with older data",
        "failover",
        "split brain",
        "demoted",
        "clock back",
        "clock forward",
        "evict",
        "flush",
    ];
    for wanted in wanted {
        assert!(seen.contains_key(wanted), "{wanted} never happened");
    }
}

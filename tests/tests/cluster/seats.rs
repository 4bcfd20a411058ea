//! Seats that count over all nodes, as those who sit on them live it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use switchboard_core::cluster::{Answer, Command, Output, SeatTicket, Seats};
use switchboard_tests::broker::{Kept, Key};

use crate::faults::kill;
use crate::logins::terms;
use crate::world::World;

/// Seats of the hall.
pub(crate) const TOTAL: u32 = 4;
const HALL: &str = "hall";
const SECOND: Duration = Duration::from_secs(1);

/// Who sits in the hall, and who waits, by node.
#[derive(Default)]
pub(crate) struct Hall {
    sitting: BTreeMap<usize, u32>,
    waiting: BTreeSet<(usize, SeatTicket)>,
}

impl World {
    pub(crate) fn take_or_give_seat(&mut self, at: usize) {
        if self.is_paused(at) {
            return;
        }
        if self.sits(at) > 0 && self.rng.bool() {
            self.give_seat(at);
        } else {
            self.take_seat(at);
        }
    }

    fn take_seat(&mut self, at: usize) {
        let now = self.clock(at);
        let machine = &mut self.nodes[at].machine;
        let ticket = machine.take_seat(now, &HALL.into(), TOTAL);
        self.hall.waiting.insert((at, ticket));
        self.carry_out(at);
    }

    fn give_seat(&mut self, at: usize) {
        *self.hall.sitting.entry(at).or_default() -= 1;
        let now = self.clock(at);
        self.nodes[at].machine.give_seat(now, &HALL.into());
        self.carry_out(at);
    }

    pub(crate) fn seat_told(&mut self, at: usize, output: &Output) {
        let Output::Seat { ticket, granted } = output else {
            panic!("{output:?} is about no seat");
        };
        let was_waiting = self.hall.waiting.remove(&(at, *ticket));
        assert!(was_waiting, "{ticket:?} is decided twice");
        *self.hall.sitting.entry(at).or_default() += u32::from(*granted);
        let what = if *granted { "seat" } else { "no seat" };
        self.witness.count(what);
    }

    /// Those on a process stand up with it.
    pub(crate) fn seats_end(&mut self, at: usize) {
        self.hall.sitting.remove(&at);
        self.hall.waiting.retain(|(node, _)| *node != at);
    }

    fn sits(&self, at: usize) -> u32 {
        self.hall.sitting.get(&at).copied().unwrap_or(0)
    }

    pub(crate) fn sitting(&self) -> u32 {
        self.hall.sitting.values().sum()
    }

    /// How many sit, as the broker counts them.
    fn seats_at_broker(&mut self) -> u32 {
        let seed = self.seed;
        let question = Command::Seats(Seats {
            room: HALL.into(),
            registration: "witness.1".into(),
            session: 1,
            held: 0,
            wanted: 0,
            total: TOTAL,
            stale: 30 * SECOND,
            table: 60 * SECOND,
            dead: Vec::new(),
        });
        let Ok(Answer::Seats { others, .. }) = self.sim.apply(&question) else {
            panic!("seed {seed}: the broker does not answer");
        };
        others
    }

    /// Nobody waits, and the broker counts who sits.
    pub(crate) fn assert_seats(&mut self) {
        let seed = self.seed;
        assert!(self.hall.waiting.is_empty(), "seed {seed}: for ever");
        let mut others = self.seats_at_broker();
        if others != self.sitting() {
            // They were confirmed before the clock was set back, and nobody has asked since.
            self.run(31 * SECOND);
            others = self.seats_at_broker();
        }
        assert_eq!(
            others,
            self.sitting(),
            "seed {seed}: {:?}",
            self.hall.sitting
        );
    }
}

fn world(nodes: usize) -> World {
    let mut world = World::with_terms(1, nodes, 100, terms(0));
    world.run(SECOND);
    world
}

#[test]
fn no_more_seats_are_taken_at_once_than_there_are() {
    let mut world = world(3);
    for at in 0..3 {
        for _ in 0..3 {
            world.take_seat(at);
        }
    }
    world.run(SECOND);
    assert_eq!(world.sitting(), TOTAL);
    assert_eq!(world.witness.seen["no seat"], 5);
    world.assert_seats();
}

#[test]
fn a_seat_that_was_given_back_is_free_on_each_node() {
    let mut world = world(2);
    for _ in 0..TOTAL {
        world.take_seat(0);
    }
    world.run(SECOND);
    world.give_seat(0);
    world.run(SECOND);
    world.take_seat(1);
    world.run(SECOND);
    assert_eq!((world.sits(0), world.sits(1)), (TOTAL - 1, 1));
}

#[test]
fn seats_of_a_killed_node_are_free_within_five_seconds() {
    let mut world = world(2);
    for _ in 0..TOTAL {
        world.take_seat(0);
    }
    world.run(SECOND);
    kill(&mut world, 0);
    world.run(5 * SECOND);
    for _ in 0..TOTAL {
        world.take_seat(1);
    }
    world.run(SECOND);
    assert_eq!(world.sits(1), TOTAL);
}

/// Nobody who sits is sent away because the broker has forgotten them. An eviction is not told: the
/// seats are said again when they are confirmed.
#[test]
fn seats_that_the_broker_lost_are_said_again() {
    for (is_told, seconds) in [(true, 5), (false, 15)] {
        let mut world = world(2);
        for at in 0..2 {
            world.take_seat(at);
        }
        world.run(SECOND);
        if is_told {
            world.sim.restart(Kept::Nothing);
        } else {
            world.sim.evict(&Key::Seats(HALL.to_owned()));
        }
        world.spread();
        world.run(seconds * SECOND);
        world.assert_seats();
        assert_eq!(world.sitting(), 2);
    }
}

#[test]
fn a_node_grants_its_share_while_the_broker_is_away() {
    let mut world = world(2);
    world.take_seat(0);
    world.run(3 * SECOND);
    world.away_until = world.now + 600 * SECOND;
    world.sim.restart(Kept::All);
    world.spread();
    world.run(SECOND / 2);
    for at in 0..2 {
        for _ in 0..TOTAL {
            world.take_seat(at);
        }
    }
    world.run(SECOND / 2);
    assert_eq!(world.sitting(), 1, "before anybody has waited for long");
    world.run(SECOND);
    assert_eq!((world.sits(0), world.sits(1)), (TOTAL / 2, TOTAL / 2));
    world.away_until = world.now;
    world.run(5 * SECOND);
    world.assert_seats();
}

/// All nodes register anew; what they held under their names of before is free at once.
#[test]
fn seats_are_not_counted_twice_after_the_broker_was_away_for_long() {
    let mut world = world(2);
    for at in 0..2 {
        world.take_seat(at);
    }
    world.run(3 * SECOND);
    world.away_until = world.now + 10 * SECOND;
    world.sim.restart(Kept::All);
    world.spread();
    world.run(9 * SECOND);
    while world
        .nodes
        .iter()
        .any(|node| !node.machine.stats(world.now).up)
    {
        world.run(SECOND / 10);
    }
    world.run(SECOND);
    assert_eq!(world.witness.seen["lapsed"], 2);
    for at in 0..2 {
        world.take_seat(at);
    }
    world.run(SECOND);
    assert_eq!(world.sitting(), 4);
}

#[test]
fn a_node_that_stood_still_keeps_its_seats_if_there_are_enough() {
    let mut world = world(2);
    for at in 0..2 {
        world.take_seat(at);
    }
    world.run(SECOND);
    world.nodes[0].paused_until = world.now + 10 * SECOND;
    world.run(15 * SECOND);
    assert_eq!(world.sitting(), 2);
    world.assert_seats();
}

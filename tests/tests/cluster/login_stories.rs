//! Logins on several nodes.

use std::time::Duration;

use switchboard_core::ConnectionId;
use switchboard_core::cluster::{Channel, Keep, LoginTerms};
use switchboard_tests::broker::{Kept, Key};

use crate::faults::{kill, reset_before_it_is_answered_on};
use crate::process::Received;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn world(nodes: usize, most: u32, keep: Keep) -> World {
    let terms = LoginTerms {
        most,
        keep,
        ..LoginTerms::default()
    };
    let mut world = World::with_terms(1, nodes, 100, terms);
    world.run(SECOND);
    world
}

impl World {
    fn ann_logs_in(&mut self, at: usize) -> ConnectionId {
        self.log_in(at, "ann").expect("refused by its node")
    }

    /// On how many nodes ann is.
    fn anns(&self) -> Vec<usize> {
        let nodes = 0..self.nodes.len();
        nodes
            .filter(|at| !self.connections(*at, "ann").is_empty())
            .collect()
    }
}

#[test]
fn of_two_logins_at_once_exactly_one_stays() {
    for keep in [Keep::Newest, Keep::Oldest] {
        for order in [[0, 1], [1, 0]] {
            let mut world = world(2, 1, keep);
            world.ann_logs_in(0);
            world.ann_logs_in(1);
            for at in order {
                world.broker_reads(at);
            }
            world.run(SECOND);
            let [first, second] = order;
            let stays = if keep == Keep::Newest { second } else { first };
            assert_eq!(world.anns(), [stays], "{keep:?}, {order:?}");
            world.assert_logins();
        }
    }
}

#[test]
fn of_three_logins_at_once_two_stay_where_two_are_allowed() {
    let mut world = world(3, 2, Keep::Newest);
    for at in 0..3 {
        world.ann_logs_in(at);
    }
    world.run(SECOND);
    assert_eq!(world.anns(), [1, 2]);
    world.assert_logins();
}

#[test]
fn a_node_that_stood_still_closes_who_logged_in_elsewhere_meanwhile() {
    for (most, keep) in [(1, Keep::Newest), (1, Keep::Oldest)] {
        let mut world = world(2, most, keep);
        world.ann_logs_in(0);
        world.run(SECOND);
        world.nodes[0].paused_until = world.now + 10 * SECOND;
        world.run(5 * SECOND);
        world.ann_logs_in(1);
        world.run(6 * SECOND);
        assert_eq!(world.anns(), [1], "{keep:?}");
        world.assert_logins();
    }
}

#[test]
fn a_node_that_stood_still_keeps_who_is_nowhere_else() {
    for (most, keep) in [(1, Keep::Newest), (1, Keep::Oldest), (2, Keep::Newest)] {
        let mut world = world(2, most, keep);
        world.ann_logs_in(0);
        world.run(SECOND);
        world.nodes[0].paused_until = world.now + 10 * SECOND;
        world.run(5 * SECOND);
        if most == 2 {
            world.ann_logs_in(1);
        }
        world.run(6 * SECOND);
        assert!(world.anns().contains(&0), "{most} {keep:?}");
        world.assert_logins();
    }
}

#[test]
fn a_killed_node_keeps_nobody_out() {
    let mut world = world(2, 1, Keep::Oldest);
    world.ann_logs_in(0);
    world.run(SECOND);
    kill(&mut world, 0);
    world.run(5 * SECOND);
    world.ann_logs_in(1);
    world.run(SECOND);
    assert_eq!(world.anns(), [1]);
}

/// A node that has not known the killed one learns of it from the claim.
#[test]
fn a_claim_of_a_node_that_nobody_remembers_keeps_nobody_out_for_long() {
    let mut world = world(1, 1, Keep::Oldest);
    world.ann_logs_in(0);
    world.run(SECOND);
    kill(&mut world, 0);
    world.sim.evict(&Key::Nodes);
    world.run(SECOND);
    world.ann_logs_in(0);
    world.run(SECOND);
    assert!(world.anns().is_empty());
    world.run(5 * SECOND);
    world.ann_logs_in(0);
    world.run(SECOND);
    assert_eq!(world.anns(), [0]);
}

#[test]
fn who_was_put_out_unheard_is_closed_after_the_next_connect() {
    let mut world = world(2, 1, Keep::Newest);
    world.ann_logs_in(0);
    world.run(SECOND);
    world.ann_logs_in(1);
    while !world.nodes[1].sent.is_empty() {
        world.broker_reads(1);
    }
    let received = &mut world.nodes[0].received;
    let before = received.len();
    received.retain(|it| !matches!(it, Received::Push(Channel::Inbox(_), _)));
    assert!(received.len() < before, "nothing was told");
    world.run(SECOND);
    assert_eq!(world.anns(), [0, 1]);
    reset_before_it_is_answered_on(&mut world, 0);
    world.run(5 * SECOND);
    assert_eq!(world.anns(), [1]);
}

/// A claim whose answer was lost is made again as of when it was made first.
#[test]
fn a_repeated_claim_does_not_put_out_who_came_meanwhile() {
    let mut world = world(2, 1, Keep::Newest);
    world.ann_logs_in(0);
    reset_before_it_is_answered_on(&mut world, 0);
    world.ann_logs_in(1);
    world.run(5 * SECOND);
    assert_eq!(world.anns(), [1]);
}

/// Each node decides alone while the broker is away, and what they decided is settled when it is back: the
/// nodes come back as others, so where the oldest stay it is who is there first.
#[test]
fn logins_while_the_broker_is_away_are_settled_when_it_is_back() {
    for keep in [Keep::Newest, Keep::Oldest] {
        let mut world = world(2, 1, keep);
        world.away_until = world.now + 600 * SECOND;
        world.sim.restart(Kept::All);
        world.spread();
        world.run(SECOND);
        world.ann_logs_in(0);
        world.run(2 * SECOND);
        world.ann_logs_in(1);
        world.run(20 * SECOND);
        assert_eq!(world.anns(), [0, 1], "{keep:?}");
        world.away_until = world.now;
        world.run(10 * SECOND);
        let stay = world.anns();
        assert!(
            stay == [1] || (stay == [0] && keep == Keep::Oldest),
            "{keep:?}: {stay:?}"
        );
        world.assert_logins();
    }
}

#[test]
fn claims_that_the_broker_lost_are_made_again() {
    let mut world = world(2, 1, Keep::Newest);
    world.ann_logs_in(0);
    world.run(SECOND);
    world.sim.restart(Kept::Nothing);
    world.spread();
    world.run(5 * SECOND);
    world.assert_logins();
    world.ann_logs_in(1);
    world.run(SECOND);
    assert_eq!(world.anns(), [1]);
}

//! What seeds rarely lead to.

use std::time::Duration;

use switchboard_core::cluster::Command;
use switchboard_tests::broker::{Kept, Key};

use crate::acts::USERS;
use crate::faults::{kill, reset_before_it_is_answered_on, reset_before_it_is_applied};
use crate::process::Sent;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// The broker reads what a dropped connection had sent after its key was evicted, so the new epoch
/// knows an own number of the node that is below what the node has done.
#[test]
fn a_node_goes_on_where_the_broker_counts_its_messages_from_an_older_one() {
    let mut world = World::new(1, 1, 100);
    world.enter_or_leave(0, "lobby");
    world.run(SECOND);
    for _ in 0..3 {
        world.publish(0, "lobby");
    }
    world.carry_out(0);
    // The first one is on its way, the others wait for its answer.
    let Some(Sent::Command(Command::Append(append), _)) = world.nodes[0].sent.front() else {
        panic!("nothing is appended");
    };
    let leftover = Command::Append(append.clone());
    world.run(SECOND);
    reset_before_it_is_applied(&mut world);
    world.run(3 * SECOND);
    world.sim.evict(&Key::Numbers("lobby".to_owned()));
    world.sim.apply(&leftover).unwrap();
    world.spread();
    world.publish(0, "lobby");
    world.carry_out(0);
    world.run(10 * SECOND);
    assert_eq!(world.witness.open(), 0, "a message has no fate");
    assert_eq!(world.witness.seen["new epoch"], 1);
    let sessions = world.nodes[0].machine.stats(world.now).connects;
    assert!(sessions < 5, "{sessions} connections");
}

impl World {
    /// Whether members on a node see a user who is on another one.
    fn sees(&self, at: usize, room: &str, user: &str) -> bool {
        self.witness.elsewhere(at, room).contains_key(user)
    }
}

/// Else the two would take her off the list and put her back on it until the next heartbeat, as fast as
/// the broker lets them.
#[test]
fn a_node_whose_users_others_take_off_the_list_asks_whether_it_is_registered() {
    let mut world = ann_is_there();
    world.nodes[0].paused_until = world.now + 10 * SECOND;
    world.nodes[0].asleep += 10 * SECOND;
    world.run(9 * SECOND);
    assert!(!world.sees(1, "lobby", "ann"));
    world.run(SECOND);
    world.run(Duration::from_millis(100));
    assert_eq!(world.witness.seen["lapsed"], 1);
    assert!(world.sees(1, "lobby", "ann"));
    let joined = world.witness.seen["joined"];
    assert!(joined < 5, "ann came {joined} times");
}

/// Two nodes; ann is in the lobby of the first one.
fn ann_is_there() -> World {
    let mut world = World::new(1, 2, 100);
    for at in 0..2 {
        world.enter_or_leave(at, "lobby");
    }
    world.appear_or_disappear(0, "lobby", "ann");
    world.run(SECOND);
    assert!(world.sees(1, "lobby", "ann"));
    world
}

#[test]
fn who_comes_and_who_goes_is_told_within_a_second() {
    let mut world = ann_is_there();
    world.appear_or_disappear(0, "lobby", "ann");
    world.appear_or_disappear(0, "lobby", "bob");
    world.run(SECOND);
    assert!(!world.sees(1, "lobby", "ann") && world.sees(1, "lobby", "bob"));
}

#[test]
fn a_user_who_is_on_two_nodes_leaves_with_the_last_one() {
    let mut world = World::new(1, 3, 100);
    for at in 0..3 {
        world.enter_or_leave(at, "lobby");
    }
    for at in 0..2 {
        world.appear_or_disappear(at, "lobby", "ann");
    }
    world.run(SECOND);
    world.appear_or_disappear(0, "lobby", "ann");
    world.run(SECOND);
    assert!(world.sees(2, "lobby", "ann") && world.sees(0, "lobby", "ann"));
    world.appear_or_disappear(1, "lobby", "ann");
    world.run(SECOND);
    assert!(!world.sees(2, "lobby", "ann"));
    assert_eq!(
        (world.witness.seen["joined"], world.witness.seen["left"]),
        (3, 3)
    );
}

impl World {
    /// What members on a node are told of a user.
    fn told_of(&self, at: usize, user: &str) -> Option<String> {
        let here = self.nodes[at].entered["lobby"].get(user);
        let there = self.witness.elsewhere(at, "lobby");
        let there = there.get(user).cloned().flatten();
        let told = there.or_else(|| here.cloned().flatten());
        told.map(|info| info.to_string())
    }
}

#[test]
fn what_is_told_of_a_user_is_told_on_other_nodes_and_so_is_each_change() {
    let mut world = ann_is_there();
    for info in [Some("1"), Some("2"), None, Some("3")] {
        world.tell_of(0, "lobby", "ann", info);
        world.run(SECOND);
        assert_eq!(world.told_of(1, "ann").as_deref(), info);
    }
    // Of whom nothing more is told, and who leaves: nobody else is told of that anything.
    assert_eq!(world.witness.seen["joined"], 1);
}

#[test]
fn of_a_user_on_several_nodes_that_is_told_on_all_which_was_said_last() {
    let mut world = World::new(1, 3, 100);
    for at in 0..3 {
        world.enter_or_leave(at, "lobby");
    }
    for at in 0..2 {
        world.appear_or_disappear(at, "lobby", "ann");
    }
    let mut says = |at, info, expected| {
        world.tell_of(at, "lobby", "ann", info);
        world.run(SECOND);
        for at in 0..3 {
            let told = world.told_of(at, "ann");
            assert_eq!(told.as_deref(), expected, "node {at}");
        }
    };
    says(0, Some("1"), Some("1"));
    says(1, Some("2"), Some("2"));
    says(0, Some("3"), Some("3"));
    // A node that says nothing leaves it to the others.
    says(0, None, Some("2"));
    world.appear_or_disappear(1, "lobby", "ann");
    world.run(SECOND);
    assert_eq!(world.told_of(2, "ann"), None);
}

#[test]
fn what_is_told_of_users_outlives_the_data_of_the_broker() {
    let mut world = ann_is_there();
    world.tell_of(0, "lobby", "ann", Some("1"));
    world.run(SECOND);
    world.sim.restart(Kept::Nothing);
    world.spread();
    world.run(3 * SECOND);
    assert_eq!(world.told_of(1, "ann").as_deref(), Some("1"));
    world.tell_of(0, "lobby", "ann", Some("2"));
    world.run(SECOND);
    assert_eq!(world.told_of(1, "ann").as_deref(), Some("2"));
    assert_eq!(world.witness.seen["joined"], 1);
}

#[test]
fn a_killed_node_is_out_of_presence_within_five_seconds_and_not_before_its_grace() {
    for seed in 0..20 {
        let mut world = ann_is_there();
        world.run(Duration::from_millis(seed * 137));
        kill(&mut world, 0);
        world.run(Duration::from_millis(1900));
        assert!(world.sees(1, "lobby", "ann"), "seed {seed}");
        world.run(Duration::from_millis(3100));
        assert!(!world.sees(1, "lobby", "ann"), "seed {seed}");
    }
}

#[test]
fn a_node_that_stood_still_is_gone_for_the_others_and_comes_back_as_another() {
    let mut world = ann_is_there();
    world.nodes[0].paused_until = world.now + 10 * SECOND;
    world.run(5 * SECOND);
    assert!(!world.sees(1, "lobby", "ann"));
    world.run(6 * SECOND);
    assert!(world.sees(1, "lobby", "ann"));
    assert_eq!(world.witness.seen["lapsed"], 1);
}

/// The nodes write what was lost before anybody is told that somebody left.
#[test]
fn nobody_leaves_because_the_broker_lost_its_data() {
    let mut world = ann_is_there();
    world.sim.restart(Kept::Nothing);
    world.spread();
    world.run(30 * SECOND);
    assert!(world.sees(1, "lobby", "ann"));
    assert_eq!(world.witness.seen.get("left"), None);
    assert_eq!(world.witness.seen["joined"], 1);
}

#[test]
fn an_evicted_list_of_users_is_written_again() {
    let mut world = World::new(1, 3, 100);
    for at in 0..2 {
        world.enter_or_leave(at, "lobby");
    }
    world.appear_or_disappear(0, "lobby", "ann");
    world.run(SECOND);
    world.sim.evict(&Key::Users("lobby".to_owned()));
    // No longer than until the next probe.
    world.run(31 * SECOND);
    world.enter_or_leave(2, "lobby");
    world.run(SECOND);
    assert!(world.sees(2, "lobby", "ann"));
}

#[test]
fn users_on_other_nodes_are_kept_for_a_minute_while_the_broker_is_away() {
    let mut world = ann_is_there();
    world.away_until = world.now + 600 * SECOND;
    world.sim.restart(Kept::All);
    world.spread();
    world.run(55 * SECOND);
    assert!(world.sees(1, "lobby", "ann"));
    world.run(10 * SECOND);
    assert!(!world.sees(1, "lobby", "ann"));
    world.away_until = world.now;
    world.run(5 * SECOND);
    assert!(world.sees(1, "lobby", "ann"));
}

/// However many come at once, the room hears of them once from each node.
#[test]
fn who_comes_at_once_is_told_at_once() {
    let mut world = World::new(1, 3, 100);
    for at in 0..3 {
        world.enter_or_leave(at, "lobby");
    }
    world.run(SECOND);
    for at in 0..2 {
        for user in USERS {
            world.appear_or_disappear(at, "lobby", user);
        }
    }
    world.run(SECOND);
    assert_eq!(world.position("lobby").map(|it| it.version), Some(2));
}

/// A room without a common order is followed by nobody once its last member has left.
#[test]
fn a_user_whose_coming_was_written_unheard_is_off_the_list_once_gone() {
    for is_lost in [true, false] {
        let mut world = World::new(1, 1, 100);
        world.enter_or_leave(0, "games");
        world.run(SECOND);
        world.appear_or_disappear(0, "games", "ann");
        let is_written = |sent: &Sent| matches!(sent, Sent::Command(Command::Presence(_), _));
        while !world.nodes[0].sent.iter().any(is_written) {
            world.deliver();
            world.pass(Duration::from_millis(10));
        }
        if is_lost {
            reset_before_it_is_answered_on(&mut world, 0);
        }
        world.enter_or_leave(0, "games");
        let listed = world.position("games").map(|it| it.users);
        assert_eq!(listed, Some(u64::from(is_lost)));
        world.run(5 * SECOND);
        let listed = world.position("games").map(|it| it.users);
        assert_eq!(listed, Some(0), "{is_lost}");
    }
}

//! What seeds rarely lead to.

use std::time::Duration;

use switchboard_core::cluster::Command;
use switchboard_tests::broker::Key;

use crate::faults::reset_before_it_is_applied;
use crate::world::{Sent, World};

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

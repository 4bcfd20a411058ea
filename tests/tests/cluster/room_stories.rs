//! Rooms that linger, that have no common order, that refuse; messages that are read again; a goodbye.

use std::time::Duration;

use switchboard_core::cluster::{Command, Order, RoomTerms};
use switchboard_tests::broker::Kept;

use crate::acts::room_terms;
use crate::faults::kill;
use crate::logins::terms;
use crate::process::{Received, Sent};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Nodes with a member each in a room.
fn world(nodes: usize, room: &'static str) -> World {
    let mut world = World::with_terms(1, nodes, 100, terms(0));
    for at in 0..nodes {
        world.enter_or_leave(at, room);
    }
    world.run(SECOND);
    world
}

impl World {
    fn publish_now(&mut self, at: usize, room: &'static str) {
        self.publish(at, room);
        self.carry_out(at);
    }

    fn is_away(&mut self) {
        self.away_until = self.now + 600 * SECOND;
        self.sim.restart(Kept::All);
        self.spread();
    }

    fn seen(&self, what: &str) -> u64 {
        self.witness.seen.get(what).copied().unwrap_or(0)
    }

    /// How many commands of a kind a node has sent that the broker has not read.
    fn sent(&self, at: usize, is_it: impl Fn(&Command) -> bool) -> usize {
        let sent = self.nodes[at].sent.iter();
        sent.filter(|sent| matches!(sent, Sent::Command(command, _) if is_it(command)))
            .count()
    }
}

#[test]
fn who_comes_back_within_half_a_minute_begins_at_once_and_the_node_has_what_was_said() {
    let mut world = world(2, "lobby");
    world.enter_or_leave(0, "lobby");
    world.run(20 * SECOND);
    world.publish_now(1, "lobby");
    world.run(SECOND);
    let delivered = world.seen("delivered");
    assert_eq!(delivered, 2, "the room is not followed");
    world.enter_or_leave(0, "lobby");
    assert_eq!(world.witness.position(0, "lobby").map(|it| it.1), Some(1));
    assert_eq!(world.sent(0, |it| matches!(it, Command::Sync(_))), 0);
}

#[test]
fn a_room_that_nobody_comes_back_to_is_followed_no_more() {
    let mut world = world(2, "lobby");
    world.enter_or_leave(0, "lobby");
    world.run(31 * SECOND);
    world.publish_now(1, "lobby");
    world.run(SECOND);
    assert_eq!(world.seen("delivered"), 1);
    let link = world.nodes[0].link.unwrap();
    assert_eq!(world.sim.subscriptions(link).count(), 2);
}

#[test]
fn members_of_a_room_without_order_wait_for_nothing() {
    let mut world = world(2, "cursors");
    assert_eq!(room_terms("cursors").order, Order::Local);
    world.is_away();
    world.run(SECOND / 2);
    world.publish_now(0, "cursors");
    assert_eq!(world.seen("without order"), 1);
    assert_eq!(world.witness.open(), 0);
}

#[test]
fn a_message_that_did_not_arrive_is_a_gap_in_a_room_without_order() {
    let mut world = world(2, "cursors");
    for _ in 0..2 {
        world.publish_now(0, "cursors");
        world.run(SECOND / 10);
    }
    for _ in 0..3 {
        world.publish_now(0, "cursors");
        while !world.nodes[0].sent.is_empty() {
            world.broker_reads(0);
        }
        let received = &mut world.nodes[1].received;
        received.retain(|it| !matches!(it, Received::Push(..)));
        world.run(SECOND / 10);
    }
    world.publish_now(0, "cursors");
    world.run(SECOND / 10);
    assert_eq!(world.seen("missed"), 3);
    assert_eq!(world.nodes[1].machine.stats(world.now).gaps, 3);
}

#[test]
fn a_room_whose_terms_are_to_refuse_does_so_after_two_seconds_and_goes_on_where_it_was() {
    let mut world = world(2, "strict");
    world.publish_now(0, "strict");
    world.run(SECOND);
    let before = world.witness.position(0, "strict");
    world.is_away();
    world.run(SECOND / 2);
    world.publish_now(0, "strict");
    assert_eq!(world.witness.open(), 1, "refused before anybody is told");
    world.run(3 * SECOND);
    assert_eq!(world.seen("refused message"), 1);
    world.publish_now(0, "strict");
    assert_eq!(world.seen("not accepted"), 1);
    assert_eq!(world.witness.position(0, "strict"), before);
    world.away_until = world.now;
    world.run(5 * SECOND);
    world.publish_now(1, "strict");
    world.run(SECOND);
    assert!(world.witness.position(0, "strict") > before || world.seen("new epoch") > 0);
}

#[test]
fn nobody_comes_into_a_room_that_refuses_while_the_broker_is_away() {
    let mut world = world(1, "lobby");
    world.is_away();
    world.run(5 * SECOND);
    world.enter_or_leave(0, "strict");
    assert_eq!(world.seen("unavailable"), 1);
}

/// However many come back to a node that has not been in the room, its log is read once.
#[test]
fn what_many_want_again_is_read_once() {
    let mut world = world(2, "lobby");
    for _ in 0..150 {
        world.publish_now(0, "lobby");
        world.run(SECOND / 100);
    }
    let (epoch, seq) = world.witness.position(1, "lobby").unwrap();
    assert_eq!(seq, 150);
    let now = world.now;
    let machine = &mut world.nodes[1].machine;
    let first = machine.recall(now, &"lobby".into(), &epoch, seq - 90, seq + 1);
    for back in 0..90 {
        let ticket = machine.recall(now, &"lobby".into(), &epoch, seq - back, seq + 1);
        assert_eq!(ticket, first);
    }
    world.carry_out(1);
    assert_eq!(world.sent(1, |it| matches!(it, Command::Range(_))), 1);
    world.run(SECOND);
    assert_eq!(
        (world.seen("recalled"), world.seen("recalled messages")),
        (1, 90)
    );
}

#[test]
fn more_than_one_answer_holds_is_read_in_several() {
    let mut world = World::with_terms(1, 1, 1000, terms(0));
    world.enter_or_leave(0, "lobby");
    world.run(SECOND);
    for _ in 0..300 {
        world.publish_now(0, "lobby");
        world.run(SECOND / 100);
    }
    let (epoch, seq) = world.witness.position(0, "lobby").unwrap();
    let now = world.now;
    let machine = &mut world.nodes[0].machine;
    machine.recall(now, &"lobby".into(), &epoch, 10, seq + 1);
    machine.recall(now, &"lobby".into(), &"other".into(), 10, seq + 1);
    world.carry_out(0);
    world.run(SECOND);
    assert_eq!(
        (world.seen("recalled"), world.seen("recalled messages")),
        (1, 290)
    );
}

#[test]
fn a_node_that_says_goodbye_is_known_to_be_gone_and_its_users_have_their_grace() {
    let mut world = world(2, "lobby");
    world.appear_or_disappear(0, "lobby", "ann");
    world.run(SECOND);
    let now = world.now;
    world.nodes[0].machine.retire(now);
    world.run(SECOND);
    kill(&mut world, 0);
    assert_eq!(world.nodes[1].machine.stats(world.now).nodes, 1);
    assert!(world.witness.elsewhere(1, "lobby").contains_key("ann"));
    world.run(4 * SECOND);
    assert!(!world.witness.elsewhere(1, "lobby").contains_key("ann"));
}

#[test]
fn one_room_cannot_fill_the_outbox() {
    let mut world = World::with_terms(1, 1, 100, terms(0));
    world.is_away();
    let now = world.now;
    let machine = &mut world.nodes[0].machine;
    let mut publish = |room: &str| {
        let body = vec![0; 60_000].as_slice().into();
        machine.publish(now, &room.into(), RoomTerms::default(), body)
    };
    while publish("lobby").is_ok() {}
    assert!(publish("quiet").is_ok());
}

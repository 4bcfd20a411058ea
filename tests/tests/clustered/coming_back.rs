//! Clients that come back to a node that is behind what they know.

use std::time::Duration;

use switchboard_core::{ConnectionId, WhenDown};
use switchboard_tests::broker::{Kept, Key, SimRedis};

use crate::node::{Node, ROOM, broker};

/// Two nodes, the second of which is behind the first one by a message: bob has both, ann is on the
/// node that has the first one only.
struct Behind {
    redis: SimRedis,
    one: Node,
    other: Node,
    ann: ConnectionId,
    /// On the first node.
    bob: ConnectionId,
    epoch: String,
}

fn behind(when_down: WhenDown) -> Behind {
    let mut redis = broker();
    let mut one = Node::start(&mut redis, "a", when_down);
    let mut other = Node::start(&mut redis, "b", when_down);
    let bob = one.comes(&mut redis, "bob", None);
    let ann = other.comes(&mut redis, "ann", None);
    one.says(&mut redis, bob, ("first", 1), None);
    other.runs(&mut redis);
    other.becomes_slow();
    one.says(&mut redis, bob, ("second", 2), None);
    other.runs(&mut redis);
    let (epoch, seq) = one.position();
    assert_eq!((seq, other.position().1), (2, 1));
    assert_eq!(other.told(ann), ["at 0 null", "1 \"first\""]);
    let epoch = epoch.to_string();
    Behind {
        redis,
        one,
        other,
        ann,
        bob,
        epoch,
    }
}

#[test]
fn who_is_ahead_of_the_node_waits_until_it_has_caught_up_and_recovers_exactly() {
    let mut it = behind(WhenDown::Alone);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 2)));
    assert_eq!(it.other.told(bob), [""; 0]);
    assert!(it.other.waits(bob));
    it.other.becomes_quick(&mut it.redis);
    assert!(!it.other.waits(bob));
    assert_eq!(it.other.told(bob), ["at 2 true"]);
    assert_eq!(it.other.told(it.ann), ["2 \"second\""]);
    it.other.says(&mut it.redis, bob, ("third", 3), None);
    assert_eq!(it.other.told(bob), ["3 \"third\"", "ack 3"]);
}

#[test]
fn who_is_not_ahead_of_the_node_does_not_wait() {
    let mut it = behind(WhenDown::Alone);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 0)));
    assert_eq!(it.other.told(bob), ["at 1 true", "1 \"first\""]);
    let eve = it.other.comes(&mut it.redis, "eve", None);
    assert_eq!(it.other.told(eve), ["at 1 null"]);
}

#[test]
fn who_comes_back_to_a_room_that_the_node_only_follows_waits_too() {
    let mut it = behind(WhenDown::Alone);
    it.other.loses(&mut it.redis, it.ann);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 2)));
    assert_eq!(it.other.told(bob), [""; 0]);
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.told(bob), ["at 2 true"]);
}

#[test]
fn who_waits_gets_in_although_the_last_member_leaves() {
    let mut it = behind(WhenDown::Alone);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 2)));
    it.other.loses(&mut it.redis, it.ann);
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.told(bob), ["at 2 true"]);
}

#[test]
fn nobody_is_in_a_room_for_which_the_only_one_who_waited_has_gone() {
    let mut it = behind(WhenDown::Alone);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 2)));
    it.other.loses(&mut it.redis, it.ann);
    it.other.loses(&mut it.redis, bob);
    it.other.becomes_quick(&mut it.redis);
    let linger = Duration::from_secs(60);
    it.other.passes(&mut it.redis, linger);
    let ann = it.other.comes(&mut it.redis, "ann", Some((&it.epoch, 1)));
    assert_eq!(it.other.told(ann), ["at 2 true", "2 \"second\""]);
}

#[test]
fn a_position_in_an_epoch_that_the_node_does_not_know_is_looked_for() {
    let mut it = behind(WhenDown::Alone);
    let bob = it.other.comes(&mut it.redis, "bob", Some(("another", 2)));
    assert_eq!(it.other.told(bob), [""; 0]);
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.told(bob), ["at 2 false"]);
}

#[test]
fn who_waits_while_the_broker_goes_away_begins_in_the_epoch_of_the_node() {
    let mut it = behind(WhenDown::Alone);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 2)));
    it.other.is_cut_off(&mut it.redis);
    assert_eq!(it.other.told(bob), [""; 0]);
    it.other.passes(&mut it.redis, Duration::from_secs(3));
    assert_eq!(it.other.told(bob), ["cluster", "at 0 false"]);
    assert_ne!(*it.other.position().0, *it.epoch);
    // Nobody knows more than the node any more.
    let eve = it.other.comes(&mut it.redis, "eve", Some((&it.epoch, 2)));
    assert_eq!(it.other.told(eve), ["at 0 false"]);
}

#[test]
fn who_waits_while_the_broker_goes_away_is_refused_where_the_room_refuses() {
    let mut it = behind(WhenDown::Refuse);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 2)));
    it.other.is_cut_off(&mut it.redis);
    it.other.passes(&mut it.redis, Duration::from_secs(3));
    assert_eq!(it.other.told(bob), ["cluster", "unavailable"]);
    assert!(!it.other.waits(bob));
    let eve = it.other.comes(&mut it.redis, "eve", Some((&it.epoch, 2)));
    assert_eq!(it.other.told(eve), ["unavailable"]);
    // A client that is not ahead needs no broker.
    let amy = it.other.comes(&mut it.redis, "amy", Some((&it.epoch, 1)));
    assert_eq!(it.other.told(amy), ["at 1 true"]);
    drop(it.one);
}

#[test]
fn what_is_recovered_comes_before_the_epoch_that_the_room_moves_to() {
    let mut it = behind(WhenDown::Alone);
    it.other.becomes_quick(&mut it.redis);
    it.other.gets_stuck();
    let eve = it.other.comes(&mut it.redis, "eve", Some((&it.epoch, 0)));
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    it.other.connects_anew(&mut it.redis);
    it.other.writes_again(&mut it.redis);
    let told = ["at 2 true", "1 \"first\"", "2 \"second\"", "at 0 null"];
    assert_eq!(it.other.told(eve), told);
    assert_ne!(*it.other.position().0, *it.epoch);
}

#[test]
fn the_number_of_an_epoch_before_is_not_told_for_one_of_the_new_epoch() {
    let mut it = behind(WhenDown::Alone);
    it.other.becomes_quick(&mut it.redis);
    it.other.told(it.ann);
    it.other.goes_deaf();
    it.other.says(&mut it.redis, it.ann, ("third", 1), None);
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    it.other.connects_anew(&mut it.redis);
    // It is published, under a number that means nothing any more.
    assert_eq!(it.other.told(it.ann), ["at 0 null", "ack 0"]);
}

/// The second node is on its own, and the first one has a message more; bob comes to the second one from
/// that number.
fn on_its_own(since: u64) -> (Behind, ConnectionId) {
    let mut it = behind(WhenDown::Alone);
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.position(), (it.epoch.as_str().into(), 2));
    it.other.is_cut_off(&mut it.redis);
    it.one.says(&mut it.redis, it.bob, ("third", 3), None);
    it.other.passes(&mut it.redis, Duration::from_secs(3));
    let told = it.other.told(it.ann);
    assert_eq!(told, ["2 \"second\"", "cluster", "at 0 null"]);
    let bob = it
        .other
        .comes(&mut it.redis, "bob", Some((&it.epoch, since)));
    assert_eq!(it.other.told(bob), ["at 0 false"]);
    (it, bob)
}

#[test]
fn who_came_to_a_node_on_its_own_gets_what_it_missed_once_that_is_back() {
    let (mut it, bob) = on_its_own(1);
    it.other.connects_anew(&mut it.redis);
    let told = ["cluster", "at 1 null", "2 \"second\"", "3 \"third\""];
    assert_eq!(it.other.told(bob), told);
    assert_eq!(
        it.other.told(it.ann),
        ["cluster", "at 2 null", "3 \"third\""]
    );
}

#[test]
fn who_came_to_a_node_on_its_own_while_it_reads_for_another_gets_what_it_missed_too() {
    let (mut it, bob) = on_its_own(1);
    it.other.asks_for_what_was_missed(&mut it.redis);
    let cem = it.other.comes(&mut it.redis, "cem", Some((&it.epoch, 0)));
    it.other.told(cem);
    it.other.becomes_quick(&mut it.redis);
    let told = ["cluster", "at 1 null", "2 \"second\"", "3 \"third\""];
    assert_eq!(it.other.told(bob), told);
    let told = ["at 0 null", "1 \"first\"", "2 \"second\"", "3 \"third\""];
    assert_eq!(it.other.told(cem), told);
}

#[test]
fn what_somebody_missed_is_asked_for_again_where_the_broker_has_refused_to_say_it() {
    let (mut it, bob) = on_its_own(1);
    it.other.asks_for_what_was_missed(&mut it.redis);
    it.other.is_refused(&mut it.redis);
    let told = ["cluster", "at 1 null", "2 \"second\"", "3 \"third\""];
    assert_eq!(it.other.told(bob), told);
}

#[test]
fn who_came_to_a_node_on_its_own_from_ahead_gets_nothing_twice_once_that_is_back() {
    let (mut it, bob) = on_its_own(3);
    it.other.connects_anew(&mut it.redis);
    assert_eq!(it.other.told(bob), ["cluster", "at 3 null"]);
    assert_eq!(
        it.other.told(it.ann),
        ["cluster", "at 2 null", "3 \"third\""]
    );
    it.other.says(&mut it.redis, it.ann, ("fourth", 1), None);
    assert_eq!(it.other.told(bob), ["4 \"fourth\""]);
}

#[test]
fn nobody_stays_ahead_of_what_the_broker_has() {
    let (mut it, bob) = on_its_own(9);
    it.other.connects_anew(&mut it.redis);
    assert_eq!(it.other.told(bob), ["cluster", "at 9 null", "at 3 null"]);
    it.other.says(&mut it.redis, it.ann, ("fourth", 1), None);
    assert_eq!(it.other.told(bob), ["4 \"fourth\""]);
}

/// The second node was on its own for a while, and is back where it was: at number 2.
fn back_from_its_own() -> Behind {
    let mut it = behind(WhenDown::Alone);
    it.other.becomes_quick(&mut it.redis);
    it.other.is_cut_off(&mut it.redis);
    it.other.passes(&mut it.redis, Duration::from_secs(3));
    it.other.connects_anew(&mut it.redis);
    assert_eq!(it.other.position(), (it.epoch.as_str().into(), 2));
    it
}

#[test]
fn who_comes_back_from_before_an_outage_gets_what_the_broker_has() {
    let mut it = back_from_its_own();
    it.other.says(&mut it.redis, it.ann, ("third", 1), None);
    for (name, since) in [("bob", 0), ("cem", 1)] {
        let id = it
            .other
            .comes(&mut it.redis, name, Some((&it.epoch, since)));
        let told = ["at 3 true", "1 \"first\"", "2 \"second\"", "3 \"third\""];
        let told: Vec<&str> = told
            .into_iter()
            .filter(|it| !it.starts_with(&since.to_string()))
            .collect();
        assert_eq!(it.other.told(id), told);
        assert!(!it.other.waits(id));
    }
    let eve = it.other.comes(&mut it.redis, "eve", Some((&it.epoch, 0)));
    it.other.told(eve);
    it.other.says(&mut it.redis, it.ann, ("fourth", 2), None);
    assert_eq!(it.other.told(eve), ["4 \"fourth\""]);
}

#[test]
fn who_comes_back_from_before_an_outage_recovers_nothing_if_the_broker_has_not_all_of_it() {
    let mut it = back_from_its_own();
    it.redis.evict(&Key::Log(ROOM.into()));
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 0)));
    assert_eq!(it.other.told(bob), ["at 2 false"]);
    let cem = it.other.comes(&mut it.redis, "cem", Some((&it.epoch, 2)));
    assert_eq!(it.other.told(cem), ["at 2 true"]);
}

#[test]
fn who_comes_back_from_before_an_outage_in_the_next_one_begins_without_what_was_before() {
    let mut it = back_from_its_own();
    it.other.is_cut_off(&mut it.redis);
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 0)));
    assert_eq!(it.other.told(bob), [""; 0]);
    it.other.passes(&mut it.redis, Duration::from_secs(3));
    let told = ["at 2 false", "cluster", "at 0 null"];
    assert_eq!(it.other.told(bob), told);
}

#[test]
fn who_comes_after_an_outage_gets_the_newest_messages_also_from_before_it() {
    let mut it = back_from_its_own();
    it.other.says(&mut it.redis, it.ann, ("third", 1), None);
    let eve = it.other.comes_for_the_last(&mut it.redis, "eve", 2);
    let told = ["at 3 null", "2 \"second\"", "3 \"third\""];
    assert_eq!(it.other.told(eve), told);
    it.redis.evict(&Key::Log(ROOM.into()));
    let kim = it.other.comes_for_the_last(&mut it.redis, "kim", 2);
    assert_eq!(it.other.told(kim), ["at 3 null", "3 \"third\""]);
}

#[test]
fn who_waits_for_what_was_before_an_outage_gets_in_although_the_last_member_leaves() {
    let mut it = back_from_its_own();
    it.other.becomes_slow();
    let bob = it.other.comes(&mut it.redis, "bob", Some((&it.epoch, 0)));
    let eve = it.other.comes(&mut it.redis, "eve", Some((&it.epoch, 1)));
    it.other.loses(&mut it.redis, it.ann);
    it.other.loses(&mut it.redis, eve);
    assert!(it.other.waits(bob));
    it.other.becomes_quick(&mut it.redis);
    let told = ["at 2 true", "1 \"first\"", "2 \"second\""];
    assert_eq!(it.other.told(bob), told);
    it.other.becomes_slow();
    let cem = it.other.comes(&mut it.redis, "cem", Some((&it.epoch, 1)));
    it.other.loses(&mut it.redis, bob);
    it.other.loses(&mut it.redis, cem);
    it.other.becomes_quick(&mut it.redis);
    it.other.passes(&mut it.redis, Duration::from_secs(60));
    let kim = it.other.comes(&mut it.redis, "kim", Some((&it.epoch, 1)));
    assert_eq!(it.other.told(kim), ["at 2 true", "2 \"second\""]);
}

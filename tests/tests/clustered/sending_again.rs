//! Messages that are sent again through a node that is behind.

use std::time::Duration;

use switchboard_core::{ConnectionId, WhenDown};
use switchboard_tests::broker::{Kept, SimRedis};

use crate::node::{Node, broker};

/// Bob has sent a first message, at number 0, and a second one, at number 1. Then he comes to another
/// node, which has only the first one.
struct Moved {
    redis: SimRedis,
    one: Node,
    other: Node,
    bob: ConnectionId,
}

fn moved(when_down: WhenDown) -> Moved {
    let mut redis = broker();
    let mut one = Node::start(&mut redis, "a", when_down);
    let mut other = Node::start(&mut redis, "b", when_down);
    let bob = one.comes(&mut redis, "bob", None);
    other.comes(&mut redis, "ann", None);
    one.says(&mut redis, bob, ("first", 1), None);
    other.runs(&mut redis);
    other.becomes_slow();
    one.says(&mut redis, bob, ("second", 2), None);
    one.loses(&mut redis, bob);
    let epoch = other.position().0;
    let bob = other.comes(&mut redis, "bob", Some((&epoch, 1)));
    assert_eq!(other.told(bob), ["at 1 true"]);
    Moved {
        redis,
        one,
        other,
        bob,
    }
}

#[test]
fn what_only_the_broker_has_is_not_published_again() {
    let mut it = moved(WhenDown::Alone);
    it.other.says(&mut it.redis, it.bob, ("second", 2), Some(1));
    assert_eq!(it.other.told(it.bob), [""; 0]);
    assert!(it.other.waits(it.bob));
    it.other.becomes_quick(&mut it.redis);
    assert!(!it.other.waits(it.bob));
    assert_eq!(it.other.told(it.bob), ["2 \"second\"", "had 2"]);
    it.one.runs(&mut it.redis);
    assert_eq!(it.one.position().1, 2);
}

#[test]
fn what_the_node_has_is_acknowledged_at_once() {
    let mut it = moved(WhenDown::Alone);
    it.other.says(&mut it.redis, it.bob, ("first", 1), Some(0));
    assert_eq!(it.other.told(it.bob), ["had 1"]);
}

#[test]
fn what_nobody_has_is_published_once() {
    let mut it = moved(WhenDown::Alone);
    it.other.says(&mut it.redis, it.bob, ("third", 3), Some(1));
    it.other.becomes_quick(&mut it.redis);
    let told = ["2 \"second\"", "3 \"third\"", "ack 3"];
    assert_eq!(it.other.told(it.bob), told);
}

#[test]
fn a_number_that_the_node_has_not_come_to_can_be_told_once_it_has() {
    let mut it = moved(WhenDown::Alone);
    it.other.says(&mut it.redis, it.bob, ("third", 3), Some(2));
    it.other.becomes_quick(&mut it.redis);
    let told = ["2 \"second\"", "3 \"third\"", "ack 3"];
    assert_eq!(it.other.told(it.bob), told);
}

/// Between the loss and the word of it, the client's message may be on its way.
#[test]
fn what_was_sent_in_an_epoch_that_is_lost_is_not_published_again() {
    let mut it = moved(WhenDown::Alone);
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.told(it.bob), ["2 \"second\""]);
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    it.other.connects_anew(&mut it.redis);
    assert_eq!(it.other.told(it.bob), ["at 0 null"]);
    it.other.says(&mut it.redis, it.bob, ("first", 1), Some(0));
    assert_eq!(it.other.told(it.bob), ["unrecoverable"]);
    assert_eq!(it.other.position().1, 0);
    it.other.says(&mut it.redis, it.bob, ("third", 3), None);
    assert_eq!(it.other.told(it.bob), ["1 \"third\"", "ack 1"]);
    it.other.says(&mut it.redis, it.bob, ("third", 3), Some(2));
    assert_eq!(it.other.told(it.bob), ["had 1"]);
    // A client that comes now means numbers of this epoch.
    it.other.loses(&mut it.redis, it.bob);
    let epoch = it.other.position().0;
    let bob = it.other.comes(&mut it.redis, "bob", Some((&epoch, 1)));
    it.other.says(&mut it.redis, bob, ("fourth", 4), Some(1));
    let told = ["at 1 true", "2 \"fourth\"", "ack 2"];
    assert_eq!(it.other.told(bob), told);
}

#[test]
fn what_was_sent_before_the_node_is_on_its_own_is_not_delivered_there_again() {
    let mut it = moved(WhenDown::Alone);
    it.other.becomes_quick(&mut it.redis);
    it.other.is_cut_off(&mut it.redis);
    it.other.passes(&mut it.redis, Duration::from_secs(3));
    assert_eq!(
        it.other.told(it.bob),
        ["2 \"second\"", "cluster", "at 0 null"]
    );
    it.other.says(&mut it.redis, it.bob, ("first", 1), Some(0));
    assert_eq!(it.other.told(it.bob), ["unrecoverable"]);
}

#[test]
fn while_the_broker_is_away_it_cannot_be_told() {
    for when_down in [WhenDown::Alone, WhenDown::Refuse] {
        let mut it = moved(when_down);
        it.other.says(&mut it.redis, it.bob, ("second", 2), Some(1));
        it.other.is_cut_off(&mut it.redis);
        assert_eq!(it.other.told(it.bob), [""; 0]);
        it.other.passes(&mut it.redis, Duration::from_secs(3));
        let told = it.other.told(it.bob);
        let last = told.last().expect("an answer");
        assert_eq!(last, "unrecoverable", "{when_down:?}: {told:?}");
        assert!(!it.other.waits(it.bob));
    }
}

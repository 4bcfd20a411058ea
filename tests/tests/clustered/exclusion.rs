//! A member that is not to get a message does not get it through another connection or in another epoch either.

use std::time::Duration;

use switchboard_core::WhenDown;

use crate::node::{KEYED, Node, ROOM, broker};
use crate::pair::Pair;

#[test]
fn an_own_message_does_not_come_through_a_later_connection() {
    let mut it = Pair::start();
    let epoch = it.other.position().0;
    it.other.becomes_slow();
    it.one
        .says_to_others(&mut it.redis, it.ann, ("first", 1), None);
    it.one.loses(&mut it.redis, it.ann);
    let ann = it.other.comes(&mut it.redis, "ann", Some((&epoch, 0)));
    assert_eq!(it.other.told(ann), ["at 0 true"]);
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.told(ann), ["skip"]);
    assert_eq!(it.other.told(it.bob), ["at 0 null", "1 \"first\""]);
    it.other.says(&mut it.redis, ann, ("first", 1), Some(0));
    assert_eq!(it.other.told(ann), ["had 1"]);
}

#[test]
fn who_was_excluded_does_not_get_the_message_through_a_later_connection() {
    let mut it = Pair::start();
    let epoch = it.other.position().0;
    it.other.becomes_slow();
    it.one.broadcasts_not_for(&mut it.redis, "first", it.ann);
    assert_eq!(it.one.told(it.ann), ["at 0 null"]);
    it.one.loses(&mut it.redis, it.ann);
    let ann = it.other.comes(&mut it.redis, "ann", Some((&epoch, 0)));
    it.other.becomes_quick(&mut it.redis);
    assert_eq!(it.other.told(ann), ["at 0 true", "skip"]);
    assert_eq!(it.other.told(it.bob), ["at 0 null", "1 \"first\""]);
}

#[test]
fn an_own_message_does_not_come_when_the_room_returns_to_an_epoch_that_the_node_has_forgotten() {
    for has_session in [true, false] {
        let mut redis = broker();
        let mut node = Node::start(&mut redis, "a", WhenDown::Alone);
        let bob = if has_session {
            node.comes(&mut redis, "bob", None)
        } else {
            node.comes_without_session(&mut redis, "bob")
        };
        node.says_to_others(&mut redis, bob, ("first", 1), None);
        assert_eq!(node.told(bob), ["at 0 null", "ack 1"]);
        let of_first_broker = node.position();
        node.exits(&mut redis, bob);
        // Longer than a node follows a room that nobody is in.
        node.passes(&mut redis, Duration::from_secs(60));
        let mut replica = redis.clone();
        replica.fail_over();
        replica.load_scripts();
        node.connects_anew(&mut replica);
        node.enters(&mut replica, bob, ROOM);
        assert_ne!(node.position().0, of_first_broker.0);
        node.connects_anew(&mut redis);
        assert_eq!(node.position(), of_first_broker);
        let told = node.told(bob);
        let told: Vec<_> = told.iter().filter(|it| *it != "cluster").collect();
        assert_eq!(
            told,
            ["unsubscribed", "at 0 null", "at 0 null", "skip"],
            "{has_session}"
        );
    }
}

#[test]
fn a_value_that_waits_on_the_node_does_not_come_to_its_sender_who_sends_it_again() {
    let mut redis = broker();
    let mut node = Node::start(&mut redis, "a", WhenDown::Alone);
    let bob = node.comes(&mut redis, "bob", None);
    let ann = node.comes(&mut redis, "ann", None);
    for id in [bob, ann] {
        node.enters(&mut redis, id, KEYED);
        node.told_of_keys(id);
    }
    node.becomes_slow();
    node.sets_for_others(&mut redis, bob, "a", None);
    node.loses(&mut redis, bob);
    let bob = node.comes(&mut redis, "bob", None);
    node.enters(&mut redis, bob, KEYED);
    node.sets_for_others(&mut redis, bob, "a", Some(0));
    node.becomes_quick(&mut redis);
    assert_eq!(node.told_of_keys(bob), ["at 0 latest", "ack 1"]);
    assert_eq!(node.told_of_keys(ann), ["1 a 1"]);
}

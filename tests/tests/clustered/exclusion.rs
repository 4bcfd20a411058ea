//! A member that is not to get a message does not get it through another connection or in another epoch either.

use std::time::Duration;

use switchboard_core::WhenDown;

use crate::node::{KEYED, Node, ROOM, broker};

#[test]
fn an_own_message_does_not_come_through_a_later_connection() {
    let mut redis = broker();
    let mut one = Node::start(&mut redis, "a", WhenDown::Alone);
    let mut other = Node::start(&mut redis, "b", WhenDown::Alone);
    let bob = one.comes(&mut redis, "bob", None);
    let ann = other.comes(&mut redis, "ann", None);
    let epoch = other.position().0;
    other.becomes_slow();
    one.says_to_others(&mut redis, bob, ("first", 1), None);
    one.loses(&mut redis, bob);
    let bob = other.comes(&mut redis, "bob", Some((&epoch, 0)));
    assert_eq!(other.told(bob), ["at 0 true"]);
    other.becomes_quick(&mut redis);
    assert_eq!(other.told(bob), ["skip"]);
    assert_eq!(other.told(ann), ["at 0 null", "1 \"first\""]);
    other.says(&mut redis, bob, ("first", 1), Some(0));
    assert_eq!(other.told(bob), ["had 1"]);
}

#[test]
fn who_was_excluded_does_not_get_the_message_through_a_later_connection() {
    let mut redis = broker();
    let mut one = Node::start(&mut redis, "a", WhenDown::Alone);
    let mut other = Node::start(&mut redis, "b", WhenDown::Alone);
    let bob = one.comes(&mut redis, "bob", None);
    let ann = other.comes(&mut redis, "ann", None);
    let epoch = other.position().0;
    other.becomes_slow();
    one.broadcasts_not_for(&mut redis, "first", bob);
    assert_eq!(one.told(bob), ["at 0 null"]);
    one.loses(&mut redis, bob);
    let bob = other.comes(&mut redis, "bob", Some((&epoch, 0)));
    other.becomes_quick(&mut redis);
    assert_eq!(other.told(bob), ["at 0 true", "skip"]);
    assert_eq!(other.told(ann), ["at 0 null", "1 \"first\""]);
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

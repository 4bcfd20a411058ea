//! The latest value of each key, on several nodes.

use std::time::Duration;

use switchboard_core::{ConnectionId, WhenDown};
use switchboard_tests::broker::{Kept, Key};

use crate::node::{BOARD, KEYED, Node};
use crate::pair::Pair;

const SECOND: Duration = Duration::from_secs(1);

/// Ann is in the keyed room too.
fn pair() -> Pair {
    let mut pair = Pair::start();
    pair.one.enters(&mut pair.redis, pair.ann, KEYED);
    assert_eq!(pair.one.told_of_keys(pair.ann), ["at 0 latest"]);
    pair
}

impl Pair {
    fn sets(&mut self, key: &str, value: &str) {
        self.one.sets(&mut self.redis, self.ann, key, value);
        self.other.runs(&mut self.redis);
    }

    /// A client comes to the second node, and enters the room.
    fn comes(&mut self, user: &str) -> (ConnectionId, Vec<String>) {
        let id = self.other.comes(&mut self.redis, user, None);
        self.other.enters(&mut self.redis, id, KEYED);
        (id, self.other.told_of_keys(id))
    }
}

#[test]
fn who_joins_on_another_node_gets_the_latest_value_of_each_key() {
    let mut it = pair();
    for (key, value) in [
        ("a", "1"),
        ("b", "2"),
        ("a", "3"),
        ("c", "4"),
        ("b", "null"),
    ] {
        it.sets(key, value);
    }
    let acks = ["ack 1", "ack 2", "ack 3", "ack 4", "ack 5"];
    assert_eq!(it.one.told_of_keys(it.ann), acks);
    let (dan, told) = it.comes("dan");
    assert_eq!(told, ["at 5 latest", "3 a 3", "4 c 4"]);
    it.sets("a", "5");
    it.sets("c", "null");
    assert_eq!(it.other.told_of_keys(dan), ["6 a 5", "7 c null"]);
    let (_, told) = it.comes("cem");
    assert_eq!(told, ["at 7 latest", "6 a 5"]);
}

/// The log of the room keeps a hundred messages at least, and is trimmed by ten.
#[test]
fn values_outlive_the_log_of_the_room() {
    let mut it = pair();
    it.sets("a", "\"first\"");
    for value in 0..150 {
        it.sets("b", &value.to_string());
    }
    let (_, told) = it.comes("dan");
    assert_eq!(told, ["at 151 latest", "1 a first", "151 b 149"]);
}

#[test]
fn the_application_sets_values_on_a_node_where_nobody_is_in_the_room() {
    let mut it = pair();
    it.other.publishes(&mut it.redis, "a", "1");
    it.other.publishes(&mut it.redis, "b", "2");
    it.other.publishes(&mut it.redis, "a", "null");
    it.one.runs(&mut it.redis);
    let told = it.one.told_of_keys(it.ann);
    assert_eq!(told, ["1 a 1", "2 b 2", "3 a null"]);
}

#[test]
fn one_key_more_than_the_room_may_have_is_refused_wherever_it_is_set() {
    let mut it = pair();
    for key in ["a", "b", "c"] {
        it.sets(key, "1");
    }
    it.one.told_of_keys(it.ann);
    it.sets("d", "1");
    assert_eq!(it.one.told_of_keys(it.ann), ["limit_exceeded"]);
    // This node does not know the keys.
    it.other.publishes(&mut it.redis, "d", "1");
    it.sets("a", "2");
    it.sets("b", "null");
    it.sets("d", "3");
    assert_eq!(it.one.told_of_keys(it.ann), ["ack 4", "ack 5", "ack 6"]);
    let (_, told) = it.comes("dan");
    assert_eq!(told, ["at 6 latest", "3 c 1", "4 a 2", "6 d 3"]);
}

#[test]
fn a_node_that_missed_more_than_the_log_has_gives_its_members_the_present_values() {
    let mut it = pair();
    it.sets("a", "1");
    it.sets("b", "1");
    let (dan, told) = it.comes("dan");
    assert_eq!(told, ["at 2 latest", "1 a 1", "2 b 1"]);
    it.other.is_cut_off(&mut it.redis);
    it.sets("a", "null");
    for value in 0..150 {
        it.sets("c", &value.to_string());
    }
    it.other.connects_anew(&mut it.redis);
    it.other.runs(&mut it.redis);
    let told = it.other.told_of_keys(dan);
    assert_eq!(told, ["at 153 latest", "2 b 1", "153 c 149"]);
    it.sets("b", "2");
    assert_eq!(it.other.told_of_keys(dan), ["154 b 2"]);
}

#[test]
fn values_are_asked_for_again_where_the_broker_has_refused_to_say_them() {
    let mut it = pair();
    it.sets("a", "1");
    let (dan, told) = it.comes("dan");
    assert_eq!(told, ["at 1 latest", "1 a 1"]);
    it.other.is_cut_off(&mut it.redis);
    for value in 0..150 {
        it.sets("c", &value.to_string());
    }
    it.other.asks_for_what_was_missed(&mut it.redis);
    it.other.is_refused(&mut it.redis);
    let told = it.other.told_of_keys(dan);
    assert_eq!(told, ["at 151 latest", "1 a 1", "151 c 149"]);
    it.sets("c", "2");
    assert_eq!(it.other.told_of_keys(dan), ["152 c 2"]);
}

#[test]
fn a_node_that_missed_a_little_gives_its_members_just_that() {
    let mut it = pair();
    it.sets("a", "1");
    let (dan, _) = it.comes("dan");
    it.other.is_cut_off(&mut it.redis);
    it.sets("a", "null");
    it.sets("b", "2");
    it.other.connects_anew(&mut it.redis);
    it.other.runs(&mut it.redis);
    assert_eq!(it.other.told_of_keys(dan), ["2 a null", "3 b 2"]);
}

#[test]
fn nodes_set_the_values_again_that_the_broker_has_lost() {
    let mut it = pair();
    it.sets("a", "1");
    it.sets("b", "2");
    let (dan, _) = it.comes("dan");
    it.one.told_of_keys(it.ann);
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    it.one.connects_anew(&mut it.redis);
    it.other.connects_anew(&mut it.redis);
    it.passes(2 * SECOND);
    let told = it.one.told_of_keys(it.ann);
    assert_eq!(told, ["at 0 latest", "1 a 1", "2 b 2"]);
    // The other node came later, and had nothing to add.
    let told = it.other.told_of_keys(dan);
    assert_eq!(told, ["at 2 latest", "1 a 1", "2 b 2"]);
    it.sets("a", "3");
    let mut third = Node::start(&mut it.redis, "c", WhenDown::Alone);
    let cem = third.comes(&mut it.redis, "cem", None);
    third.enters(&mut it.redis, cem, KEYED);
    let told = third.told_of_keys(cem);
    assert_eq!(told, ["at 3 latest", "2 b 2", "3 a 3"]);
}

#[test]
fn values_that_the_broker_has_evicted_are_set_again() {
    let mut it = pair();
    it.sets("a", "1");
    it.sets("b", "2");
    it.one.told_of_keys(it.ann);
    it.redis.evict(&Key::Values(KEYED.to_owned()));
    let (dan, _) = it.comes("dan");
    it.passes(2 * SECOND);
    let told = it.other.told_of_keys(dan);
    assert_eq!(told.last().map(String::as_str), Some("2 b 2"));
    let (_, told) = it.comes("cem");
    assert_eq!(told, ["at 2 latest", "1 a 1", "2 b 2"]);
}

#[test]
fn a_node_on_its_own_keeps_the_values_and_has_those_of_the_others_when_it_is_back() {
    let mut it = pair();
    it.sets("a", "1");
    it.sets("b", "2");
    it.one.told_of_keys(it.ann);
    it.one.is_cut_off(&mut it.redis);
    it.passes(4 * SECOND);
    it.sets("a", "\"alone\"");
    // Whose table is empty where the room goes on from elsewhere gets what is here.
    let told = it.one.told_of_keys(it.ann);
    assert_eq!(told, ["at 2 latest", "1 a 1", "2 b 2", "ack 3"]);
    let dan = it.one.comes(&mut it.redis, "dan", None);
    it.one.enters(&mut it.redis, dan, KEYED);
    let told = it.one.told_of_keys(dan);
    assert_eq!(told, ["at 3 latest", "2 b 2", "3 a alone"]);
    it.other.publishes(&mut it.redis, "c", "4");
    it.one.connects_anew(&mut it.redis);
    it.passes(SECOND);
    let present = ["at 3 latest", "1 a 1", "2 b 2", "3 c 4"];
    assert_eq!(it.one.told_of_keys(dan), present);
    assert_eq!(it.one.told_of_keys(it.ann), present);
}

#[test]
fn whom_a_value_was_not_for_does_not_get_it_when_it_is_set_again() {
    let mut it = pair();
    let (dan, _) = it.comes("dan");
    it.sets("a", "1");
    it.one
        .publishes_not_for(&mut it.redis, ("b", "2"), &["dan"]);
    it.other.runs(&mut it.redis);
    assert_eq!(it.other.told_of_keys(dan), ["1 a 1"]);
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    // The node that is back first sets it again, and tells the others.
    it.one.connects_anew(&mut it.redis);
    it.other.connects_anew(&mut it.redis);
    it.passes(2 * SECOND);
    let told = it.one.told_of_keys(it.ann);
    assert_eq!(told[told.len() - 2..], ["1 a 1", "2 b 2"]);
    assert_eq!(it.other.told_of_keys(dan), ["at 2 latest", "1 a 1"]);
    let mut third = Node::start(&mut it.redis, "c", WhenDown::Alone);
    let dan = third.comes(&mut it.redis, "dan", None);
    third.enters(&mut it.redis, dan, KEYED);
    assert_eq!(third.told_of_keys(dan), ["at 2 latest", "1 a 1"]);
    let cem = third.comes(&mut it.redis, "cem", None);
    third.enters(&mut it.redis, cem, KEYED);
    let told = third.told_of_keys(cem);
    assert_eq!(told, ["at 2 latest", "1 a 1", "2 b 2"]);
}

#[test]
fn whom_a_value_was_not_for_does_not_get_it_from_a_node_on_its_own() {
    let mut it = pair();
    let dan = it.one.comes(&mut it.redis, "dan", None);
    it.one.enters(&mut it.redis, dan, KEYED);
    it.one
        .publishes_not_for(&mut it.redis, ("a", "1"), &["dan"]);
    it.one.told_of_keys(it.ann);
    assert_eq!(it.one.told_of_keys(dan), ["at 0 latest"]);
    it.one.is_cut_off(&mut it.redis);
    it.passes(4 * SECOND);
    assert_eq!(it.one.told_of_keys(it.ann), ["at 1 latest", "1 a 1"]);
    assert_eq!(it.one.told_of_keys(dan), ["at 1 latest"]);
}

#[test]
fn nodes_that_were_on_their_own_set_again_what_the_broker_has_lost_meanwhile() {
    let mut it = pair();
    it.sets("a", "1");
    it.sets("b", "2");
    let (dan, _) = it.comes("dan");
    it.one.is_cut_off(&mut it.redis);
    it.other.is_cut_off(&mut it.redis);
    it.passes(4 * SECOND);
    it.redis.restart(Kept::Nothing);
    it.redis.load_scripts();
    it.one.connects_anew(&mut it.redis);
    it.other.connects_anew(&mut it.redis);
    it.passes(2 * SECOND);
    let told = it.other.told_of_keys(dan);
    assert_eq!(told[told.len() - 3..], ["at 2 latest", "1 a 1", "2 b 2"]);
    let (_, told) = it.comes("cem");
    assert_eq!(told, ["at 2 latest", "1 a 1", "2 b 2"]);
}

#[test]
fn a_room_of_values_may_have_its_seats_over_all_nodes() {
    let mut it = Pair::start();
    it.one.told(it.ann);
    it.other.told(it.bob);
    it.one.enters(&mut it.redis, it.ann, BOARD);
    let told = it.one.told(it.ann);
    assert_eq!(told.last().map(String::as_str), Some("at 0 null"));
    it.other.enters(&mut it.redis, it.bob, BOARD);
    assert_eq!(it.other.told(it.bob), ["room_full"]);
    it.one.loses(&mut it.redis, it.ann);
    it.passes(SECOND);
    it.other.enters(&mut it.redis, it.bob, BOARD);
    assert_eq!(it.other.told(it.bob), ["at 0 null"]);
}

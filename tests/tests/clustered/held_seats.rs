//! Seats over all nodes that are held for users who were lost.

use std::time::Duration;

use crate::node::{HOLD, SMALL};
use crate::pair::Pair;

/// Ten milliseconds less than [`HOLD`].
const ALMOST: Duration = Duration::from_millis(39_990);

/// Ann and bob are in the small room too.
fn full() -> Pair {
    let mut pair = Pair::start();
    for (node, id) in [(&mut pair.one, pair.ann), (&mut pair.other, pair.bob)] {
        node.enters(&mut pair.redis, id, SMALL);
        assert_eq!(node.told(id), ["at 0 null", "at 0 null"]);
    }
    pair
}

impl Pair {
    /// What a newcomer is told who wants to enter the room on the second node.
    fn newcomer(&mut self, name: &str) -> String {
        let id = self.other.comes(&mut self.redis, name, None);
        self.other.told(id);
        self.other.enters(&mut self.redis, id, SMALL);
        self.other.told(id).join(" ")
    }
}

#[test]
fn a_held_seat_counts_on_all_nodes_until_its_time_is_over() {
    let mut it = full();
    it.one.loses(&mut it.redis, it.ann);
    assert_eq!(it.newcomer("cem"), "room_full");
    it.passes(ALMOST);
    assert_eq!(it.newcomer("dan"), "room_full");
    it.passes(Duration::from_millis(10));
    assert_eq!(it.newcomer("eve"), "at 0 null");
    assert_eq!(it.newcomer("fay"), "room_full");
}

#[test]
fn who_comes_back_to_the_node_has_the_seat_that_was_held() {
    let mut it = full();
    for _ in 0..3 {
        it.one.loses(&mut it.redis, it.ann);
        it.ann = it.one.comes(&mut it.redis, "ann", None);
        it.one.told(it.ann);
        it.one.enters(&mut it.redis, it.ann, SMALL);
        assert_eq!(it.one.told(it.ann), ["at 0 null"]);
        assert_eq!(it.newcomer("cem"), "room_full");
    }
    // It was one seat all the time, which is free when its user leaves.
    it.passes(HOLD + Duration::from_secs(1));
    assert_eq!(it.newcomer("dan"), "room_full");
}

#[test]
fn no_seat_is_held_for_a_user_who_has_moved_to_another_node() {
    let mut it = full();
    let ann = it.other.comes(&mut it.redis, "ann", None);
    it.one.runs(&mut it.redis);
    it.other.runs(&mut it.redis);
    it.other.told(ann);
    it.other.enters(&mut it.redis, ann, SMALL);
    assert_eq!(it.other.told(ann), ["at 0 null"]);
    assert_eq!(it.newcomer("cem"), "room_full");
}

#[test]
fn a_seat_whose_time_is_over_while_its_user_waits_to_enter_is_that_users() {
    let mut it = full();
    it.one.loses(&mut it.redis, it.ann);
    it.passes(ALMOST);
    it.ann = it.one.comes(&mut it.redis, "ann", None);
    it.one.told(it.ann);
    it.one.becomes_slow();
    it.one.enters(&mut it.redis, it.ann, SMALL);
    it.passes(Duration::from_millis(20));
    assert!(it.one.waits(it.ann));
    it.one.becomes_quick(&mut it.redis);
    assert_eq!(it.one.told(it.ann), ["at 0 null"]);
    assert_eq!(it.newcomer("cem"), "room_full");
}

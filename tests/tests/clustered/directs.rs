//! Messages to users who are on other nodes.

use std::time::Duration;

use switchboard_core::WhenDown;

use crate::node::{Node, admit, broker};
use crate::pair::Pair;

const SECOND: Duration = Duration::from_secs(1);

/// Both have been told of who is in the lobby.
fn pair() -> Pair {
    let mut pair = Pair::start();
    pair.passes(SECOND);
    pair.told_ann();
    pair.other.told(pair.bob);
    pair
}

impl Pair {
    /// Ann sends a message to a user.
    fn sends(&mut self, user: &str) {
        self.one.sends_to_user(&mut self.redis, self.ann, user);
    }

    fn told_ann(&mut self) -> Vec<String> {
        self.one.told(self.ann)
    }
}

#[test]
fn a_message_reaches_a_user_on_another_node_and_nobody_else_is_there() {
    let mut it = pair();
    it.sends("bob");
    it.passes(SECOND / 10);
    assert_eq!(it.told_ann(), ["delivered 1"]);
    assert_eq!(it.other.told(it.bob), ["direct"]);
    it.sends("cem");
    it.passes(SECOND / 10);
    assert_eq!(it.told_ann(), ["not_connected"]);
}

/// Whether the user has a connection elsewhere cannot be known.
#[test]
fn a_node_that_is_cut_off_does_not_say_that_a_user_is_not_connected() {
    let mut it = pair();
    it.one.is_cut_off(&mut it.redis);
    // While messages are held, it waits for its answer a second at most.
    it.sends("bob");
    assert_eq!(it.told_ann(), [""; 0]);
    it.passes(SECOND);
    assert_eq!(it.told_ann(), ["unavailable"]);
    it.passes(3 * SECOND);
    it.told_ann();
    it.sends("bob");
    assert_eq!(it.told_ann(), ["unavailable"]);
    it.sends("ann");
    assert_eq!(it.told_ann(), ["direct", "delivered 1"]);
    it.one.connects_anew(&mut it.redis);
    it.passes(SECOND);
    it.told_ann();
    it.sends("bob");
    it.passes(SECOND / 10);
    assert_eq!(it.told_ann(), ["delivered 1"]);
}

#[test]
fn a_user_whose_node_does_not_answer_may_be_connected_all_the_same() {
    let mut it = pair();
    it.other.becomes_slow();
    it.sends("bob");
    it.one.passes(&mut it.redis, SECOND / 2);
    assert_eq!(it.told_ann(), [""; 0]);
    it.one.passes(&mut it.redis, SECOND);
    assert_eq!(it.told_ann(), ["unavailable"]);
    assert_eq!(it.other.told(it.bob), [""; 0]);
}

/// The most connections that one call sends a direct message to.
const PART: usize = 2_048;
/// More connections of one user than that.
const MANY: usize = PART + 50;

#[test]
fn a_message_from_another_node_goes_to_many_connections_in_parts_and_is_answered_at_the_end() {
    let mut redis = broker();
    let mut one = Node::start(&mut redis, "a", WhenDown::Alone);
    let ann = one.comes(&mut redis, "ann", None);
    let mut other = Node::start_with(&mut redis, "b", WhenDown::Alone, |config| {
        admit(2 * MANY, config);
    });
    let devices = other.crowd_comes(&mut redis, &["bob"], MANY);
    for _ in 0..10 {
        one.passes(&mut redis, SECOND / 10);
        other.passes(&mut redis, SECOND / 10);
    }
    for &id in &devices {
        other.told(id);
    }
    one.told(ann);
    for _ in 0..2 {
        one.sends_to_user(&mut redis, ann, "bob");
    }
    // One who has come since was not meant.
    other.runs(&mut redis);
    let newcomer = other.comes_without_session(&mut redis, "bob");
    let (mut got, mut parts) = (0, 0);
    while got < 2 * MANY {
        assert!(one.told(ann).is_empty(), "not before all have got it");
        other.passes(&mut redis, Duration::ZERO);
        let told = devices.iter().map(|&id| other.told(id).len());
        let told: usize = told.sum();
        assert!((1..=PART).contains(&told), "{told} by one call");
        got += told;
        parts += 1;
        if got == MANY {
            one.passes(&mut redis, Duration::ZERO);
            assert_eq!(one.told(ann), [format!("delivered {MANY}")]);
        }
    }
    assert_eq!(parts, 2 * MANY.div_ceil(PART));
    assert!(other.told(newcomer).iter().all(|it| it != "direct"));
    one.passes(&mut redis, Duration::ZERO);
    assert_eq!(one.told(ann), [format!("delivered {MANY}")]);
}

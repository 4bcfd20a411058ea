//! Messages to users who are on other nodes.

use std::time::Duration;

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

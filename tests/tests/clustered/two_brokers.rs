//! There are two brokers for a while, and each node hears of the nodes at its own one only.

use std::time::Duration;

use switchboard_core::WhenDown;

use crate::node::{Node, broker};
use crate::pair::pass;

/// Longer than a node that is not heard of counts as alive.
const LEASE: Duration = Duration::from_secs(5);

#[test]
fn who_was_not_heard_at_another_broker_keeps_the_claims_of_users_at_this_one() {
    let mut redis = broker();
    let mut one = Node::start(&mut redis, "a", WhenDown::Alone);
    let mut other = Node::start(&mut redis, "b", WhenDown::Alone);
    pass(&mut redis, [&mut one, &mut other], LEASE);
    let mut replica = redis.clone();
    replica.fail_over();
    replica.load_scripts();
    one.connects_anew(&mut replica);
    one.passes(&mut replica, LEASE);
    other.passes(&mut redis, LEASE);
    one.comes(&mut replica, "bob", None);
    other.comes(&mut redis, "bob", None);
    one.connects_anew(&mut redis);
    other.runs(&mut redis);
    one.runs(&mut redis);
    // Of two connections of one user, the policy lets one stay.
    let there = [one.has_user("bob"), other.has_user("bob")];
    assert_eq!(there.iter().filter(|it| **it).count(), 1, "{there:?}");
}

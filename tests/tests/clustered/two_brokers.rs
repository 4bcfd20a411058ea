//! There are two brokers for a while, and each node hears of the nodes at its own one only.

use std::time::Duration;

use crate::pair::Pair;

/// Longer than a node that is not heard of counts as alive.
const LEASE: Duration = Duration::from_secs(5);

#[test]
fn who_was_not_heard_at_another_broker_keeps_the_claims_of_users_at_this_one() {
    let mut it = Pair::start();
    it.passes(LEASE);
    let mut replica = it.redis.clone();
    replica.fail_over();
    replica.load_scripts();
    it.one.connects_anew(&mut replica);
    it.one.passes(&mut replica, LEASE);
    it.other.passes(&mut it.redis, LEASE);
    it.one.comes(&mut replica, "dan", None);
    it.other.comes(&mut it.redis, "dan", None);
    it.one.connects_anew(&mut it.redis);
    it.other.runs(&mut it.redis);
    it.one.runs(&mut it.redis);
    // Of two connections of one user, the policy lets one stay.
    let there = [it.one.has_user("dan"), it.other.has_user("dan")];
    assert_eq!(there.iter().filter(|it| **it).count(), 1, "{there:?}");
}

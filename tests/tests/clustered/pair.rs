//! Two nodes over one broker.

use std::time::Duration;

use switchboard_tests::broker::SimRedis;

use crate::node::Node;

/// What each of the two does in turn.
const STEP: Duration = Duration::from_millis(100);

/// Lets time pass on both nodes, until neither has anything to say to the other.
pub(crate) fn pass(redis: &mut SimRedis, [one, other]: [&mut Node; 2], time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let step = left.min(STEP);
        left -= step;
        one.passes(redis, step);
        other.passes(redis, step);
        one.runs(redis);
    }
}
